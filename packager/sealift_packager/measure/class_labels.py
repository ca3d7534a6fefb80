"""A holdout's labels as the model has them: what it was trained with decides whether 1 is a number, a text or a truth value. Pure."""

from __future__ import annotations

import decimal
from collections.abc import Sequence
from typing import Final

import numpy as np

from sealift_core.errors import first_few
from sealift_packager.errors import DataError
from sealift_packager.model.source import Array

_SHOWN: Final = 5
_TRUTHS: Final = {"true": True, "false": False}
#: More than those of any integer type.
_MOST_DIGITS: Final = 40


def as_classes(labels: Array, written: Array | None, classes: Array | None) -> tuple[Array, str]:
    """The labels [rows] in the type of the model's ``classes``, and a note for the report (empty, or a sentence); `DataError` if none is a class.

    1. The model's classes are text and the labels aren't: the text as the file has it (``written``), else as Python writes it, if all of these are
       classes.
    2. The classes are numbers or truth values and the labels are text: the numbers that the texts are, if all of these are classes.
    3. Labels that are no class by a difference of case or spaces are refused, and so are labels none of which is a class. Some that are none count
       as wrong answers, which the note says.
    """
    if classes is None or classes.ndim != 1 or labels.ndim != 1 or not len(classes) or not len(labels):
        return labels, ""
    if _is_text(classes) and labels.dtype.kind in "iufb":  # 1
        labels = next((texts for texts in _texts(labels, written) if set(texts.tolist()) <= set(classes.tolist())), labels)
    elif classes.dtype.kind in "iufb" and labels.dtype.kind == "O":  # 2
        numbers = [_number(text) for text in labels.tolist()]
        known = set(classes.tolist())  # Python compares whole numbers with all their digits
        of_numbers = np.int64 if classes.dtype.kind == "b" else classes.dtype
        labels = np.array(numbers, dtype=of_numbers) if all(number in known for number in numbers) else labels
    if _is_text(classes) != (labels.dtype.kind == "O"):
        return labels, ""  # the metric says what it needs
    return labels, _unknown(labels, classes)  # 3


def _is_text(classes: Array) -> bool:
    return classes.dtype.kind == "U" or (classes.dtype.kind == "O" and all(isinstance(value, str) for value in classes.tolist()))


def _texts(labels: Array, written: Array | None) -> list[Array]:
    """Ways to write them."""
    values = labels.tolist()
    whole = [str(int(value)) if isinstance(value, float) and value.is_integer() else str(value) for value in values]
    forms = [written.tolist()] if written is not None else []
    return [np.array(form, dtype=object) for form in (*forms, [str(value) for value in values], whole)]


def _number(text: str) -> float:
    """A whole number with all its digits, of which float64 holds only so many; NaN for a text that is no number."""
    truth = _TRUTHS.get(text.strip().lower())
    if truth is not None:
        return int(truth)
    try:
        number = decimal.Decimal(text.strip())
    except decimal.InvalidOperation:
        return float("nan")
    whole = number.is_finite() and number.adjusted() < _MOST_DIGITS and number == number.to_integral_value()
    return int(number) if whole else float(number)


def _unknown(labels: Array, classes: Array) -> str:
    known = set(classes.tolist())
    unknown = sorted({label for label in labels.tolist() if label not in known}, key=str)
    if not unknown:
        return ""
    shown = _in_words(classes.tolist())
    folded = {_folded(value): value for value in known}
    close = next(((label, folded[_folded(label)]) for label in unknown if _folded(label) in folded), None)
    if close is not None:
        raise DataError(
            "a label differs from the model's class by case or spaces only",
            where="--target",
            expected=f"the model's classes: {shown}",
            found=f"{close[0]!r} for {close[1]!r}",
            advice="Write the labels as they were when the model was trained.",
        )
    if len(unknown) == len(set(labels.tolist())):
        raise DataError(
            "none of the labels is one of the model's classes",
            where="--target",
            expected=f"the model's classes: {shown}",
            found=_in_words(unknown),
            advice="Name the column of the labels with --target, and write them as they were when the model was trained.",
        )
    count = int(sum(label not in known for label in labels.tolist()))
    return f"{count} of {len(labels)} rows have a label that the model doesn't know ({_in_words(unknown)}); they count as wrong answers"


def _folded(value: object) -> object:
    return value.strip().casefold() if isinstance(value, str) else value


def _in_words(values: Sequence[object]) -> str:
    words = [repr(value) if isinstance(value, str) else f"{value:.9g}" if isinstance(value, float) else str(value) for value in values]
    return first_few(words, _SHOWN)
