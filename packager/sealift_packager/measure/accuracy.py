"""How much worse a candidate is than its source, with the interval of a paired bootstrap. Pure."""

from __future__ import annotations

import dataclasses

import numpy as np

from sealift_core.bundle.evaluation import Accuracy
from sealift_packager.candidates.judgement import ROUNDING
from sealift_packager.measure.bootstrap import mean_interval, rows_needed, statistic_interval, unseen_share
from sealift_packager.measure.metrics import Metric
from sealift_packager.measure.predictions import Prediction
from sealift_packager.model.source import Array


def assess(metric: Metric, target: Array, reference: Prediction, packaged: Prediction, *, budget: float, seed: int, rounded: bool) -> Accuracy:
    """Both scores and the loss (positive when the packaged model is worse), in the metric's unit.

    ``rounded``: the packaged model computes more coarsely than its source, so rows that weren't seen may differ although none of these does.
    Where rows count as right or wrong, the upper bound allows for them; but not with a budget of 0, which is about these rows alone.
    """
    sign = 1.0 if metric.higher_is_better else -1.0
    scores = metric.score(target, reference), metric.score(target, packaged)
    same = _same(reference, packaged)
    if metric.by_row is not None:
        low, high = mean_interval(sign * (metric.by_row(target, reference) - metric.by_row(target, packaged)), seed=seed)
    elif same:
        low, high = 0.0, 0.0
    else:
        low, high = statistic_interval(len(target), lambda rows: sign * _difference(metric, target, reference, packaged, rows), seed=seed)
    if metric.counts_rows and rounded and not same and budget > 0:
        high = max(high, unseen_share(len(target)))
    return Accuracy(
        metric=metric.name,
        reference=scores[0],
        packaged=scores[1],
        loss=sign * (scores[0] - scores[1]),
        loss_low=low,
        loss_high=high,
        budget=budget,
        packaged_worst_row=_worst(metric, target, packaged),
    )


def rows_wanted(metric: Metric, rows: int, *, budget: float) -> int:
    """How many rows the budget needs where they count as right or wrong and there are fewer: no candidate passes then; else 0."""
    if not metric.counts_rows or budget <= 0 or unseen_share(rows) <= budget + ROUNDING:
        return 0
    return rows_needed(budget)


def _worst(metric: Metric, target: Array, packaged: Prediction) -> float | None:
    """The score of the worst row, where single rows count."""
    if metric.by_row is None or metric.row_budget is None:
        return None
    values = metric.by_row(target, packaged)
    return float(values.min() if metric.higher_is_better else values.max())


def _difference(metric: Metric, target: Array, reference: Prediction, packaged: Prediction, rows: Array) -> float:
    return metric.score(target[rows], _take(reference, rows)) - metric.score(target[rows], _take(packaged, rows))


def _take(prediction: Prediction, rows: Array) -> Prediction:
    """The same rows of everything."""
    return dataclasses.replace(
        prediction,
        outputs={name: value[rows] for name, value in prediction.outputs.items()},
        label=None if prediction.label is None else prediction.label[rows],
        scores=None if prediction.scores is None else prediction.scores[rows],
        value=None if prediction.value is None else prediction.value[rows],
    )


def _same(first: Prediction, second: Prediction) -> bool:
    if set(first.outputs) != set(second.outputs):
        return False
    return all(np.array_equal(value, second.outputs[name]) for name, value in first.outputs.items())
