"""Sealift's packager: a trained model goes in, a signed release with a bundle per hardware profile comes out.

Packages, from the command down; a package imports only packages below its layer (import-linter holds that):

- ``cli``         one file per verb
- ``project``     many models × profiles from one file, by several workers
- ``api``         ``sealift_packager.pack`` for Python programs
- ``build``       a build, from the request to the sealed release; one profile of it; the worker behind walls
- ``kit``, ``repository``  site kits; publishing
- ``report``      a build for people and for machines; ``diff`` where two bundles differ
- ``parity``      does the graph answer like its source?
- ``assemble``    from a chosen candidate to files
- ``search``      candidates built and judged out of fold, reverted in part where int8 misses the gate, and chosen
- ``measure``     accuracy, latency, memory; ``quantize`` from the fp32 graph to a smaller one
- ``lock``        what was measured, so that a build can be repeated bit by bit
- ``frameworks``  which framework loads and converts what
- ``sklearn``, ``boosters``, ``torch``, ``onnx``  each: load and convert
- ``cache``       results kept by content; ``candidates`` what is tried for a profile; ``data`` the holdout
- ``graph``       ONNX graphs, walked, tidied, edited, run; ``model`` a trained model as the rest sees it; ``trees`` tree ensembles as values
- ``sandbox``     reading what may be hostile, in a process of its own; ``archives`` files from outside, checked and written anew
- ``plugins``, ``profiles``, ``keys``, ``progress``, ``errors``  what all of these share

Stands on `sealift_core`, and on neither the runtime nor the hub. Kinds of models, precisions,
metrics and objectives are dicts: `frameworks.loaders`, `frameworks.converters`, `quantize.registry`, `measure.metrics`, `search.objectives`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sealift_core  # noqa: F401  (before all else: it prepares the environment that other libraries are imported in)

if TYPE_CHECKING:
    from sealift_packager.api.pack import pack as pack

__version__ = "0.1.0"
__all__ = ["__version__", "pack"]


def __getattr__(name: str) -> Any:
    """``pack`` is there when it is asked for: what it stands on takes seconds to import."""
    if name == "pack":
        from sealift_packager.api.pack import pack

        return pack
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
