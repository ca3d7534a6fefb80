"""What a model says, in the form that metrics take. Pure."""

from __future__ import annotations

import dataclasses

import numpy as np

from sealift_packager.errors import DataError
from sealift_packager.model.source import Array, Arrays


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """A model's outputs for all holdout rows.

    ``label`` [rows] is the class, ``scores`` [rows, classes] what it was chosen by, ``value`` [rows, values] the numbers, if they are a
    regression's; None where the model gives none.
    """

    outputs: Arrays
    label: Array | None
    scores: Array | None
    value: Array | None


def read_prediction(outputs: Arrays) -> Prediction:
    """Find labels, scores and values among the outputs.

    1. ``label`` and ``probabilities`` are what they are called; without floats the first output of one value for each row is a label.
    2. Else the first float output is values. With several columns they may be scores whose largest is the class; with one, a class 1
       above 0.5 where all values lie within 0..1 (probabilities), above 0 otherwise (logits). With more axes (masks, sequences) it has no class.
    """
    floats = [value for value in outputs.values() if value.dtype.kind == "f"]
    scores = outputs.get("probabilities")
    label = outputs.get("label", None if floats else next((value for value in outputs.values() if value.size == len(value)), None))
    if label is not None:  # 1
        return Prediction(outputs=outputs, label=label.reshape(len(label), -1)[:, 0], scores=scores, value=None)
    if not floats:
        return Prediction(outputs=outputs, label=None, scores=None, value=None)
    first = floats[0].reshape(len(floats[0]), -1)  # 2
    value = first.astype(np.float64)
    if sum(size > 1 for size in floats[0].shape[1:]) > 1:
        return Prediction(outputs=outputs, label=None, scores=None, value=value)
    if first.shape[1] > 1:
        return Prediction(outputs=outputs, label=first.argmax(axis=1), scores=first, value=value)
    middle = 0.5 if value.size and value.min() >= 0 and value.max() <= 1 else 0.0
    return Prediction(outputs=outputs, label=(value[:, 0] > middle).astype(np.int64), scores=value, value=value)


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
    return f"text like {values[0]!r}" if values.dtype.kind == "O" else f"numbers like {values[0].item()!r}"
