"""TorchScript whose forward takes more than tensors: numbers, lists and texts become constants, by an example or by their defaults."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from sealift_packager.errors import SourceModelError
from sealift_packager.model.source import Array, Arrays

_TENSORS: Final = ("Tensor", "Optional[Tensor]")
_OPTIONAL: Final = re.compile(r"Optional\[(.*)\]")
_LIST: Final = re.compile(r"List\[(.*)\]")
#: Types of constants, each with what makes one of an array's element, and the kinds of numpy that it may come from.
_CONSTANTS: Final[Mapping[str, tuple[Callable[[Any], Any], str]]] = {
    "int": (int, "iu"),
    "float": (float, "iuf"),
    "bool": (bool, "b"),
    "str": (str, "OU"),
}


_KINDS: Final = {"i": "a whole number", "u": "a whole number", "f": "a number with decimals", "b": "a truth value", "O": "text", "U": "text"}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Arguments:
    """What a forward takes: names of tensors in its order, those of them that it needs, and by name the constants that it gets."""

    tensors: tuple[str, ...]
    required: tuple[str, ...]
    constants: Mapping[str, Any]
    only_tensors: bool


def read_arguments(module: Any, requests: Sequence[Arrays], path: Path) -> Arguments:
    """The arguments of a TorchScript module's forward; `SourceModelError` for one that is neither a tensor nor has a value."""
    if not hasattr(module, "forward"):
        raise SourceModelError("TorchScript without a forward", where=str(path), expected="a module with a forward")
    arguments = list(module.forward.schema.arguments)[1:]
    tensors = [argument for argument in arguments if str(argument.type) in _TENSORS]
    constants = {}
    for argument in arguments:
        if argument in tensors:
            continue
        given = [request[argument.name] for request in requests if argument.name in request]
        if given:
            constants[argument.name] = _constant(given, str(argument.type), f"{path}: {argument.name}")
        elif not argument.has_default_value():
            raise _not_bound(str(argument.type), f"{path}: {argument.name}", argument.name)
    return Arguments(
        tensors=tuple(argument.name for argument in tensors),
        required=tuple(argument.name for argument in tensors if not argument.has_default_value()),
        constants=constants,
        only_tensors=len(tensors) == len(arguments),
    )


def bind_arguments(torch: Any, module: Any, arguments: Arguments, given: Sequence[str]) -> Any:
    """A module that takes the ``given`` tensors alone; the same one where it takes nothing else."""
    if arguments.only_tensors and tuple(given) == arguments.tensors:
        return module
    holder = torch.nn.Module()
    holder.inner = module
    bound = torch.jit.script(holder.eval())
    passed = [*(f"{name}={name}" for name in given), *(f"{name}={value!r}" for name, value in arguments.constants.items())]
    bound.define(f"def forward(self, {', '.join(given)}):\n    return self.inner({', '.join(passed)})\n")
    return bound


def _constant(given: Sequence[Array], type_name: str, where: str) -> Any:
    """The value that all examples have, as TorchScript's type of it."""
    name = match[1] if (match := _OPTIONAL.fullmatch(type_name)) else type_name
    element = match[1] if (match := _LIST.fullmatch(name)) else name
    make, kinds = _CONSTANTS.get(element, (None, ""))
    value = np.asarray(given[0])
    if make is None:
        raise _not_bound(type_name, where, where.rpartition(" ")[2])
    if value.dtype.kind not in kinds or value.ndim != (element != name):
        message = f"the example's value for {where.rpartition(' ')[2]} has another type"
        raise SourceModelError(message, where=where, expected=type_name, found=_described(value))
    other = next((other for other in given[1:] if not np.array_equal(value, other)), None)
    if other is not None:
        raise SourceModelError(
            "the examples give different values for an argument that becomes a constant",
            where=where,
            expected="one value",
            found=f"{value.tolist()!r:.40} and {other.tolist()!r:.40}",
            advice="Pack the model once for each value.",
        )
    items = [make(item) for item in value.ravel().tolist()]
    if any(isinstance(item, float) and not math.isfinite(item) for item in items):
        raise SourceModelError("a constant that isn't finite", where=where, expected="a finite number")
    return items if element != name else items[0]


def _described(value: Array) -> str:
    if value.ndim:
        return "a list" if value.ndim == 1 else "lists within lists"
    return _KINDS.get(value.dtype.kind, str(value.dtype))


def _not_bound(type_name: str, where: str, name: str) -> SourceModelError:
    known = type_name.removeprefix("Optional[").removeprefix("List[").partition("]")[0] in _CONSTANTS
    shown = "[3, 2]" if "List" in type_name else "3"
    value = f'Pass --example FILE with its value, such as {{"{name}": {shown}}} as .json: it becomes a constant of the bundle.'
    wrap = "Script a module whose forward takes each tensor as an argument of its own, and calls this one."
    advice = value if known else wrap
    return SourceModelError("an input is not a tensor", where=where, expected="tensors only", found=type_name, advice=advice)
