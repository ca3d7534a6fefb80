"""Sealift's runtime: all that a device needs to pull, verify, run, watch and report on models.

Rooms, lowest floor first; a room imports only rooms above it in this list (import-linter holds that):

- ``errors``      every error, one tree
- ``printable``   text from outside, with what would steer a terminal escaped
- ``printing``    the one way to standard output, standard error and the log
- ``documents``   typed getters that turn JSON or TOML into values, bounded and with paths in their errors
- ``beneath``     files that somebody else wrote: no links, no pipes, bounded
- ``durable``     writes that survive a power cut
- ``onnxruntime_environment``  the variables that libraries are imported with: no telemetry; prepared here, before all else
- ``clock``       time as an argument
- ``process``     processes that read what others made, behind walls
- ``alternation`` several things timed in turns
- ``rows``        requests of any number of rows
- ``throughput``  rows per second with every core busy
- ``signing``     keys, and the DSSE envelope around everything signed
- ``bundle``      the format: manifest, files, digests, signature, OCI layout, baseline
- ``verify``      the one way to prove a bundle, for packager, publisher and device
- ``exchange``    the other documents that cross the gap: channel, report, acknowledgement
- ``hardware``    what this machine is, which profile fits, and why
- ``transport``   where bytes come from: HTTP or a directory
- ``store``       content-addressed blobs and materialized bundles
- ``trust``       pure: TUF metadata in, a verdict out
- ``engine``      the only importer of onnxruntime
- ``measuring``   candidates measured for a packager whose key is trusted; off by default
- ``reports``     signed, numbered, spooled
- ``monitoring``  counters, bins, drift
- ``update``      the persisted transition table
- ``serving``     the Open Inference Protocol
- ``agent``       wires the parts and owns the processes
- ``cli``         one file per verb

The packager and the hub stand on the rooms from ``errors`` to ``hardware`` and on nothing above.
"""

from sealift_runtime.onnxruntime_environment import prepare

__version__ = "0.1.0"

prepare()  # whatever is imported of this package or of the two that stand on it, this comes first
