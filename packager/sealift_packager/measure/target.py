"""The holdout's target in the form in which a metric compares it with a model's answers, or why it can't be compared. Pure.

A target that doesn't fit must not give a score: a gate that compares the wrong things passes everything.
"""

from __future__ import annotations

import dataclasses
from typing import Final

import numpy as np

from sealift_packager.errors import DataError
from sealift_packager.measure.class_labels import as_classes
from sealift_packager.measure.metrics import CLASSES, METRICS, NUMBERS, TWO_CLASSES, Metric
from sealift_packager.measure.predictions import Prediction, sample_of
from sealift_packager.model.source import Array

_OWN: Final = "Pass --metric module:function, a function that takes the target and the outputs and returns a number."
_FOR_NUMBERS: Final = "Choose rmse, mae or r2 for a numeric target."


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FittedTarget:
    """A target as its metric takes it, [rows] or [rows, values], and a note for the report (empty, or a sentence)."""

    target: Array
    note: str = ""


def choose_metric(metric: Metric | None, prediction: Prediction, target: Array | None) -> tuple[Metric, str]:
    """The metric, and a note on it for the report (empty, or a sentence).

    1. A metric that judges one output needs to know which: `DataError` where several could be meant.
    2. Without one that was asked for, all outputs are compared with the source's where several could be meant.
    3. Else the target decides (`guess_metric`); without one, labels are compared with the source's.
    """
    ambiguous = len(prediction.judged) > 1 and prediction.label is None
    if metric is not None:
        if ambiguous and not metric.takes_all_outputs:  # 1
            raise DataError(
                f"the metric {metric.name} judges one output, and several could be meant",
                where="--output",
                expected=f"one of {', '.join(prediction.judged)}",
                advice="Name it with --output; the others are compared with the original model's.",
            )
        return metric, ""
    if ambiguous and any(value.dtype.kind == "f" for value in prediction.outputs.values()):  # 2
        note = (
            f"the target could be compared with several outputs ({', '.join(prediction.judged)}), so it isn't used: all outputs are compared with "
            "the original model's, by the metric cosine; name the output that the target belongs to with --output"
        )
        return METRICS["cosine"], "" if target is None else note
    return (METRICS["agreement"] if target is None else guess_metric(prediction, target)), ""  # 3


def guess_metric(prediction: Prediction, target: Array) -> Metric:
    """Accuracy where the model tells classes apart and the target can be its classes, else RMSE; `DataError` where neither makes sense.

    1. A model that gives labels is judged by them.
    2. One number for each number of the target: RMSE, unless several zeros and ones in each row say that these are no measurements.
    3. Several numbers for one class (or for a one-hot row): accuracy.
    """
    if prediction.value is None:  # 1
        if prediction.label is None:
            raise DataError(
                "can't tell how to compare the model's outputs with the target",
                where="--target",
                expected="numbers, or one label for each row",
                found=", ".join(f"{name} of {value.dtype}" for name, value in prediction.outputs.items()),
                advice=f"Name the output that the target belongs to with --output. {_OWN}" if len(prediction.judged) > 1 else _OWN,
            )
        return METRICS["accuracy"]
    width, target_width = prediction.value.shape[1], _width(target)
    if width > 1 and prediction.label is not None and (is_one_hot(target, width) or _class_problem(target, prediction) is None):  # 3
        return METRICS["accuracy"]
    if width == target_width and not (target_width > 1 and _is_binary(target)):  # 2
        return METRICS["rmse"]
    raise DataError(
        "can't tell how to compare the model's outputs with the target",
        where="--target",
        expected=_expected(prediction, width),
        found=f"{_shape(target)} of {_words(target)} for outputs of {_shape(next(iter(_floats(prediction))))}",
        advice=f"{_OWN} Masks and multilabel targets need one.",
    )


def fit_target(metric: Metric, target: Array, prediction: Prediction, *, classes: Array | None = None, written: Array | None = None) -> FittedTarget:
    """The target for this metric and model: one-hot rows become classes; `DataError` where it can't be what the metric needs.

    Labels are given the type of the model's ``classes``, where these are known; ``written`` are they as a file of text has them. Where a metric is
    of two classes and the model's are known, the target is 1 for the second one and 0 for the first, as the columns of its probabilities are: the
    order of labels by value may be another. A metric of one's own gets the target as it is in the data.
    """
    if metric.needs == CLASSES and prediction.label is not None:
        target, note = as_classes(target, written, classes)
        fitted = _classes(metric, target, prediction)
        return fitted if fitted.note else dataclasses.replace(fitted, note=note)
    if metric.needs == TWO_CLASSES and classes is not None and classes.shape == (2,) and target.ndim == 1:
        return _classes(metric, _as_second(metric, target, written, classes), prediction)
    if metric.needs in (CLASSES, TWO_CLASSES):
        return _classes(metric, target, prediction)
    if metric.needs == NUMBERS and prediction.value is not None:
        return FittedTarget(target=_numbers(metric, target, prediction.value))
    return FittedTarget(target=target)


def _as_second(metric: Metric, target: Array, written: Array | None, classes: Array) -> Array:
    """Whether each label is the second of the model's two classes: 1 or 0; `DataError` for one that is neither."""
    labels, _ = as_classes(target, written, classes)
    known = set(classes.tolist())
    stranger = next((label for label in labels.tolist() if label not in known), None)
    if stranger is not None:
        shown = ", ".join(map(repr, classes.tolist()))
        raise DataError(
            f"the metric {metric.name} needs labels that are the model's two classes",
            where="--target",
            expected=shown,
            found=repr(stranger)[:60],
            advice="Write the labels as the model returns them, and leave out rows of other classes.",
        )
    return np.array([label == classes[-1] for label in labels.tolist()], dtype=np.int64)


def is_one_hot(target: Array, width: int) -> bool:
    """Whether each row of ``target`` has one 1 and otherwise zeros, of ``width`` values."""
    if target.ndim < 2 or width < 2 or _width(target) != width or target.dtype.kind not in "biuf":
        return False
    return _is_binary(target) and bool((target.reshape(len(target), -1).sum(axis=1) == 1).all())


def _classes(metric: Metric, target: Array, prediction: Prediction) -> FittedTarget:
    width = 0 if prediction.value is None else prediction.value.shape[1]
    if is_one_hot(target, width):
        note = f"the target's rows of {width} zeros and ones were read as one-hot classes"
        return FittedTarget(target=target.reshape(len(target), -1).argmax(axis=1), note=note)
    problem = _class_problem(target, prediction, named=metric.needs == CLASSES)
    if problem:
        expected, found, advice = problem
        raise DataError(f"the metric {metric.name} does not fit the target", where="--target", expected=expected, found=found, advice=advice)
    if metric.needs == TWO_CLASSES and len(np.unique(target)) < 2:
        raise DataError(
            f"the metric {metric.name} says nothing about one class",
            where="--target",
            expected="rows of two classes",
            found=f"{len(target)} rows of the class {target[0]!s:.40}",
            advice="Pass data with rows of both classes, or choose accuracy.",
        )
    return FittedTarget(target=target)


def _class_problem(target: Array, prediction: Prediction, *, named: bool = True) -> tuple[str, str, str] | None:
    """Why a target can't be classes, ``named`` as the model does: what was expected, what was found, what to do; None if it can."""
    if target.ndim > 1:
        return "one class per row", f"{_shape(target)} of {_words(target)}", f"{_FOR_NUMBERS} {_OWN}"
    if prediction.label is None:
        return None  # the metric says what it lacks
    text = prediction.label.dtype.kind == "O"
    if named and text != (target.dtype.kind == "O"):
        return (
            f"the model's own labels, {sample_of(prediction.label)}",
            sample_of(target),
            "Write the classes into the data as the model returns them.",
        )
    if target.dtype.kind == "O":
        return None
    if target.dtype.kind == "f" and not (target == np.trunc(target)).all():
        return "classes, as text or whole numbers", f"numbers like {target[np.argmax(target != np.trunc(target))]:.6g}", _FOR_NUMBERS
    most = max(prediction.value.shape[1], 2) - 1 if prediction.value is not None else None
    if named and most is not None and not (target.min() >= 0 and target.max() <= most):
        values = f"{target.min():g} to {target.max():g}"
        return f"classes from 0 to {most}, the numbers of the output's columns", values, f"Number the classes by the output's columns. {_FOR_NUMBERS}"
    return None


def _numbers(metric: Metric, target: Array, value: Array) -> Array:
    if target.dtype.kind == "O":
        advice = "Choose accuracy, f1 or auc for classes."
        raise DataError(f"the metric {metric.name} needs a numeric target", where="--target", found=f"text like {target.flat[0]!r}", advice=advice)
    if _width(target) != value.shape[1]:
        raise DataError(
            "the target and the model's output have different numbers of values",
            where="--target",
            expected=f"{value.shape[1]} for each row, for the metric {metric.name}",
            found=f"{_width(target)}, in {_shape(target)}",
            advice=f"Put several columns into one array of an .npz. {_OWN}",
        )
    return target.reshape(value.shape).astype(np.float64)


def _width(target: Array) -> int:
    """Values per row."""
    return target.size // len(target)


def _is_binary(target: Array) -> bool:
    return target.dtype.kind in "biuf" and bool(np.isin(target, (0, 1)).all())


def _shape(values: Array) -> str:
    return f"[{', '.join(('rows', *map(str, values.shape[1:])))}]"


def _words(target: Array) -> str:
    if target.dtype.kind == "O":
        return "text"
    return "zeros and ones" if _is_binary(target) else f"numbers from {target.min():g} to {target.max():g}"


def _floats(prediction: Prediction) -> list[Array]:
    return [prediction.outputs[name] for name in prediction.judged]


def _expected(prediction: Prediction, width: int) -> str:
    classes = f"a class from 0 to {width - 1} for each row, or " if prediction.label is not None and width > 1 else ""
    return f"{classes}{width} numbers for each row"
