"""Long lists of numbers in JSON, read in slices. Pure.

A parser keeps every other thread of the process from running while it works, so it never gets more than a slice at once. As no text is in
such a list, every comma in it separates two values:

1. A list of numbers is cut out of the body: from the bracket after ``"data":`` to the last one before a quote or a brace. What is left is
   parsed as a whole, and has a word of our own in place of the list.
2. There are as many values as the tensor's shape says, which is how many commas there are and one.
3. A nested list is nested just as the shape says; then its brackets say nothing more.
4. Slices between two commas are parsed, checked and converted, one after the other, into one array.
"""

from __future__ import annotations

import itertools
import math
import re
import secrets
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

import numpy as np

from sealift_core.bundle.golden import Array
from sealift_core.bundle.shapes import refuse
from sealift_core.bundle.tensors import TensorSpec
from sealift_core.schema.strict_json import JsonBudget
from sealift_runtime.serving.values import from_json

#: A shorter list is parsed with all the rest.
RUN_BYTES: Final = 64 * 1024
#: So many lists are looked at; no model has as many inputs.
MAX_LISTS: Final = 10_000
#: What is parsed, or looked through, at once.
SLICE_BYTES, LOOK_BYTES = 64 * 1024, 2**20
_DATA: Final = b'"data"'
_OPENING: Final = re.compile(rb'"data"[ \t\n\r]{0,1000}:[ \t\n\r]{0,1000}\[')
_ENDS: Final = (b'"', b"{", b"}")
_BLANK_BRACKETS: Final = bytes.maketrans(b"[]", b"  ")
_VALUES: Final = bytes(set(range(256)) - set(b"[],"))


class NumberRun(NamedTuple):
    """A list of numbers in a body: ``body[start]`` is its first bracket, ``body[stop - 1]`` its last."""

    body: bytes | bytearray
    start: int
    stop: int


def cut_out(body: bytes | bytearray) -> tuple[bytes | bytearray, dict[str, NumberRun]]:
    """A body's JSON without its long lists of numbers, and those by the word that stands in their place."""
    pieces: list[bytes] = []
    runs: dict[str, NumberRun] = {}
    at, view = 0, memoryview(body)
    for start in itertools.islice(_openings(body), MAX_LISTS):
        stop = body.rfind(b"]", start, _end(body, start)) + 1
        if stop - start < RUN_BYTES:
            continue
        word = secrets.token_hex(16)
        runs[word] = NumberRun(body, start, stop)
        pieces += [bytes(view[at:start]), b'"%b"' % word.encode()]
        at = stop
    return (b"".join((*pieces, view[at:])) if runs else body), runs


def _openings(body: bytes | bytearray) -> Iterator[int]:
    """Where lists begin that are called data."""
    for at in range(0, len(body), LOOK_BYTES):
        stop = min(len(body), at + LOOK_BYTES + len(_DATA) - 1)  # a name that the border cuts is seen once
        while (at := body.find(_DATA, at, stop)) >= 0:
            if opening := _OPENING.match(body, at):
                yield opening.end() - 1
            at += 1


def _end(body: bytes | bytearray, start: int) -> int:
    """Where a list of numbers that begins at ``start`` has ended, at the latest.

    Quotes are looked for first: the next list's name has some, so that all lists together are looked through once.
    """
    for at in range(start, len(body), LOOK_BYTES):
        border = stop = at + LOOK_BYTES
        for mark in _ENDS:
            end = body.find(mark, at, stop)
            stop = end if end >= 0 else stop
        if stop < border:
            return stop
    return len(body)


def read_numbers(
    spec: TensorSpec, shape: tuple[int, ...], run: NumberRun, budget: JsonBudget, loads: Callable[[bytes], Any], hold: Callable[[int], None]
) -> Array:
    """The array in a list of numbers; `RequestError`, or `LimitError` above the budget. ``hold`` is told how many bytes it is about to take."""
    commas = _count(run, b",")
    budget.compare(commas + 1, _count(run, b"["), where="body", advice="Send data as a flat list (shape says how it is nested), or as binary data.")
    size = math.prod(shape)
    if commas + 1 != size:
        refuse(spec, "data and shape don't match", f"{size} values for shape {list(shape)}", f"{commas + 1} values")
    nested = run.body.find(b"[", run.start + 1, run.stop) >= 0
    if nested:
        hold(size)
        if _structure(run) != _nested(shape):
            refuse(spec, "data isn't nested as shape says", f"a flat list or {list(shape)}", "a list that is nested otherwise")
    if spec.dtype == "string":
        refuse(spec, "wrong type of values", "strings for BYTES", "numbers")
    dtype = np.dtype(spec.dtype)
    hold(size * dtype.itemsize)
    array, filled = np.empty(size, dtype), 0
    for piece in _slices(run, nested=nested):
        values = loads(piece)
        if not values or filled + len(values) > size:
            refuse(spec, "data is irregular", "a value before and behind each comma", "something else")
        array[filled : filled + len(values)] = from_json(spec, (len(values),), values, booleans=b"true" in piece or b"false" in piece)
        filled += len(values)
    if filled != size:
        refuse(spec, "data is irregular", "a value before and behind each comma", "something else")
    return array.reshape(shape)


def _slices(run: NumberRun, *, nested: bool) -> Iterator[bytes]:
    """A list in slices, each a flat list."""
    at, stop = run.start + 1, run.stop - 1
    while at <= stop:
        comma = run.body.find(b",", min(at + SLICE_BYTES, stop), stop)
        end = stop if comma < 0 else comma
        values = bytes(run.body[at:end])
        yield b"[%b]" % (values.translate(_BLANK_BRACKETS) if nested else values)
        at = end + 1


def _count(run: NumberRun, mark: bytes) -> int:
    return sum(run.body.count(mark, at, min(at + LOOK_BYTES, run.stop)) for at in range(run.start, run.stop, LOOK_BYTES))


def _structure(run: NumberRun) -> bytes:
    """The brackets and commas of a list."""
    slices = (run.body[at : min(at + LOOK_BYTES, run.stop)] for at in range(run.start, run.stop, LOOK_BYTES))
    return b"".join(part.translate(None, _VALUES) for part in slices)


def _nested(shape: tuple[int, ...]) -> bytes:
    """The brackets and commas of a list that is nested as a shape says."""
    text = b""
    for size in reversed(shape):
        text = b"[" + b",".join([text] * size) + b"]"
    return text
