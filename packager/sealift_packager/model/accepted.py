"""What requests a model accepts, where not every size and value will do: as somebody says with ``--shape``, or as was found by asking. Pure."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from sealift_core.bundle.tensors import TensorSpec
from sealift_core.errors import nearest
from sealift_packager.errors import SourceModelError

Array = np.ndarray[Any, np.dtype[Any]]

OPTION: Final = "--shape"
#: The name of an array whose file has none.
UNNAMED: Final = ""
FORM: Final = "INPUT:AXIS=SIZES with sizes such as 576, 576,1024, 32..640 (a range), *32 (multiples) or 32..640*32, or INPUT=VALUE such as sr=16000"
#: Of a range or of multiples without end, so many sizes are tried.
_TRIED: Final = 3
_MAX_SIZES: Final = 16
_MAX_SIZE: Final = 2**31 - 1
_TERM: Final = re.compile(r"(?P<one>\d{1,10})|((?P<low>\d{1,10})\.\.(?P<high>\d{1,10}))?(\*(?P<step>\d{1,10}))?")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """Requests that a model is known to answer.

    Attributes:
        sizes: Those of a free dimension that are tried, by its symbol, the usual one first; nothing for a symbol that takes any.
        values: Those of an input that isn't data but a choice (such as a sampling rate), by its name, the usual one first.
        examples: Whole requests that somebody gave.
        tried: What a search that found nothing tried, in words.
    """

    sizes: Mapping[str, tuple[int, ...]] = dataclasses.field(default_factory=dict)
    values: Mapping[str, tuple[float, ...]] = dataclasses.field(default_factory=dict)
    examples: tuple[Mapping[str, Array], ...] = ()
    tried: str = ""

    def size_of(self, symbol: str, otherwise: int, *, number: int = 0) -> int:
        """The usual size of a free dimension, or another one: that with this number, counted round."""
        sizes = self.sizes.get(symbol, ())
        return sizes[number % len(sizes)] if sizes else otherwise

    def __str__(self) -> str:
        """What was compared, in a sentence; empty where anything is accepted."""
        sizes = [f"{symbol} of {_joined(sizes)}" for symbol, sizes in self.sizes.items()]
        values = [f"{name} of {_joined(values)}" for name, values in self.values.items()]
        others = " and ".join(word for word, compared in (("sizes", sizes), ("values", values)) if compared)
        return f"The model was compared with {', '.join((*sizes, *values))}. Other {others} were not tried." if others else ""


def _joined(numbers: Sequence[float]) -> str:
    *first, last = (f"{number:.17g}" for number in numbers)
    return f"{', '.join(first)} and {last}" if first else last


ANYTHING: Final = Accepted()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One ``--shape``: what stands left of the equals sign, and the numbers that are meant."""

    place: str
    numbers: tuple[float, ...]
    text: str


def parse_shapes(texts: Sequence[str]) -> tuple[Shape, ...]:
    """What ``--shape`` says; `SourceModelError` for what says nothing."""
    return tuple(map(_parse, texts))


def _parse(text: str) -> Shape:
    place, equals, right = text.rpartition("=")
    if not (place and equals):
        raise _malformed(text)
    numbers = tuple(dict.fromkeys(number for term in right.split(",") for number in _numbers(term.strip(), text)))
    if len(numbers) > _MAX_SIZES:
        raise SourceModelError("too many sizes", where=f"{OPTION} {text}", expected=f"at most {_MAX_SIZES}", found=str(len(numbers)))
    return Shape(place=place, numbers=numbers, text=text)


def _numbers(term: str, text: str) -> Iterable[float]:
    match = _TERM.fullmatch(term)
    if match is None or not term:
        return (_value(term, text),)
    if match["one"]:
        return (float(match["one"]),)
    step = int(match["step"] or 1)
    if not match["low"] and match["step"] and step:
        return tuple(float(step * times) for times in range(1, _TRIED + 1))
    if not step or not match["low"]:
        raise _malformed(text)
    low, high = -(-int(match["low"]) // step) * step, int(match["high"]) // step * step
    if low > high:
        raise SourceModelError("an empty range of sizes", where=f"{OPTION} {text}", expected=FORM, found=term)
    return float(low), float((low + high) // 2 // step * step), float(high)


def _value(term: str, text: str) -> float:
    """A number that is no size, such as -1 or 0.5."""
    try:
        return float(term)
    except ValueError as error:
        raise _malformed(text) from error


def _malformed(text: str) -> SourceModelError:
    return SourceModelError("not a shape", where=OPTION, expected=FORM, found=repr(text))


def resolve(shapes: Sequence[Shape], specs: Sequence[TensorSpec]) -> tuple[dict[tuple[str, int], tuple[int, ...]], dict[str, tuple[float, ...]]]:
    """The sizes by input and axis, and the values by input; `SourceModelError` for an input, an axis or a number that there can't be."""
    by_name = {spec.name: spec for spec in specs}
    sizes: dict[tuple[str, int], tuple[int, ...]] = {}
    values: dict[str, tuple[float, ...]] = {}
    for shape in shapes:
        if shape.place in by_name:
            values[shape.place] = _fitting_values(shape, by_name[shape.place])
            continue
        name, _, axis = shape.place.rpartition(":")
        if name not in by_name or not axis.isascii() or not axis.isdigit():
            names = list(by_name)
            found = repr(name or shape.place)
            raise SourceModelError(
                "no such input", where=f"{OPTION} {shape.text}", expected=f"one of {', '.join(names)}", found=found, advice=nearest(name, names)
            )
        sizes[name, int(axis)] = _fitting_sizes(shape, by_name[name], int(axis))
    return sizes, values


def _fitting_values(shape: Shape, spec: TensorSpec) -> tuple[float, ...]:
    kind = spec.numpy_dtype.kind
    whole = kind == "f" or all(number.is_integer() for number in shape.numbers)
    if kind not in "iufb" or not whole:
        raise SourceModelError("a value that this input doesn't take", where=f"{OPTION} {shape.text}", expected=f"{spec.dtype} numbers")
    if kind in "iu":
        limits = np.iinfo(spec.numpy_dtype)
        if not all(limits.min <= number <= limits.max for number in shape.numbers):
            raise SourceModelError("a value out of range", where=f"{OPTION} {shape.text}", expected=f"{spec.dtype}: {limits.min} to {limits.max}")
    return shape.numbers


def _fitting_sizes(shape: Shape, spec: TensorSpec, axis: int) -> tuple[int, ...]:
    where = f"{OPTION} {shape.text}"
    if axis >= len(spec.shape):
        raise SourceModelError("no such axis", where=where, expected=f"an axis of a tensor {list(spec.shape)}", found=str(axis))
    if not all(number.is_integer() and 0 < number <= _MAX_SIZE for number in shape.numbers):
        raise SourceModelError("not a size", where=where, expected="whole numbers from 1 up", found=shape.text.rpartition("=")[2])
    sizes = tuple(int(number) for number in shape.numbers)
    declared = spec.shape[axis]
    if isinstance(declared, int) and sizes != (declared,):
        found = ", ".join(map(str, sizes))
        raise SourceModelError("the model fixes this dimension", where=where, expected=str(declared), found=found, advice="Leave the option out.")
    if axis == 0 and len(sizes) > 1:
        advice = "Leave the option out if the model takes any number of rows."
        raise SourceModelError("several batch sizes", where=where, expected="one size for a model that takes only that", advice=advice)
    return sizes
