"""What torch.compile and data parallelism put around a module: it says nothing of the model. Pure."""

from __future__ import annotations

from typing import Any, Final

#: Where each wrapper of torch holds what it wraps.
_HOLDS: Final = {"OptimizedModule": "_orig_mod", "DataParallel": "module", "DistributedDataParallel": "module"}


def bare_module(model: Any) -> Any:
    """The module within torch's own wrappers; anything else as it is."""
    while type(model).__module__.startswith("torch.") and (inner := _HOLDS.get(type(model).__name__)):
        model = getattr(model, inner)
    return model
