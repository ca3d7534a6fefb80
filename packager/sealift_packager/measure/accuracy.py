"""How much worse a candidate is than its source, with the interval of a paired bootstrap. Pure."""

from __future__ import annotations

import dataclasses
import logging
from typing import Final

import numpy as np

from sealift_core.bundle.evaluation import Accuracy
from sealift_packager.candidates.judgement import ROUNDING
from sealift_packager.errors import DataError
from sealift_packager.measure.bootstrap import SLOW_RESAMPLES, mean_interval, rows_needed, statistic_interval, unseen_share
from sealift_packager.measure.metrics import Metric
from sealift_packager.measure.predictions import Prediction
from sealift_packager.model.source import Array

#: The longest that the resampled scores of one candidate may take, and from when on it is said how long they do.
MAX_SECONDS: Final = 600.0
TOLD_SECONDS: Final = 10.0
_LOG: Final = logging.getLogger("sealift.search")


def assess(metric: Metric, target: Array, reference: Prediction, packaged: Prediction, *, budget: float, seed: int, rounded: bool) -> Accuracy:
    """Both scores and the loss (positive when the packaged model is worse), in the metric's unit.

    ``rounded``: the packaged model computes more coarsely than its source, so rows that weren't seen may differ although none of these does.
    Where rows count as right or wrong, the upper bound allows for them; but not with a budget of 0, which is about these rows alone.
    """
    sign = 1.0 if metric.higher_is_better else -1.0
    rows = None if metric.by_row is None else (metric.by_row(target, reference), metric.by_row(target, packaged))
    scores = (metric.score(target, reference), metric.score(target, packaged)) if rows is None else (float(rows[0].mean()), float(rows[1].mean()))
    same = _same(reference, packaged)
    if rows is not None:
        low, high = mean_interval(sign * (rows[0] - rows[1]), seed=seed)
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
        packaged_worst_row=None if rows is None else _worst(metric, rows[1]),
    )


def check_pace(metric: Metric, seconds: float) -> None:
    """Say how long a candidate's interval will take, if one score took ``seconds``, or raise `DataError` if that is more than `MAX_SECONDS`."""
    expected = 2 * SLOW_RESAMPLES * seconds if metric.by_row is None else 0.0
    if expected > MAX_SECONDS:
        raise DataError(
            "the metric is too slow to tell how sure a candidate's loss is",
            where=f"--metric {metric.name}",
            expected=f"at most {MAX_SECONDS:g} s for each candidate, for {2 * SLOW_RESAMPLES:,} scores of resampled rows",
            found=f"{seconds:.2g} s for one score, which makes {expected:,.0f} s",
            advice="Give it a form by row (set by_row = True and return a number for each row), or pass fewer rows.",
        )
    if expected > TOLD_SECONDS:
        _LOG.warning("Each candidate's interval takes about %.0f s by the metric %s; one with by_row = True is computed once", expected, metric.name)


def rows_wanted(metric: Metric, rows: int, *, budget: float) -> int:
    """How many rows the budget needs where they count as right or wrong and there are fewer: no candidate passes then; else 0."""
    if not metric.counts_rows or budget <= 0 or unseen_share(rows) <= budget + ROUNDING:
        return 0
    return rows_needed(budget)


def _worst(metric: Metric, values: Array) -> float | None:
    """The score of the worst row, where single rows count."""
    if metric.row_budget is None:
        return None
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
