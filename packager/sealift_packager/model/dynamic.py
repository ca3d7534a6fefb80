"""Which dimensions of a torch model's inputs are free: by input and axis, a symbol; the same symbol is the same size. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sealift_core.errors import nearest
from sealift_packager.errors import SourceModelError
from sealift_packager.model.batch import BATCH
from sealift_packager.model.source import Array, Arrays

Dynamic = Mapping[str, Mapping[int, str]]

OPTION: Final = "--dynamic"
_FORM: Final = "INPUT:AXIS or INPUT:AXIS=SYMBOL, like ids:1=tokens"


def parse_dynamic(texts: Sequence[str]) -> dict[str, dict[int, str]]:
    """What ``--dynamic`` says; `SourceModelError` for what says nothing."""
    free: dict[str, dict[int, str]] = {}
    for text in texts:
        match = re.fullmatch(r"(?P<name>[^:=]+):(?P<axis>\d{1,2})(=(?P<symbol>[A-Za-z_]\w*))?", text)
        if match is None:
            raise SourceModelError("not a free dimension", where=OPTION, expected=_FORM, found=repr(text))
        axis = int(match["axis"])
        free.setdefault(match["name"], {})[axis] = match["symbol"] or f"{match['name']}_{axis}"
    return free


def from_function(values: Any, *, where: str) -> dict[str, dict[int, str]]:
    """What a factory's ``dynamic_shapes()`` gives: by input, the symbol of each free axis."""
    items = values.items() if isinstance(values, Mapping) else None
    if items is None or not all(
        isinstance(axes, Mapping) and all(isinstance(axis, int) and isinstance(symbol, str) for axis, symbol in axes.items()) for _, axes in items
    ):
        raise SourceModelError("not free dimensions", where=where, expected="by input's name {axis: symbol}, like {'ids': {1: 'tokens'}}")
    return {str(name): dict(axes) for name, axes in items}


def free_axes(chosen: Dynamic, examples: Arrays, *, where: str) -> dict[str, dict[int, str]]:
    """The free axes of each input, the batch among them; `SourceModelError` for an input or axis that there is not."""
    for name, axes in chosen.items():
        if name not in examples:
            raise SourceModelError(
                "no such input", where=where, expected=f"one of {', '.join(examples)}", found=repr(name), advice=nearest(name, list(examples))
            )
        wrong = [axis for axis in axes if not 0 <= axis < examples[name].ndim]
        if wrong:
            shape = list(examples[name].shape)
            raise SourceModelError("no such axis", where=f"{where}: {name}", expected=f"an axis of a tensor {shape}", found=str(wrong[0]))
    return {name: {0: BATCH, **chosen.get(name, {})} for name in examples}


def sizes_of(examples: Arrays, free: Dynamic) -> list[tuple[str, str, tuple[int | str, ...]]]:
    """Name, dtype and sizes of each input, free ones as their symbols."""
    return [(name, str(value.dtype), tuple(free[name].get(axis, size) for axis, size in enumerate(value.shape))) for name, value in examples.items()]


def resized(examples: Arrays, free: Dynamic, sizes: Mapping[str, int]) -> dict[str, Array]:
    """The examples with their free axes repeated or cut to these sizes."""
    result = {}
    for name, value in examples.items():
        for axis, symbol in free[name].items():
            value = value.take([at % value.shape[axis] for at in range(sizes[symbol])], axis=axis)
        result[name] = value
    return result


def example_sizes(examples: Arrays, free: Dynamic, *, least: int = 2) -> dict[str, int]:
    """The size of each symbol in the examples, and at least two: torch takes a size of 1 for a constant."""
    sizes: dict[str, int] = {}
    for name, axes in free.items():
        for axis, symbol in axes.items():
            sizes[symbol] = max(sizes.get(symbol, least), examples[name].shape[axis])
    sizes[BATCH] = least
    return sizes
