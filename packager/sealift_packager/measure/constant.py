"""What the same answer to every request would score: a model that isn't better says that the data or the metric is wrong. Pure."""

from __future__ import annotations

import dataclasses
from typing import Final

import numpy as np

from sealift_packager.measure.metrics import CLASSES, NUMBERS, TWO_CLASSES, Metric
from sealift_packager.measure.predictions import Prediction
from sealift_packager.model.source import Array

#: A class is rare if it has less than this part of what it would have if all classes were equally frequent.
RARE: Final = 0.1


def warn_of_constant(metric: Metric, target: Array, prediction: Prediction, score: float) -> str:
    """A sentence if the best constant answer scores at least as well; empty if not, and for metrics that don't compare with a target."""
    scores = [metric.score(target, answer) for answer in _constants(metric, target, prediction)]
    best = (max if metric.higher_is_better else min)(scores, default=None)
    if best is None or (score > best if metric.higher_is_better else score < best):
        return ""
    return (
        f"the source model's own {metric.name} on this holdout is {score:.6g}, no better than that of one constant answer ({best:.6g}): the "
        "target, the order of its classes or columns, or the metric is probably wrong, and a loss of 0 would then mean nothing"
    )


def warn_of_rare_class(metric: Metric, target: Array) -> str:
    """A sentence if accuracy hardly sees one of the classes; empty otherwise."""
    if metric.name != "accuracy" or target.ndim != 1:
        return ""
    classes, times = np.unique(target, return_counts=True)
    share = times.min() / len(target)
    if len(classes) < 2 or share >= RARE / len(classes):
        return ""
    return (
        f"the class {classes[times.argmin()]!s:.40} is rare ({times.min():,} of {len(target):,} rows), so accuracy hardly shows what happens to it; "
        "--metric f1 counts every class alike"
    )


def _constants(metric: Metric, target: Array, prediction: Prediction) -> list[Prediction]:
    """The most frequent class; or the mean and the median."""
    if metric.needs in (CLASSES, TWO_CLASSES):
        classes, times = np.unique(target, return_counts=True)
        scores = None if prediction.scores is None else np.zeros_like(prediction.scores)
        return [dataclasses.replace(prediction, label=np.full(len(target), classes[times.argmax()], dtype=target.dtype), scores=scores)]
    if metric.needs == NUMBERS and prediction.value is not None:
        values = target.reshape(len(target), -1)
        constants = (values.mean(axis=0), np.median(values, axis=0))
        return [dataclasses.replace(prediction, value=np.broadcast_to(constant, values.shape)) for constant in constants]
    return []
