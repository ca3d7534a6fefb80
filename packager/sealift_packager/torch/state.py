"""torch weights alone (``.pt``, ``.pth``, ``.safetensors``) with the function that builds the module around them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sealift_packager.errors import SourceModelError
from sealift_packager.model import detect
from sealift_packager.model.dynamic import OPTION, Dynamic, free_axes, from_function
from sealift_packager.model.source import Arrays, LoadOptions, SourceModel
from sealift_packager.plugins.functions import load_callable, sibling
from sealift_packager.torch.checkpoint import choose_weights, same_values
from sealift_packager.torch.common import as_arrays, forward_inputs, import_torch, pick_rows, traced_source
from sealift_packager.torch.weights_file import read_weights
from sealift_packager.torch.wrapped import bare_module

EXAMPLES = "example_inputs"
SHAPES = "dynamic_shapes"


def load_state(path: Path, options: LoadOptions) -> SourceModel:
    """Build the module with the factory and load its weights.

    Example inputs come from the data or from the factory's module, which may have a function ``example_inputs``; what is free beside the batch
    from ``--dynamic`` or from a function ``dynamic_shapes`` there.
    """
    torch = import_torch(path)
    checkpoint = read_weights(torch, path, trusted=options.trust_pickle)
    if not options.factory:
        what = "a pickled module is read for its state_dict() alone" if isinstance(checkpoint, torch.nn.Module) else "weights alone are not a model"
        advice = "Pass --factory module:function (or file.py:function), a function that returns the nn.Module; or export a .pt2."
        raise SourceModelError(what, where=str(path), advice=advice)
    factory = load_callable(options.factory, where="--factory", error=SourceModelError)
    module = _fill(torch, _build(torch, factory, options.factory), checkpoint, options, path)
    rows = _rows(module, factory, options)
    return traced_source(detect.TORCH_STATE, torch, module, rows, functools.partial(_free, factory, options), path)


def _free(factory: Callable[..., Any], options: LoadOptions, examples: Arrays) -> Dynamic:
    hint = None if options.dynamic else sibling(factory, SHAPES)
    if hint is None:
        return free_axes(options.dynamic, examples, where=OPTION)
    where = f"{options.factory}: {SHAPES}()"
    return free_axes(from_function(hint(), where=where), examples, where=where)


def _build(torch: Any, factory: Callable[..., Any], reference: str) -> Any:
    try:
        module = bare_module(factory())
    except Exception as error:  # the user's own function
        message, advice = (
            f"the factory failed (caused by: {type(error).__name__}: {error})",
            "Call it in Python first, without arguments: it must return the nn.Module.",
        )
        raise SourceModelError(message, where=f"--factory {reference}", advice=advice) from error
    if not isinstance(module, torch.nn.Module):
        raise SourceModelError("the factory returns no module", where=f"--factory {reference}", expected="an nn.Module", found=type(module).__name__)
    return module.eval()


def _fill(torch: Any, module: Any, checkpoint: Any, options: LoadOptions, path: Path) -> Any:
    """The module with the file's weights; in float64 where these have digits that the module's float32 would lose."""
    where = str(path)
    expected = {name: value for name, value in module.state_dict(keep_vars=True).items() if isinstance(value, torch.Tensor)}
    weights = choose_weights(checkpoint, expected, _tied(expected), key=options.state_key, allow_extra=options.allow_extra, where=where)
    if any(_loses(torch, value, expected[name]) for name, value in weights.items()):
        module = module.double()
    module.load_state_dict(weights, strict=False)  # what may be missing was decided above
    loaded = module.state_dict()
    changed = next((name for name, value in weights.items() if not same_values(loaded[name], value.to(loaded[name].dtype))), None)
    if changed is not None:
        others = ", ".join(_tied(expected).get(changed, ()))
        raise SourceModelError(
            "the module holds one weight under several names, for which the file has different values",
            where=f"{path}: {changed}",
            found=f"also {others}" if others else None,
            advice="Let --factory build the module that was trained, where they are separate weights.",
        )
    return module


def _loses(torch: Any, value: Any, parameter: Any) -> bool:
    lossy = value.dtype == torch.float64 and parameter.dtype == torch.float32
    return lossy and not same_values(value, value.float().double())


def _tied(tensors: Mapping[str, Any]) -> dict[str, list[str]]:
    """By name the other names of the same tensor."""
    groups: dict[Any, list[str]] = {}
    for name, value in tensors.items():
        if "Uninitialized" not in type(value).__name__ and value.numel():
            groups.setdefault((value.data_ptr(), value.shape, value.stride()), []).append(name)
    return {name: [other for other in names if other != name] for names in groups.values() if len(names) > 1 for name in names}


def _rows(module: Any, factory: Callable[..., Any], options: LoadOptions) -> Arrays:
    names, required = forward_inputs(module)
    rows = pick_rows(options.examples, names, required)
    if rows is not None:
        return rows
    hint = sibling(factory, EXAMPLES)
    if hint is None:
        raise SourceModelError(
            "no example inputs",
            where=f"--factory {options.factory}",
            expected=f"data with arrays named {', '.join(required or names)}",
            found=", ".join(options.examples) or "no data",
            advice=f"Or add a function {EXAMPLES}() to the factory's module that returns them by name.",
        )
    return as_arrays(hint(), names, where=f"{options.factory}: {EXAMPLES}()")
