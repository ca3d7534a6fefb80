"""torch weights alone (``.pt``, ``.pth``, ``.safetensors``) with the function that builds the module around them."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sealift_packager.errors import SourceModelError
from sealift_packager.model import detect
from sealift_packager.model.dynamic import OPTION, Dynamic, free_axes
from sealift_packager.model.source import Arrays, LoadOptions, SourceModel
from sealift_packager.torch.checkpoint import choose_weights, same_values
from sealift_packager.torch.common import forward_inputs, import_torch, pick_rows, traced_source, with_requests
from sealift_packager.torch.factory import EXAMPLES, Factory
from sealift_packager.torch.weights_file import read_weights


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
    factory = Factory(options.factory)
    module = _fill(torch, factory.build(torch), checkpoint, options, path)
    requests = _requests(module, factory, options)
    source = traced_source(detect.TORCH_STATE, torch, module, requests[0], functools.partial(_free, factory, options), path)
    source = dataclasses.replace(source, notes=factory.notes)
    return with_requests(source, {f"example {number}": request for number, request in enumerate(requests, 1)}) if len(requests) > 1 else source


def _free(factory: Factory, options: LoadOptions, examples: Arrays) -> Dynamic:
    said = None if options.dynamic else factory.free()
    axes, where = said or (options.dynamic, OPTION)
    return free_axes(axes, examples, where=where)


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


def _requests(module: Any, factory: Factory, options: LoadOptions) -> list[dict[str, Any]]:
    """The data's arrays, or the requests that the factory's module gives."""
    names, required = forward_inputs(module)
    rows = pick_rows(options.examples, names, required, options.target)
    if rows is not None:
        return [rows]
    requests = factory.examples(names)
    if not requests:
        raise SourceModelError(
            "no example inputs",
            where=factory.where,
            expected=f"data with arrays named {', '.join(required or names)}",
            found=", ".join(options.examples) or "no data",
            advice=f"Or add a function {EXAMPLES}() to the factory's module that returns them by name.",
        )
    return requests
