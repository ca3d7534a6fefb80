"""Sealift's packager: a trained model goes in, a signed release with a bundle per hardware profile comes out.

Reading order, which is the pipeline's:

- ``api``         ``sealift_packager.pack`` for Python programs; ``inmemory``  what they hold, written to files
- ``project``     many models × profiles from one file, by several workers
- ``request``     what is asked of a build, checked at the door
- ``pipeline``    the pipeline; ``profile_build`` one profile of it, ``manifest`` what it writes down
- ``archives``    files from outside: opened once, copied, zip archives checked and written anew
- ``load``        from a model file to a `SourceModel`, its kind found from the content
- ``data``        holdout data, fitted to the model; synthetic inputs where there is none
- ``trees``       tree ensembles of every library as values, and rows beside their thresholds
- ``convert``     to ONNX, in one tidy form
- ``parity``      does the graph answer like its source?
- ``candidates``  what is tried for a profile, as values
- ``quantize``    from the fp32 graph to an int8 one
- ``measure``     accuracy, latency, memory
- ``search``      candidates built and judged out of fold, reverted in part where int8 misses the gate
- ``select``      which candidate ships, and why
- ``golden``, ``baseline``  what a device must reproduce; what its traffic is held against
- ``card``, ``sbom``, ``provenance``, ``assemble``  files, directory, OCI layout
- ``shared``, ``stages``, ``structure``, ``tools``  what profiles have in common; results cached by content, as plain data
- ``lock``        what was measured, so that a build can be repeated bit by bit
- ``report``, ``explain``, ``diff``  a build for people; why it ships what it ships; where two bundles differ
- ``artifact``    what was written, opened again
- ``profiles``, ``repository``, ``kit``  hardware profiles; publishing; site kits
- ``session``, ``plugins``, ``progress``, ``quiet``, ``errors``  what all of these share
- ``cli``         one file per verb

Stands on `sealift_core`, and on neither the runtime nor the hub. Kinds of models, precisions,
metrics and objectives are dicts: `load.registry`, `convert.registry`, `quantize.registry`, `measure.metrics`, `select.objectives`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sealift_core  # noqa: F401  (before all else: it prepares the environment that other libraries are imported in)

if TYPE_CHECKING:
    from sealift_packager.api import pack as pack

__version__ = "0.1.0"
__all__ = ["__version__", "pack"]


def __getattr__(name: str) -> Any:
    """``pack`` is there when it is asked for: what it stands on takes seconds to import."""
    if name == "pack":
        from sealift_packager.api import pack

        return pack
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
