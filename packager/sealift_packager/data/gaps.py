"""Rows with missing numbers: whether a model that doesn't say so answers them is found by asking it."""

from __future__ import annotations

import numpy as np

from sealift_packager.data.left_out import Predict, missing_rows, most_left_out, refused_rows
from sealift_packager.model.batch import fixed_batch
from sealift_packager.model.source import Array, Arrays, SourceModel


def unanswered_gaps(source: SourceModel, inputs: Arrays) -> Array:
    """The rows with missing numbers that the source refuses, or answers with no number.

    Args:
        source: The model.
        inputs: What it is asked with, [rows, …] by input.

    Returns:
        The numbers of the rows; of those that are refused, at most one more than may be left out.
    """
    numbers = np.flatnonzero(missing_rows(inputs))
    if not len(numbers):
        return numbers
    predict = _row_by_row(source) if fixed_batch(source.inputs) else source.predict
    gaps = rows_at(inputs, numbers)
    total = len(next(iter(inputs.values())))
    refused = np.array(sorted(row for part in refused_rows(predict, gaps, most_left_out(total) + 1) for row in part.rows), dtype=np.int64)
    if len(refused) > most_left_out(total):
        return np.asarray(numbers[refused])
    asked = np.setdiff1d(np.arange(len(numbers)), refused)
    without = np.concatenate([refused, asked[missing_rows(predict(rows_at(gaps, asked)))]]) if len(asked) else refused
    return np.sort(numbers[without])


def rows_at(arrays: Arrays, numbers: Array) -> dict[str, Array]:
    """The rows of these numbers."""
    return {name: value[numbers] for name, value in arrays.items()}


def _row_by_row(source: SourceModel) -> Predict:
    """Of a model whose batch is fixed: each row fills a batch."""
    batch = fixed_batch(source.inputs) or 1

    def predict(inputs: Arrays) -> dict[str, Array]:
        rows = range(len(next(iter(inputs.values()))))
        answers = [source.predict({name: np.repeat(value[row : row + 1], batch, axis=0) for name, value in inputs.items()}) for row in rows]
        return {name: np.concatenate([answer[name][:1] for answer in answers]) for name in answers[0]}

    return predict
