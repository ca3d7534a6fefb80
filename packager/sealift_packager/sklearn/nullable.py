"""The columns of numbers that a scikit-learn model answers without: found by asking it, for imputers may stand in single columns."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np

from sealift_core.bundle.tensors import TensorSpec
from sealift_packager.model.categories import first_steps_by_column, known_categories
from sealift_packager.model.source import Array, Arrays, Nullable
from sealift_packager.progress.quiet import quiet
from sealift_packager.sandbox.activity import ANSWERING, during
from sealift_packager.sklearn.input_layout import InputLayout

#: Columns that are asked about together, a row for each.
_TOGETHER: Final = 256
#: Of columns that the same steps take, so many are asked about alone before all of them count as such that may not be missing.
_SINGLE: Final = 8
#: So many rows without gaps are drawn of each kind, and so many that it answers are kept.
_DRAWN: Final = 4
_KEPT: Final = 2


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NullableColumns:
    """The numbers of the columns, and rows that the model answers: the values [rows] of each column, numbers as float64."""

    columns: frozenset[int]
    rows: tuple[Array, ...]

    def of_inputs(self, inputs: Sequence[TensorSpec]) -> Nullable:
        """The same by input, however the columns are arranged."""
        columns: dict[str, tuple[int, ...]] = {}
        rows: dict[str, Array] = {}
        first = 0
        for spec in inputs:
            width = int(spec.shape[1])
            columns[spec.name] = tuple(at for at in range(width) if first + at in self.columns)
            if self.rows:
                rows[spec.name] = np.stack(self.rows[first : first + width], axis=1).astype(spec.numpy_dtype)
            first += width
        return Nullable(columns=columns, rows=rows)


def nullable_columns(model: Any, layout: InputLayout, usual: Array | None, examples: Arrays) -> NullableColumns:
    """Ask a model that takes a table about each of its columns of numbers, beside usual values in the others.

    Args:
        model: The fitted model.
        layout: How it takes its rows.
        usual: Rows [rows, columns] like those that it was fitted on, where they are known.
        examples: The data's columns, by name.
    """
    numbers = [at for at, spec in enumerate(_by_column(layout.inputs)) if spec.numpy_dtype.kind == "f"]
    kept: list[tuple[Array, ...]] = []
    for row in _rows(model, layout, usual, examples) if numbers else ():
        if _answers(model, layout, row, []):
            kept.append(row)
        if len(kept) == _KEPT:
            break
    if not kept:
        return NullableColumns(columns=frozenset(), rows=())
    rows = tuple(np.concatenate(values) for values in zip(*kept, strict=True))
    return NullableColumns(columns=frozenset(_answered(model, layout, kept[0], numbers)), rows=rows)


def _answered(model: Any, layout: InputLayout, row: tuple[Array, ...], numbers: Sequence[int]) -> Iterator[int]:
    """The columns without which it answers this row: all that the same steps take if it does so without each of them, else found by halves."""
    for columns in _alike(model, layout, numbers):
        single = columns[:: -(-len(columns) // _SINGLE)]
        if _answers(model, layout, row, columns):
            yield from columns
        elif len(columns) > 1 and any(_answers(model, layout, row, [column]) for column in single):
            yield from _by_halves(model, layout, row, columns)


def _by_halves(model: Any, layout: InputLayout, row: tuple[Array, ...], columns: Sequence[int]) -> Iterator[int]:
    middle = len(columns) // 2
    for half in (columns[:middle], columns[middle:]):
        if _answers(model, layout, row, half):
            yield from half
        elif len(half) > 1:
            yield from _by_halves(model, layout, row, half)


def _alike(model: Any, layout: InputLayout, numbers: Sequence[int]) -> Iterator[list[int]]:
    """The columns that the same steps take in the same way, at most `_TOGETHER` at once."""
    taken: dict[int, list[tuple[int, bool]]] = {column: [] for column in numbers}
    width = sum(int(spec.shape[1]) for spec in layout.inputs)
    for step, columns in first_steps_by_column(model, list(layout.names), list(range(width))):
        for at, column in enumerate(columns):
            if column in taken:
                taken[column].append((id(step), _knows_gaps(step, at, len(columns), layout.names[column] if layout.names else "")))
    groups: dict[tuple[tuple[int, bool], ...], list[int]] = {}
    for column, steps in taken.items():
        groups.setdefault(tuple(steps), []).append(column)
    for group in groups.values():
        yield from (group[at : at + _TOGETHER] for at in range(0, len(group), _TOGETHER))


def _knows_gaps(step: Any, at: int, width: int, name: str) -> bool:
    """Whether a step does something else with a gap in this column of its own than in others."""
    categories = getattr(step, "categories_", ())
    known = np.asarray(categories[at], dtype=object).tolist() if len(categories) == width else []
    marked = getattr(step, "features_", ()) if type(step).__name__ == "MissingIndicator" else ()
    return any(value is None or value != value for value in known) or at in marked or name in getattr(step, "variables_", ())


def _rows(model: Any, layout: InputLayout, usual: Array | None, examples: Arrays) -> Iterator[tuple[Array, ...]]:
    """Single rows without gaps, the likeliest first: with values that encoders know where there are any, and positive ones for logarithms."""
    wide = [dataclasses.replace(spec, dtype="float64") if spec.numpy_dtype.kind == "f" else spec for spec in layout.inputs]
    categories = known_categories(model, layout.names, wide)
    specs = _by_column(wide)
    known = [values for spec in wide for values in categories.get(spec.name, (None,) * int(spec.shape[1]))]
    fixed = [
        _text(examples.get(spec.name)) if values is None and spec.dtype == "string" else values for spec, values in zip(specs, known, strict=True)
    ]
    random = np.random.default_rng(0).normal(size=(_DRAWN, len(specs)))
    drawn = random if usual is None else usual[:_DRAWN]
    for numbers in (*drawn, *np.abs(drawn), *np.abs(random), np.zeros(len(specs)), np.ones(len(specs))):
        yield tuple(np.array([number]) if values is None else values[:1] for number, values in zip(numbers, fixed, strict=True))


def _text(examples: Array | None) -> Array:
    """One text of the data; empty where there is none."""
    texts = [] if examples is None else [value for value in examples.ravel().tolist() if isinstance(value, str) and value]
    return np.array([*texts[:1], ""][:1], dtype=object)


def _by_column(inputs: Sequence[TensorSpec]) -> list[TensorSpec]:
    return [spec for spec in inputs for _ in range(int(spec.shape[1]))]


def _answers(model: Any, layout: InputLayout, row: tuple[Array, ...], missing: Sequence[int]) -> bool:
    """Whether it answers a row as it is, or so many of them, each without the number in one of these columns."""
    count = max(len(missing), 1)
    columns = [np.repeat(value, count) for value in row]
    for at, column in enumerate(missing):
        columns[column][at] = np.nan
    arrays, first = {}, 0
    for spec in layout.inputs:
        width = int(spec.shape[1])
        arrays[spec.name] = np.stack(columns[first : first + width], axis=1)
        first += width
    try:
        with quiet(), during(ANSWERING, rows=count):
            model.predict(layout.table(arrays))
    except Exception:  # noqa: BLE001  # whatever it says, it is a no
        return False
    return True
