"""Which columns of a table a model needs as float64: those whose digits beyond float32 change its answers on the user's own rows.

And which outputs: those whose answers differ by digits that float32 doesn't have.
"""

from __future__ import annotations

import contextlib
from typing import Final

import numpy as np

from sealift_core.bundle.tensors import TensorSpec
from sealift_packager.data import refusal
from sealift_packager.errors import DataError
from sealift_packager.model.columns import FEATURES, joined, spread
from sealift_packager.model.source import Array, Arrays, SourceModel
from sealift_packager.model.synthetic import make_inputs
from sealift_packager.parity.compare import compare, spreads
from sealift_packager.trees.boundaries import boundary_rows

#: A tenth of what parity lets pass, which has to hold what the graph adds to it.
RTOL: Final = 1e-4
#: Rows of the holdout that the source is asked with.
ROWS: Final = 16_384
#: Where there is no holdout.
SYNTHETIC_ROWS: Final = 256
PREDICTION: Final = "prediction"
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
    if originals is None and source.usual.keys() == {spec.name for spec in source.inputs}:
        with contextlib.suppress(DataError):  # rows that are made up show nothing then
            return with_digits(source, source.usual)
    outputs = _wide_outputs(source, originals)
    asked = source.digits.widen(frozenset(), outputs) if outputs else source
    columns = wide_columns(asked, originals)
    return source.digits.widen(columns, outputs) if columns or outputs else source


def _wide_outputs(source: SourceModel, originals: Arrays | None) -> frozenset[str]:
    """The outputs whose numbers are so large beside what they differ by that float32 rounds that away."""
    if source.digits is None or PREDICTION not in source.outputs:
        return frozenset()
    rows = {name: value[:ROWS] for name, value in originals.items()} if originals else _synthetic(source)
    try:
        answers = source.digits.widen(frozenset(), frozenset((PREDICTION,))).predict(rows)
    except Exception as error:  # whatever framework it is
        if originals:
            raise refusal.refused(source.framework, rows, error) from error
        return frozenset()  # of a synthetic request: parity has others
    return frozenset(name for name, varied in spreads(answers).items() if _changes(answers[name]) and varied.lost)


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
    rows = {name: value[:ROWS] for name, value in originals.items()}
    rounded = _rounded_columns(source, rows) - source.digits.needed
    if not rounded:
        return source.digits.needed
    try:
        expected = source.predict(rows)
    except Exception as error:  # whatever framework it is
        raise refusal.refused(source.framework, rows, error) from error
    return source.digits.needed | _deciding(source, rows, expected, rounded)


def _deciding(source: SourceModel, rows: Arrays, expected: Arrays, rounded: frozenset[int]) -> frozenset[int]:
    def same(columns: frozenset[int]) -> bool:
        try:
            return not compare(expected, source.predict(_narrowed(source, rows, columns)), rtol=RTOL, spread_share=RTOL)
        except Exception:  # noqa: BLE001  # a category that rounding made unknown: an answer is lost, whatever the framework calls it
            return False

    if same(rounded):
        return frozenset()
    if len(rounded) > TRIED:
        return rounded
    deciding = frozenset(column for column in rounded if not same(frozenset((column,))))
    return deciding if same(rounded - deciding) else rounded


def _rounded_columns(source: SourceModel, rows: Arrays) -> frozenset[int]:
    return frozenset(at for at, column in enumerate(_columns(source, rows)) if column.dtype.kind in "iuf" and _changes(column))


def _changes(column: Array) -> bool:
    with np.errstate(over="ignore"):
        return not np.array_equal(column, column.astype(np.float32).astype(np.float64), equal_nan=True)


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
