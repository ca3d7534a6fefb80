"""What a model says, in the form that metrics take. Pure."""

from __future__ import annotations

import dataclasses

import numpy as np

from sealift_core.errors import nearest
from sealift_packager.errors import DataError
from sealift_packager.model.output_names import LABEL, PROBABILITIES, by_role
from sealift_packager.model.source import Array, Arrays


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """A model's outputs for all holdout rows.

    ``label`` [rows] is the class, ``scores`` [rows, classes] what it was chosen by, ``value`` [rows, values] the numbers, if they are a
    regression's; None where the model gives none, or it isn't known which output is to be judged. ``judged`` names the outputs that these were
    read from. ``threshold`` is what the only score must exceed for the class 1.
    """

    outputs: Arrays
    label: Array | None
    scores: Array | None
    value: Array | None
    judged: tuple[str, ...] = ()
    threshold: float | None = None


def judged_outputs(outputs: Arrays, output: str | None = None) -> tuple[str, ...]:
    """Which outputs a metric judges; several where only their reader can tell which one is meant.

    1. The ``output`` that was asked for; with a ``label`` go its ``probabilities``.
    2. ``label`` and ``probabilities``, if the model has a ``label``.
    3. The outputs of floats; without any, those of one value for each row.

    Raises `DataError` if there is no such ``output``.
    """
    names = by_role(outputs)
    labelled = tuple(names[role] for role in (LABEL, PROBABILITIES) if role in names)
    if output is not None and output not in outputs:  # 1
        advice = nearest(output, list(outputs))
        raise DataError("the model has no such output", where="--output", expected=f"one of {', '.join(outputs)}", found=repr(output), advice=advice)
    if output is not None:
        return labelled if output == names.get(LABEL) else (output,)
    if LABEL in names:  # 2
        return labelled
    floats = tuple(name for name, value in outputs.items() if value.dtype.kind == "f")  # 3
    return floats or tuple(name for name, value in outputs.items() if value.size == len(value))


def read_prediction(outputs: Arrays, output: str | None = None, *, threshold: float | None = None) -> Prediction:
    """Find labels, scores and values among the outputs that are judged (`judged_outputs`); none where several others than a label might be.

    1. ``label`` and ``probabilities`` are what they are called; an output of one value for each row that isn't a float is a label.
    2. An output of floats is values. With several columns they may be scores whose largest is the class; with one, a class 1
       above 0.5 where all values lie within 0..1 (probabilities), above 0 otherwise (logits). With more axes (masks, sequences) it has no class.

    A ``threshold`` is that of the model which these answers are compared with: rounding may take them out of 0..1.
    """
    judged = judged_outputs(outputs, output)
    one = outputs[judged[0]] if len(judged) == 1 else None
    names = by_role(judged)
    scores = outputs[names[PROBABILITIES]] if PROBABILITIES in names else None
    label = outputs[names[LABEL]] if LABEL in names else one if one is not None and one.dtype.kind != "f" and one.size == len(one) else None
    if label is not None:  # 1
        return Prediction(outputs=outputs, label=label.reshape(len(label), -1)[:, 0], scores=scores, value=None, judged=judged)
    if one is None or one.dtype.kind != "f":
        return Prediction(outputs=outputs, label=None, scores=None, value=None, judged=judged)
    first = one.reshape(len(one), -1)  # 2
    value = first.astype(np.float64)
    if sum(size > 1 for size in one.shape[1:]) > 1:
        return Prediction(outputs=outputs, label=None, scores=None, value=value, judged=judged)
    if first.shape[1] > 1:
        return Prediction(outputs=outputs, label=first.argmax(axis=1), scores=first, value=value, judged=judged)
    if threshold is None:
        threshold = 0.5 if value.size and value.min() >= 0 and value.max() <= 1 else 0.0
    label = (value[:, 0] > threshold).astype(np.int64)
    return Prediction(outputs=outputs, label=label, scores=value, value=value, judged=judged, threshold=threshold)


def same_labels(label: Array, target: Array) -> Array:
    """By row: is the label the target? Numbers are compared as numbers, text as text; `DataError` if they can't be."""
    if label.dtype.kind == "O" or target.dtype.kind == "O":
        if label.dtype.kind != target.dtype.kind:
            raise DataError("the target and the model's labels are of different types", expected=sample_of(label), found=sample_of(target))
        return np.array([a == b for a, b in zip(label, target, strict=True)], dtype=bool)
    whole = label.dtype.kind in "iu" and target.dtype.kind in "iu"  # beyond 2^53 float64 would make two labels one
    result: Array = label == target if whole else label.astype(np.float64) == target.astype(np.float64)
    return result


def sample_of(values: Array) -> str:
    """What some labels are, with the first as an example: "text like 'cat'"."""
    words = {"O": "text", "b": "truth values"}.get(values.dtype.kind, "numbers")
    return f"{words} like {values[:1].tolist()[0]!r}"
