"""Sealift's runtime: all that a device needs to pull, verify, run, watch and report on models.

Packages, lowest layer first; each imports only those above it in this list (import-linter holds that):

- ``transport``   where bytes come from: HTTP or a directory
- ``store``       content-addressed blobs and materialized bundles
- ``trust``       pure: TUF metadata in, a verdict out
- ``engine``      the only importer of onnxruntime
- ``inference``   one inference, whatever asked for it: no transport in it
- ``measuring``   candidates measured for a packager whose key is trusted; off by default
- ``reports``     signed, numbered, spooled
- ``monitoring``  counters, bins, drift
- ``update``      the persisted transition table
- ``serving``     the Open Inference Protocol over HTTP, a codec over ``inference``
- ``agent``       wires the parts and owns the processes
- ``cli``         one file per verb

The formats, the proof of a bundle, drift and the facts of a machine are `sealift_core`'s. The runtime knows neither the packager nor the hub.
"""

import sealift_core  # noqa: F401  (before all else: it prepares the environment that other libraries are imported in)

__version__ = "0.1.0"
