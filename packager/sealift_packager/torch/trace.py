"""torch.export around any module: inputs by name, outputs by name, chosen dimensions free."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, Final

from sealift_packager.errors import ConversionError
from sealift_packager.model.source import Arrays
from sealift_packager.progress.quiet import quiet
from sealift_packager.torch.common import named_outputs
from sealift_packager.torch.reason import fixed_sizes, reason, suggested_fixes
from sealift_packager.torch.recurrent import whole_recurrences

#: How often torch may narrow what is free: it names what it has found so far.
REFINEMENTS: Final = 3
_TRACEABLE: Final = (
    "See https://pytorch.org/docs/stable/export.html for what can be traced; packed sequences, and branches on values, can be packed as "
    "TorchScript (torch.jit.trace, torch.jit.script)"
)
_DEFERRED: Final = "prefer_deferred_runtime_asserts_over_guards"
_QUANTIZED: Final = "The module is already quantized. Pass the module as it was trained; Sealift chooses the precision."


def trace(module: Any, examples: Arrays, dynamic_shapes: Mapping[str, Any] | tuple[Any, ...], *, by_name: bool = True, advice: str = "") -> Any:
    """The exported program of a module that is in evaluation mode; `ConversionError` if torch can't trace it.

    Its inputs have the examples' names and order, its answer is a mapping by name. Free dimensions are torch's own notation, or symbols as text.
    """
    import torch

    tensors = tuple(torch.from_numpy(value) for value in examples.values())
    shapes = _dimensions(torch, dynamic_shapes, {})
    try:
        with quiet(), whole_recurrences():
            return _export(torch, _flat(torch, module, list(examples), by_name=by_name), tensors, shapes)
    except Exception as error:  # the user's forward and torch's tracing raise anything
        raise ConversionError(
            f"torch.export can't trace the module (caused by: {reason(error)})",
            where=type(module).__name__,
            expected="a forward that works for every size of its free dimensions, without branches that depend on values",
            advice=_QUANTIZED if _is_quantized(module) else f"{_TRACEABLE}; {advice}" if advice else f"{_TRACEABLE}.",
        ) from error


def _export(torch: Any, module: Any, tensors: tuple[Any, ...], shapes: Any) -> Any:
    """The program, its free dimensions within what the module takes where torch says what that is (512 positions, multiples of 4).

    What torch can't say it checks when the program runs.
    """
    from torch._dynamo.exc import UserError, UserErrorType

    options: dict[str, bool] = {}
    for _ in range(REFINEMENTS):
        try:
            return torch.export.export(module, tensors, dynamic_shapes=shapes, strict=False, **options)
        except UserError as error:
            fixes = suggested_fixes(error)
            if fixed_sizes(error) or error.error_type != UserErrorType.CONSTRAINT_VIOLATION:
                raise
            if fixes:
                shapes = torch.export.dynamic_shapes.refine_dynamic_shapes_from_suggested_fixes(fixes, shapes)
            elif _DEFERRED not in inspect.signature(torch.export.export).parameters:  # torch 2.5 can't leave checks to the program
                raise
            options = {} if fixes else {_DEFERRED: True}
    return torch.export.export(module, tensors, dynamic_shapes=shapes, strict=False, **options)


def _is_quantized(module: Any) -> bool:
    return any(".quantized." in f"{type(part).__module__}." for part in module.modules())


def _flat(torch: Any, module: Any, names: list[str], *, by_name: bool) -> Any:
    """A module whose forward takes ``names`` and gives a plain mapping of tensors.

    torch.export names inputs after the signature, and knows neither dataclasses nor every library's class as an answer.
    """

    def forward(*tensors: Any) -> dict[str, Any]:
        return named_outputs(module(**dict(zip(names, tensors, strict=True))) if by_name else module(*tensors))

    parameters = [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in names]
    forward.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    wrapper = torch.nn.Module()
    wrapper.module = module
    wrapper.forward = forward
    return wrapper


def _dimensions(torch: Any, value: Any, dimensions: dict[str, Any]) -> Any:
    """Dimensions for symbols given as text, each made once: the same symbol is the same size."""
    if isinstance(value, str):
        return dimensions.setdefault(value, torch.export.Dim(value, min=1))
    if isinstance(value, Mapping):
        return {key: _dimensions(torch, item, dimensions) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return type(value)(_dimensions(torch, item, dimensions) for item in value)
    return value
