"""What is odd about a holdout's columns, in sentences. Pure.

It is no reason to refuse data, but a reader of the report and the bundle must know what was never seen.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

import numpy as np

from sealift_core.errors import first_few
from sealift_packager.model.source import Array, Arrays

#: With fewer rows, the holdout itself is so uncertain that only a large shift tells a device's rows from it.
MIN_ROWS: Final = 100
#: Wider arrays are no tables.
MAX_COLUMNS: Final = 512
_SHOWN: Final = 8


def describe_oddities(inputs: Arrays, columns: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Sentences on columns without a value, on constant ones, and on few rows; ``columns`` are an input's columns' names, where they have any.

    ``inputs`` are [rows] or [rows, columns]; of others only the rows count.
    """
    empty, constant = list[str](), list[str]()
    for name, values in _columns(inputs, columns):
        missing = _missing(values)
        if missing.all():
            empty.append(name)
        elif len(values) > 1 and not missing.any() and (values == values[0]).all():
            constant.append(name)
    rows = max((len(value) for value in inputs.values() if value.ndim), default=0)
    sentences = (
        f"No row of the data has a value in {_named(empty)}: values there were not evaluated, and devices can't detect drift in it." if empty else "",
        f"All rows of the data have the same value in {_named(constant)}: a device reports any other value as out of range." if constant else "",
        f"The data have {rows} rows; drift needs at least {MIN_ROWS} (min_rows). With fewer, a device notices only large shifts."
        if 0 < rows < MIN_ROWS
        else "",
    )
    return tuple(sentence for sentence in sentences if sentence)


def describe_unknown(inputs: Arrays, categories: Mapping[str, Sequence[Array | None]], of_words: Collection[str] = ()) -> tuple[str, ...]:
    """Sentences on columns of text with values that the model's encoders know by another case or other spaces only, or that they all don't know.

    ``categories`` are those that they know, by input and column. Single unknown values are what a model must take. The inputs ``of_words`` are texts
    of which the categories are words, and no text is one of them.
    """
    sentences = []
    for name, known_by_column in categories.items():
        values = None if name in of_words else inputs.get(name)
        if values is None or values.dtype.kind != "O" or len(known_by_column) != 1 or known_by_column[0] is None:
            continue
        known = {str(value) for value in known_by_column[0].tolist()}
        there = {str(value) for value in values.ravel().tolist()} - {""}
        folded = {value.strip().casefold(): value for value in known}
        close = [(value, folded[value.strip().casefold()]) for value in sorted(there - known) if value.strip().casefold() in folded]
        if close:
            shown = ", ".join(f"{value!r} for {other!r}" for value, other in close[:_SHOWN])
            sentences.append(f"Warning: values of {name} differ from the model's categories by case or spaces only, and count as unknown: {shown}.")
        elif there and not there & known:
            shown = ", ".join(map(repr, sorted(there)[:_SHOWN]))
            sentences.append(f"Warning: the model knows no value of {name} ({shown}); it knows {', '.join(map(repr, sorted(known)[:_SHOWN]))}.")
    return tuple(sentences)


def _columns(inputs: Arrays, columns: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, Array]]:
    """Each column with its name."""
    for name, value in inputs.items():
        width = value.size // len(value) if value.ndim and len(value) else 0
        if not 0 < width <= MAX_COLUMNS or value.ndim > 2:
            continue
        names = columns.get(name, ()) or ([name] if width == 1 else [f"{name}[{at}]" for at in range(width)])
        yield from zip(names, value.reshape(len(value), width).T, strict=False)


def _missing(values: Array) -> Array:
    if values.dtype.kind == "f":
        return np.isnan(values)
    return values == "" if values.dtype.kind == "O" else np.zeros(len(values), dtype=bool)


def _named(names: Sequence[str]) -> str:
    return f"the column{'' if len(names) == 1 else 's'} {first_few(names, _SHOWN)}"
