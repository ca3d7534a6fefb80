"""Figures of candidates: how well they answer, how fast, how large.

Reading order: ``predictions`` (outputs → labels, scores, values), ``metrics`` (a registry), ``bootstrap`` (intervals; pure),
``accuracy`` (loss against the reference), ``latency`` (interleaved pairs), ``tuning`` (threads and graph level), ``probe`` (load time and memory,
in a process of their own), ``host`` (may this machine speak for a profile?), ``figures`` (all of it for one profile), ``device`` and ``on_device``
(the same on a device, through its agent), ``arrays`` (inputs as an ``.npz`` file), ``emulation`` (answers as another processor gives them).

What a device does too stands in the core: `sealift_core.timing.alternation` (turns) and `sealift_core.timing.throughput` (every core busy).

This file imports nothing: ``probe`` runs alone and counts its own memory.
"""
