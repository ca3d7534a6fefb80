"""Which columns of a table a model needs as float64: those whose digits beyond float32 change its answers on the user's own rows.

And which outputs: those whose answers differ by digits that float32 doesn't have.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Final

import numpy as np

from sealift_core.bundle.tensors import TensorSpec
from sealift_packager.data import refusal
from sealift_packager.errors import DataError
from sealift_packager.model.columns import FEATURES, joined, spread
from sealift_packager.model.drawn_rows import drawn_rows, rows_moved, rows_of, telling_rows
from sealift_packager.model.output_names import PREDICTION, by_role, roles_of
from sealift_packager.model.source import Array, Arrays, Digits, SourceModel, as_widened
from sealift_packager.model.synthetic import make_inputs
from sealift_packager.parity.compare import compare, spreads
from sealift_packager.trees.boundaries import boundary_rows

#: A tenth of what parity lets pass, which has to hold what the graph adds to it.
RTOL: Final = 1e-4
#: Rows of the holdout that the source is asked with, at most; some more with very many columns.
ROWS: Final = 16_384
#: Where there is no holdout.
SYNTHETIC_ROWS: Final = 256
#: With more columns that float32 rounds, they aren't tried one by one: all of them become float64.
TRIED: Final = 64


def with_digits(source: SourceModel, originals: Arrays | None) -> SourceModel:
    """The model with float64 inputs and outputs where its answers need them; as it is if they need none.

    Args:
        source: A model.
        originals: The data's own numbers by input, as `Holdout` has them; None without data, where the model's own rows take their place.

    Raises:
        DataError: If the source refuses the data.
    """
    if source.digits is None:
        return source
    more = source.digits.unless_shown if originals is None else frozenset[int]()
    if originals is None and source.usual.keys() == {spec.name for spec in source.inputs}:
        with contextlib.suppress(DataError):  # rows that are made up show nothing then
            return _widened(source, source.digits, source.usual, more)
    return _widened(source, source.digits, originals, more)


def _widened(source: SourceModel, digits: Digits, originals: Arrays | None, more: frozenset[int]) -> SourceModel:
    outputs = _wide_outputs(source, digits, originals)
    columns = wide_columns(digits.widen(frozenset(), outputs), originals) | more
    return as_widened(source, digits.widen(columns, outputs)) if columns or outputs else source


def _wide_outputs(source: SourceModel, digits: Digits, originals: Arrays | None) -> frozenset[str]:
    """The outputs whose numbers are so large beside what they differ by that float32 rounds that away."""
    if PREDICTION not in by_role(source.outputs):
        return frozenset()
    rows = _synthetic(source) if originals is None else rows_of(originals, drawn_rows(_count(originals), ROWS))
    try:
        answers = roles_of(digits.widen(frozenset(), frozenset((PREDICTION,))).predict(rows))
    except Exception as error:  # whatever framework it is
        if originals is not None:
            raise refusal.refused(source.framework, rows, error) from error
        return frozenset()  # of a synthetic request: parity has others
    return frozenset(name for name, varied in spreads(answers).items() if varied.lost and not _holds(answers[name]))


def _synthetic(source: SourceModel) -> Arrays:
    """Rows for a model without data: of trees those that stand beside its thresholds, for others reach few leaves."""
    made = make_inputs(source.inputs, rows=SYNTHETIC_ROWS, seed=0)
    if source.trees is None:
        return made
    return spread(next(boundary_rows(source.trees, joined(made, source.inputs), takes_nan=False), joined(made, source.inputs))[:ROWS], source.inputs)


def wide_columns(source: SourceModel, originals: Arrays | None) -> frozenset[int]:
    """The numbers of the columns that are to be float64, by what the model says of itself and by its answers to the data.

    Args:
        source: A model with ``digits``.
        originals: The data's own numbers by input, as `Holdout` has them; None without data.

    Raises:
        DataError: If the source refuses the data.
    """
    if source.digits is None:
        return frozenset()
    if originals is None:
        return source.digits.needed
    moved = {at: rows for at, rows in _moved_rows(source, originals) if at not in source.digits.needed}
    if not moved:
        return source.digits.needed
    rows = rows_of(originals, telling_rows(_count(originals), ROWS, moved.values()))
    try:
        expected = source.predict(rows)
    except Exception as error:  # whatever framework it is
        raise refusal.refused(source.framework, rows, error) from error
    return source.digits.needed | _deciding(source, rows, expected, frozenset(moved))


def _deciding(source: SourceModel, rows: Arrays, expected: Arrays, rounded: frozenset[int]) -> frozenset[int]:
    if all(
        answer.dtype.kind != "f" for answer in expected.values()
    ):  # labels alone: that none of these changed says nothing of a row nearer to the border
        rounded_away = frozenset(at for at, column in enumerate(_columns(source, rows)) if at in rounded and _loses_digits(column))
        return rounded_away | _by_answers(source, rows, expected, rounded - rounded_away)
    return _by_answers(source, rows, expected, rounded)


def _loses_digits(column: Array) -> bool:
    """Whether float32 moves a column's values by a share of their spread that would show in an answer."""
    values = column.astype(np.float64)
    values = values[np.isfinite(values)]
    with np.errstate(over="ignore", invalid="ignore"):
        moved = np.abs(values - values.astype(np.float32))
    return bool(len(values) and moved.max() > RTOL * values.std() > 0)


def _by_answers(source: SourceModel, rows: Arrays, expected: Arrays, rounded: frozenset[int]) -> frozenset[int]:
    """Those columns whose rounding changes an answer to these rows, beside what else isn't rounded."""

    def same(columns: frozenset[int]) -> bool:
        try:
            answers = source.predict(_narrowed(source, rows, columns))
            if source.trees is not None:  # another answer is another leaf, however little it differs on these rows
                return all(_equal(answer, answers[name]) for name, answer in expected.items())
            return not compare(expected, answers, rtol=RTOL, spread_share=RTOL)
        except Exception:  # noqa: BLE001  # a category that rounding made unknown: an answer is lost, whatever the framework calls it
            return False

    if same(rounded):
        return frozenset()
    if len(rounded) > TRIED:
        return rounded
    deciding = frozenset(column for column in rounded if not same(frozenset((column,))))
    return deciding if same(rounded - deciding) else rounded


def _equal(first: Array, second: Array) -> bool:
    return np.array_equal(first, second, equal_nan=first.dtype.kind == "f")


def _moved_rows(source: SourceModel, originals: Arrays) -> Iterator[tuple[int, Array]]:
    """By its number, each column that float32 rounds, and the numbers of the rows that it moves the most, as many for each column."""
    columns = _columns(source, originals)
    most = min(max(1, ROWS // 2 // len(columns)), _count(originals))
    for at, column in enumerate(columns):
        if column.dtype.kind in "iuf":
            rows = rows_moved(column, most)
            if len(rows):
                yield at, rows


def _count(arrays: Arrays) -> int:
    return len(next(iter(arrays.values())))


def _holds(answer: Array) -> bool:
    """Whether float32 holds every number."""
    with np.errstate(over="ignore"):
        return np.array_equal(answer, answer.astype(np.float32), equal_nan=True)


def _columns(source: SourceModel, rows: Arrays) -> list[Array]:
    whole = _whole(source.inputs)
    return list(rows[whole].T) if whole else [rows[spec.name] for spec in source.inputs]


def _narrowed(source: SourceModel, rows: Arrays, columns: frozenset[int]) -> dict[str, Array]:
    """The same request with the values of these columns rounded to float32."""
    whole = _whole(source.inputs)
    with np.errstate(over="ignore"):
        if whole:
            values = rows[whole].astype(np.float64)
            values[:, sorted(columns)] = values[:, sorted(columns)].astype(np.float32)
            return {whole: values}
        return {spec.name: rows[spec.name].astype(np.float32) if at in columns else rows[spec.name] for at, spec in enumerate(source.inputs)}


def _whole(inputs: tuple[TensorSpec, ...]) -> str:
    """The name of the input that has all columns; empty if each has its own."""
    return FEATURES if [spec.name for spec in inputs] == [FEATURES] else ""
