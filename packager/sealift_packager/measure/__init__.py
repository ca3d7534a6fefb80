"""Figures of candidates: how well they answer, how fast, how large.

Reading order:

- ``predictions`` a model's outputs as labels, scores or values; ``target`` the holdout's target; ``class_labels`` its labels as the model has them
- ``metrics``     metrics by name; ``constant`` what the same answer to all would score
- ``bootstrap``   intervals; pure
- ``accuracy``    loss against the source; ``channels`` of single channels of an output, which one number would hide
- ``latency``     several sessions in turns
- ``tuning``      threads and graph level
- ``probe``       load time and peak memory, in a process of its own
- ``host``        may this machine speak for a profile?
- ``figures``     all of it for one profile; ``comparison`` all candidates, each with its threads; ``arrays`` inputs as an ``.npz`` file
- ``device_address``, ``device``, ``on_device``  the same on a device, through its agent
- ``emulation``, ``emulated``  answers as another processor gives them

What a device does too stands in the core: `sealift_core.timing.alternation` (turns) and `sealift_core.timing.throughput` (every core busy).

This file imports nothing: ``probe`` runs alone and counts its own memory.
"""
