"""What torch.compile and data parallelism put around a module, and around the names of its weights: it says nothing of the model. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

#: Where each wrapper of torch holds what it wraps.
_HOLDS: Final = {"OptimizedModule": "_orig_mod", "DataParallel": "module", "DistributedDataParallel": "module"}
_COMPILED: Final = "_orig_mod."
_PARALLEL: Final = "module."


def bare_module(model: Any) -> Any:
    """The module within torch's own wrappers; anything else as it is."""
    while type(model).__module__.startswith("torch.") and (inner := _HOLDS.get(type(model).__name__)):
        model = getattr(model, inner)
    return model


def bare_names(state: Mapping[str, Any], expected: Collection[str]) -> dict[str, Any]:
    """The weights by the names that they have without wrappers, where these are the wanted ones; else as they are."""
    names = [name.replace(_COMPILED, "") for name in state]
    if all(name.startswith(_PARALLEL) for name in names):
        names = [name.removeprefix(_PARALLEL) for name in names]
    return dict(zip(names, state.values(), strict=True)) if set(names) == set(expected) else dict(state)
