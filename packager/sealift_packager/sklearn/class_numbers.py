"""Classifiers whose labels are large numbers: converted with the numbers of their classes, and the labels looked up last.

skl2onnx takes labels through int32 or float32 on the way, which hold no order number and no id.
"""

from __future__ import annotations

import copy
import dataclasses
from typing import Any, Final

import numpy as np

from sealift_packager.model.source import Array, SourceModel
from sealift_packager.trees.within import all_parts

#: From here on float32 doesn't hold every whole number.
_LARGE: Final = 2.0**24
#: These also know a class by its label in an option, and are written with labels of any size.
_NAMING: Final = frozenset(("FixedThresholdClassifier", "RadiusNeighborsClassifier", "TunedThresholdClassifierCV"))


def with_class_numbers(source: SourceModel) -> SourceModel:
    """The model with classes 0, 1, … in the place of large ones, within its parts too; the same object where there are none."""
    classes = source.classes
    if classes is None or not _are_large(classes) or any(type(part).__name__ in _NAMING for part in all_parts(source.native)):
        return source
    model = copy.deepcopy(source.native)
    for part in all_parts(model):
        for name in ("classes_", "classes"):  # the latter of one that is calibrated
            own = vars(part).get(name)
            if own is not None and _are_large(own) and np.isin(own, classes).all():
                setattr(part, name, np.searchsorted(classes, own))
    numbers = np.arange(len(classes))
    if not np.array_equal(getattr(model, "classes_", ()), numbers):  # a library that keeps its classes elsewhere, and gives them as they are
        return source
    return dataclasses.replace(source, native=model, classes=numbers)


def _are_large(classes: Any) -> bool:
    values: Array = np.asarray(classes)
    if values.dtype == object and all(isinstance(value, int) for value in values.ravel()):
        values = values.astype(np.float64)
    return values.dtype.kind in "iuf" and bool((np.abs(values.astype(np.float64)) >= _LARGE).any())
