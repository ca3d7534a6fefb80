"""torch weights alone (``.pt``, ``.pth``, ``.safetensors``) with the function that builds the module around them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sealift_packager.errors import SourceModelError, caused_by
from sealift_packager.model import detect
from sealift_packager.model.dynamic import OPTION, Dynamic, free_axes, from_function
from sealift_packager.model.source import Arrays, LoadOptions, SourceModel
from sealift_packager.plugins.functions import load_callable, sibling
from sealift_packager.torch.common import as_arrays, forward_inputs, import_torch, narrow, pick_examples, traced_source
from sealift_packager.torch.wrapped import bare_module, bare_names

EXAMPLES = "example_inputs"
SHAPES = "dynamic_shapes"


def load_state(path: Path, options: LoadOptions) -> SourceModel:
    """Build the module with the factory and load its weights.

    Example inputs come from the data or from the factory's module, which may have a function ``example_inputs``; what is free beside the batch
    from ``--dynamic`` or from a function ``dynamic_shapes`` there.
    """
    torch = import_torch(path)
    state = _read_state(torch, path)
    if not options.factory:
        advice = "Pass --factory module:function (or file.py:function), a function that returns the nn.Module; or export a .pt2."
        raise SourceModelError("weights alone are not a model", where=str(path), advice=advice)
    factory = load_callable(options.factory, where="--factory", error=SourceModelError)
    module = _build(torch, factory, options.factory)
    _fill(module, state, path)
    examples = dict(_examples(module, factory, options))
    free = _free(factory, options, examples)
    return traced_source(detect.TORCH_STATE, torch, module, examples, free, path)


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
            f"the factory failed ({caused_by(error)})",
            "Call it in Python first, without arguments: it must return the nn.Module.",
        )
        raise SourceModelError(message, where=f"--factory {reference}", advice=advice) from error
    if not isinstance(module, torch.nn.Module):
        raise SourceModelError("the factory returns no module", where=f"--factory {reference}", expected="an nn.Module", found=type(module).__name__)
    return module.eval()


def _read_state(torch: Any, path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            safetensors = file.read(9)[8:] == b"{"
        if safetensors:
            from safetensors.torch import load_file

            return dict(load_file(path))
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch and safetensors raise anything for a damaged or a pickled file
        raise SourceModelError(
            f"can't be read as weights ({caused_by(error)})",
            where=str(path),
            expected="a complete state dict: torch.save(model.state_dict(), …) or safetensors",
            advice="A pickled nn.Module is not read, because reading it runs code; save its state_dict() instead.",
        ) from error
    if isinstance(state, dict) and isinstance(state.get("state_dict"), dict):
        state = state["state_dict"]
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise SourceModelError("not a state dict", where=str(path), expected="names with tensors", found=type(state).__name__)
    return state


def _fill(module: Any, state: dict[str, Any], path: Path) -> None:
    expected = module.state_dict()
    state = bare_names(state, expected)
    missing, extra = sorted(set(expected) - set(state)), sorted(set(state) - set(expected))
    if missing or extra:
        difference = f"missing {', '.join(missing[:5]) or 'none'}; unexpected {', '.join(extra[:5]) or 'none'}"
        raise SourceModelError("the weights don't match the module", where=str(path), expected=f"{len(expected)} tensors", found=difference)
    for name, value in expected.items():
        if state[name].shape != value.shape:
            raise SourceModelError(
                "a weight has another shape than in the module",
                where=f"{path}: {name}",
                expected=str(list(value.shape)),
                found=str(list(state[name].shape)),
            )
    module.load_state_dict(state)


def _examples(module: Any, factory: Callable[..., Any], options: LoadOptions) -> Arrays:
    names, required = forward_inputs(module)
    examples = pick_examples(options.examples, names, required)
    if examples is not None:
        return examples
    hint = sibling(factory, EXAMPLES)
    if hint is None:
        raise SourceModelError(
            "no example inputs",
            where=f"--factory {options.factory}",
            expected=f"data with arrays named {', '.join(required or names)}",
            found=", ".join(options.examples) or "no data",
            advice=f"Or add a function {EXAMPLES}() to the factory's module that returns them by name.",
        )
    return {name: narrow(value) for name, value in as_arrays(hint(), names, where=f"{options.factory}: {EXAMPLES}()").items()}
