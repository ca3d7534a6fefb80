"""Rows of the data that the model itself can't answer: found, counted, and left out where they are few. Pure but for asking."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import numpy as np

from sealift_core.errors import first_few
from sealift_packager.errors import first_line
from sealift_packager.model.source import Array, Arrays

#: So many rows may be left out, as a share of all, but one in any case: beyond that, a score says too little of what devices will get.
SHARE: Final = 0.05
#: Finding each takes some requests.
MOST: Final = 256
_SHOWN_ROWS: Final = 10
_SHOWN_REASONS: Final = 3

Predict = Callable[[Arrays], Mapping[str, Array]]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """Rows of a file, by number, that one reason leaves out."""

    rows: tuple[int, ...]
    reason: str

    def __str__(self) -> str:
        return f"{_numbered(self.rows)}: {self.reason}"


def most_left_out(rows: int) -> int:
    """How many of so many rows may be left out; some row has to stay."""
    return min(max(int(rows * SHARE), 1), rows - 1, MOST)


def missing_rows(arrays: Arrays) -> Array:
    """Of arrays [rows, …] the rows with a NaN: whether, by row."""
    found = np.zeros(len(next(iter(arrays.values()), ())), dtype=bool)
    for value in arrays.values():
        if value.dtype.kind == "f":
            found |= np.isnan(value).reshape(len(value), -1).any(axis=1)
    return found


def refused_rows(predict: Predict, inputs: Arrays, most: int | None = None) -> tuple[LeftOut, ...]:
    """The rows that a source refuses, found by halves: the first of them if they are many, ``most``, or one more than may be left out.

    None at all if no single row is at fault.
    """
    rows = len(next(iter(inputs.values())))
    refused: dict[str, list[int]] = {}
    for row, error in itertools.islice(_refused(predict, inputs, range(rows)), most_left_out(rows) + 1 if most is None else most):
        refused.setdefault(f"caused by: {type(error).__name__}: {first_line(error):.200}", []).append(row)
    return tuple(LeftOut(rows=tuple(at), reason=reason) for reason, at in refused.items())


def are_few(parts: Sequence[LeftOut], rows: int) -> bool:
    """Whether these are some rows, and no more than may be left out."""
    return 0 < sum(len(part.rows) for part in parts) <= most_left_out(rows)


def describe_many(parts: Sequence[LeftOut], rows: int) -> str:
    """How many rows are refused where they are too many, and the first ones; empty if no single row is at fault."""
    numbers = sorted(row for part in parts for row in part.rows)
    amount = "all" if len(numbers) == rows else f"more than {most_left_out(rows)} of {rows}"
    return f"{amount} rows, such as {_numbered(numbers[:_SHOWN_REASONS])}" if numbers else ""


def _refused(predict: Predict, inputs: Arrays, rows: range) -> Iterator[tuple[int, Exception]]:
    try:
        predict({name: value[rows.start : rows.stop] for name, value in inputs.items()})
    except Exception as error:  # noqa: BLE001  # whatever framework it is; who asks for all rows says it if no row is at fault
        if len(rows) == 1:
            yield rows.start, error
            return
        middle = len(rows) // 2
        yield from _refused(predict, inputs, rows[:middle])
        yield from _refused(predict, inputs, rows[middle:])


def describe_left_out(parts: Sequence[LeftOut], total: int, where: str) -> tuple[str, ...]:
    """A sentence, if rows were left out: how many of ``total``, which, and why."""
    numbers = sorted(row for part in parts for row in part.rows)
    if not numbers:
        return ()
    reasons = "; ".join(map(str, parts[:_SHOWN_REASONS]))
    more = "; …" if len(parts) > _SHOWN_REASONS else ""
    return (f"{len(numbers)} of {total} rows of {where} can't be answered by the model itself, and were left out ({reasons}{more}).",)


def _numbered(rows: Sequence[int]) -> str:
    return f"row{'s' if len(rows) > 1 else ''} {first_few([str(row) for row in rows], _SHOWN_ROWS, counted=False)}"
