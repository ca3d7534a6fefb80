"""Metrics by name. Pure.

A metric of means has a value for each row, and its score is their mean: a bootstrap then only counts rows. Others are computed anew for
each resample.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from sealift_core.errors import nearest
from sealift_packager.errors import DataError, caused_by
from sealift_packager.measure.channels import in_units
from sealift_packager.measure.predictions import Prediction, same_labels
from sealift_packager.model.source import Array
from sealift_packager.plugins.functions import load_callable

#: Largest loss that is accepted unless the user says otherwise: in the metric's unit, or as a share of the reference's score.
DEFAULT_BUDGET: Final = 0.01
#: The finest resolution that anyone needs, as a share of the target's spread; the same as parity's.
FLOOR_SHARE: Final = 1e-5
#: What a metric takes as the target: a class for each row [rows] as the model names it, or one of two whatever they are called, or as many
#: numbers as the model gives [rows, values].
CLASSES: Final = "classes"
TWO_CLASSES: Final = "two classes"
NUMBERS: Final = "numbers"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A score of predictions against the target.

    Attributes:
        name: What people call it.
        higher_is_better: Whether a larger score is better.
        score: The score of predictions against a target ``[rows, …]``.
        by_row: Each row's contribution, ``float64 [rows]``, where ``score`` is their mean; None otherwise.
        relative_budget: Whether the score's scale is the data's own, so that the default budget is a share of it.
        against_source: The target as this of the source's own answers, ``[rows, …]``, so that the data need none; None to use that of the data.
        counts_rows: Whether each row is right or wrong.
        row_budget: The largest loss of any single row, in budgets; None where single rows may be lost.
        needs: What the target must be: `CLASSES`, `TWO_CLASSES` or `NUMBERS`; empty for whatever the data have.
        pools_channels: Whether it makes one number of all numbers of an output, in which the error of a small channel drowns.
    """

    name: str
    higher_is_better: bool
    score: Callable[[Array, Prediction], float]
    by_row: Callable[[Array, Prediction], Array] | None = None
    relative_budget: bool = False
    against_source: Callable[[Prediction], Array] | None = None
    counts_rows: bool = False
    row_budget: float | None = None
    needs: str = ""
    pools_channels: bool = False

    @property
    def takes_all_outputs(self) -> bool:
        """Whether it takes all outputs: all that is known of the model, or what a function of one's own makes of them."""
        return not self.needs and (self.against_source is None or self.pools_channels)

    def default_budget(self, reference: float, target: Array) -> float:
        """Choose the largest loss that is accepted unless the user says otherwise.

        Args:
            reference: The source's score.
            target: The target, ``[rows, …]``.

        Returns:
            0.01, one point of accuracy; or 1 % of an error whose scale is the data's, but never less than float32 can tell.
        """
        if not self.relative_budget:
            return DEFAULT_BUDGET
        return max(DEFAULT_BUDGET * abs(reference), _resolution(target) if self.needs == NUMBERS else 0.0)


def _resolution(target: Array) -> float:
    """The error that float32 makes anyway: a model that fits its data exactly has none that a share could be taken of."""
    values = target.reshape(len(target), -1)
    return float(max(FLOOR_SHARE * values.std(axis=0).mean(), np.finfo(np.float32).eps * np.abs(values).max()))


def _need(value: Array | None, what: str, metric: str) -> Array:
    if value is None:
        raise DataError(f"the metric {metric} needs {what}, which the model doesn't return", where="--metric", advice="Choose another metric.")
    return value


def _hits(target: Array, prediction: Prediction) -> Array:
    return same_labels(_need(prediction.label, "labels", "accuracy"), target).astype(np.float64)


def _absolute_errors(target: Array, prediction: Prediction) -> Array:
    errors: Array = np.abs(_errors(target, prediction, "mae")).mean(axis=1)
    return errors


def _errors(target: Array, prediction: Prediction, metric: str) -> Array:
    """[rows, values]."""
    value = _need(prediction.value, "numbers", metric)
    errors: Array = target.reshape(value.shape) - value
    return errors


def _mean(by_row: Callable[[Array, Prediction], Array]) -> Callable[[Array, Prediction], float]:
    return lambda target, prediction: float(by_row(target, prediction).mean())


def _f1(target: Array, prediction: Prediction) -> float:
    """Macro-averaged F1: the mean over the classes of the target and of the predictions."""
    label = _need(prediction.label, "labels", "f1")
    same_labels(label, target)
    scores = []
    for name in np.unique(np.concatenate([target, label])):
        hits, predicted, actual = ((label == name) & (target == name)).sum(), (label == name).sum(), (target == name).sum()
        scores.append(2 * hits / (predicted + actual))
    return float(np.mean(scores))


def _auc(target: Array, prediction: Prediction) -> float:
    """Area under the ROC curve of the last class, which is that of the last column, against the other one, by ranks: Mann–Whitney's U."""
    scores = _need(prediction.scores, "scores", "auc")
    classes = np.unique(target)
    if len(classes) > 2 or scores.shape[1] > 2:
        raise DataError(
            "the metric auc needs two classes",
            where="--metric",
            expected="2",
            found=f"{max(len(classes), scores.shape[1])} classes",
            advice="Choose accuracy or f1.",
        )
    if len(classes) < 2:
        return 0.5
    positive = target == classes[-1]
    _, inverse, counts = np.unique(scores[:, -1], return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    n_positive = int(positive.sum())
    u = ranks[positive].sum() - n_positive * (n_positive + 1) / 2
    return float(u / (n_positive * (len(target) - n_positive)))


def _rmse(target: Array, prediction: Prediction) -> float:
    """The mean of the columns' own, as scikit-learn has it."""
    return float(np.sqrt(np.mean(_errors(target, prediction, "rmse") ** 2, axis=0)).mean())


def _r2(target: Array, prediction: Prediction) -> float:
    """The mean of the columns' own; of a column that never changes it is 0."""
    errors = _errors(target, prediction, "r2")
    values = target.reshape(errors.shape)
    total = ((values - values.mean(axis=0)) ** 2).sum(axis=0)
    return float(np.where(total > 0, 1 - (errors**2).sum(axis=0) / np.where(total > 0, total, 1), 0.0).mean())


def _cosines(target: Array, prediction: Prediction) -> Array:
    """By row, of all channels in units of what the source's usually are; ``target`` are the source's answers as `source_floats` gives them."""
    expected, actual = _in_units(target, _floats(prediction))
    lengths = np.linalg.norm(expected, axis=1) * np.linalg.norm(actual, axis=1)
    cosines: Array = np.where(lengths > 0, (expected * actual).sum(axis=1) / np.maximum(lengths, 1e-30), 0.0)
    return cosines


def _in_units(target: Array, floats: Sequence[Array]) -> tuple[Array, Array]:
    """[rows, values] of the source and of the model."""
    ends = np.cumsum([value.size // len(value) for value in floats])
    parts = np.split(target.reshape(len(target), -1), ends[:-1], axis=1)
    sources = [part.reshape(value.shape) for part, value in zip(parts, floats, strict=True)]
    expected = [in_units(source, source) for source in sources]
    actual = [in_units(source, value) for source, value in zip(sources, floats, strict=True)]
    return np.concatenate(expected, axis=1), np.concatenate(actual, axis=1)


def source_floats(prediction: Prediction) -> Array:
    """All float outputs that are judged as one target.

    Args:
        prediction: The source's answers.

    Returns:
        Their values, ``[rows, values]``.

    Raises:
        DataError: If there are none.
    """
    return np.concatenate([value.reshape(len(value), -1) for value in _floats(prediction)], axis=1)


def _floats(prediction: Prediction) -> list[Array]:
    """The judged outputs of floats, or all there are where labels are judged."""
    floats = {name: value for name, value in prediction.outputs.items() if value.dtype.kind == "f"}
    judged = [value for name, value in floats.items() if name in prediction.judged]
    return judged or [_need(next(iter(floats.values()), None), "a float output", "cosine"), *list(floats.values())[1:]]


def first_floats(prediction: Prediction) -> Array:
    """Find the first float output.

    Args:
        prediction: The outputs.

    Returns:
        Its values, ``[rows, …]``.

    Raises:
        DataError: If there is none.
    """
    first = next((value for value in prediction.outputs.values() if value.dtype.kind == "f"), None)
    return _need(first, "a float output", "cosine")


def _source_labels(prediction: Prediction) -> Array:
    return _need(prediction.label, "labels", "agreement")


METRICS: Final[dict[str, Metric]] = {
    metric.name: metric
    for metric in (
        Metric(name="accuracy", higher_is_better=True, score=_mean(_hits), by_row=_hits, counts_rows=True, needs=CLASSES),
        Metric(name="f1", higher_is_better=True, score=_f1, counts_rows=True, needs=CLASSES),
        Metric(name="auc", higher_is_better=True, score=_auc, needs=TWO_CLASSES),
        Metric(
            name="mae",
            higher_is_better=False,
            score=_mean(_absolute_errors),
            by_row=_absolute_errors,
            relative_budget=True,
            needs=NUMBERS,
            pools_channels=True,
        ),
        Metric(name="rmse", higher_is_better=False, score=_rmse, relative_budget=True, needs=NUMBERS, pools_channels=True),
        Metric(name="r2", higher_is_better=True, score=_r2, needs=NUMBERS, pools_channels=True),
        Metric(
            name="cosine",
            higher_is_better=True,
            score=_mean(_cosines),
            by_row=_cosines,
            against_source=source_floats,
            row_budget=5.0,
            pools_channels=True,
        ),
        Metric(name="agreement", higher_is_better=True, score=_mean(_hits), by_row=_hits, counts_rows=True, against_source=_source_labels),
    )
}


def find_metric(name: str) -> Metric:
    """Find a metric by name, or make one of a function of the user's own.

    Such a function takes the target (its first axis is the rows) and the outputs by name, and gives a number; higher is better
    unless it has an attribute ``higher_is_better`` that is False. With an attribute ``by_row`` that is True, it gives a number for each row; their
    mean is the score. When it fails, ``score`` raises `DataError`.

    Args:
        name: One of `METRICS`, or ``module:function``.

    Returns:
        The metric.

    Raises:
        DataError: If there is no such metric (it names the nearest one), or the function can't be imported.
    """
    if name in METRICS:
        return METRICS[name]
    if ":" not in name:
        names = ", ".join(METRICS)
        raise DataError(
            "no such metric", where="--metric", expected=f"{names}, or module:function", found=repr(name), advice=nearest(name, list(METRICS))
        )
    function = load_callable(name, where="--metric", error=DataError)
    higher = bool(getattr(function, "higher_is_better", True))
    if getattr(function, "by_row", False):

        def by_row(target: Array, prediction: Prediction) -> Array:
            return _call_by_row(function, name, target, prediction)

        return Metric(name=name, higher_is_better=higher, score=_mean(by_row), by_row=by_row, relative_budget=True)
    return Metric(
        name=name, higher_is_better=higher, score=lambda target, prediction: _call(function, name, target, prediction), relative_budget=True
    )


def _call(function: Callable[..., Any], name: str, target: Array, prediction: Prediction) -> float:
    try:
        return float(function(target, prediction.outputs))
    except Exception as error:  # the user's own function
        message, expected = (
            f"the metric failed ({caused_by(error)})",
            "a number from function(target, outputs by name)",
        )
        raise DataError(message, where=f"--metric {name}", expected=expected) from error


def _call_by_row(function: Callable[..., Any], name: str, target: Array, prediction: Prediction) -> Array:
    expected = f"{len(target)} numbers from function(target, outputs by name), one for each row, because by_row is set"
    try:
        values = np.asarray(function(target, prediction.outputs), dtype=np.float64)
    except Exception as error:  # the user's own function
        raise DataError(f"the metric failed ({caused_by(error)})", where=f"--metric {name}", expected=expected) from error
    if values.shape != (len(target),):
        raise DataError("the metric gives no number for each row", where=f"--metric {name}", expected=expected, found=f"shape {list(values.shape)}")
    return values
