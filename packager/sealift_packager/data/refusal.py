"""Rows that the source model itself refuses: whose fault that may be. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import numpy as np

from sealift_packager.errors import DataError, first_line
from sealift_packager.model.source import Array, Arrays

#: Of many columns, so many are named.
SHOWN: Final = 3


#: Words that are read as numbers where a column has no others.
_TRUTHS: Final = ("true", "false")
_NOT_A_NUMBER: Final = re.compile(r"could not convert string to float: (?:np\.str_\()?['\"](.*)['\"]")
_PLAIN: Final = "Write the numbers plainly, with a point before the decimals and nothing between the digits: 1234.5."
_ENCODE: Final = "The model was trained on numbers here: write the values as the numbers that they were then, or leave a missing one empty."
_ADVICE: Final = (
    (re.compile(r"\s*[-+]?[0-9]{1,3}([,.' \u00a0\u202f][0-9]{3})+([.,][0-9]+)?\s*"), f"Are these thousands separators? {_PLAIN}"),
    (re.compile(r"\s*[-+]?[0-9]+,[0-9]+\s*"), f"Are these decimal commas? {_PLAIN}"),
    (re.compile(r"\s*[-+(]*[$€£¥]?\s*[-+]?[0-9.,]+\s*[%$€£¥)]*\s*"), f"Remove the unit. {_PLAIN}"),
    (
        re.compile(r"\s*([0-9]{4}[-/.][0-9]{1,2}[-/.][0-9]{1,2}|[0-9]{1,2}[-/.][0-9]{1,2}[-/.][0-9]{2,4})([ T].*)?"),
        "Write dates as the numbers that the model was trained on.",
    ),
)


def refused(
    framework: str, inputs: Arrays, error: BaseException, *, what: str = "the holdout", rows: str = "", numbers: Sequence[int] = ()
) -> DataError:
    """The error to raise where the source fails on rows from the data: what it said, and text among numbers, which makes a whole column text.

    ``rows`` says in words which ones it refuses, where that is known; ``numbers`` are those of all rows in the data, empty where they count from 0.
    """
    said = _NOT_A_NUMBER.search(first_line(error))
    stray = _find(inputs, said[1]) if said else None
    if stray is not None:
        name, place, text = stray
        row = numbers[place] if len(numbers) else place
        strays = [sentence for sentence in stray_texts(inputs, numbers) if sentence.startswith(f"{name}: ")]
        return DataError(
            f"the source model fails on {what}: it takes numbers, not text",
            where=f"--data, for {framework}",
            expected="numbers",
            found=strays[0] if strays else f"{name}: {text[:40]!r} in row {row}",
            advice=_advice(text),
        )
    return DataError(
        f"the source model fails on {what} (caused by: {type(error).__name__}: {first_line(error):.200})",
        where=f"--data, for {framework}",
        found="; ".join(filter(None, (rows, *stray_texts(inputs, numbers)[:SHOWN]))) or None,
        advice="The model's own predict must accept the holdout: check its columns, types and ranges.",
    )


def _find(inputs: Arrays, text: str) -> tuple[str, int, str] | None:
    """The first column and row that hold a text, and the text."""
    for name, values in inputs.items():
        if values.dtype.kind == "O" and values.size:
            for number, value in enumerate(values.reshape(-1).tolist()):
                if value == text:
                    return name, number // (values.size // len(values)), text
    return None


def stray_texts(inputs: Arrays, numbers: Sequence[int] = ()) -> list[str]:
    """For each input of text that is mostly numbers: its first value that is none, with its row, called by ``numbers``; in words."""
    sentences = []
    for name, values in inputs.items():
        if values.dtype.kind == "O" and values.size:
            wrong = [number for number, value in enumerate(values.reshape(-1).tolist()) if not _is_number(value)]
            if 0 < len(wrong) <= values.size // 2:
                place = wrong[0] // (values.size // len(values))
                row = numbers[place] if len(numbers) else place
                sentences.append(f"{name}: {str(values.reshape(-1)[wrong[0]])[:40]!r} in row {row}, among numbers")
    return sentences


def describe_text(values: Array) -> tuple[str, str]:
    """A column of text where numbers are needed: its first value that is none, truth values last, and what to do about one like it."""
    texts = [(number, str(value)) for number, value in enumerate(values.reshape(-1).tolist()) if value != "" and not _is_number(value)]
    number, text = min(texts, key=lambda place: place[1].lower() in _TRUTHS, default=(0, ""))
    return f"text: {text[:40]!r} in row {number // (values.size // len(values))}", _advice(text)


def _advice(text: str) -> str:
    return next((advice for pattern, advice in _ADVICE if pattern.fullmatch(text[:80])), _ENCODE)


def _is_number(value: object) -> bool:
    try:
        return bool(np.isfinite(float(str(value))))
    except ValueError:
        return False
