"""Rows that the source model itself refuses: whose fault that may be. Pure."""

from __future__ import annotations

from typing import Final

import numpy as np

from sealift_packager.errors import DataError, first_line
from sealift_packager.model.source import Arrays

#: Of many columns, so many are named.
SHOWN: Final = 3


def refused(framework: str, inputs: Arrays, error: BaseException, *, what: str = "the holdout", rows: str = "") -> DataError:
    """The error to raise where the source fails on rows from the data: what it said, and text among numbers, which makes a whole column text.

    ``rows`` says in words which ones it refuses, where that is known.
    """
    return DataError(
        f"the source model fails on {what} (caused by: {type(error).__name__}: {first_line(error):.200})",
        where=f"--data, for {framework}",
        found="; ".join(filter(None, (rows, *stray_texts(inputs)[:SHOWN]))) or None,
        advice="The model's own predict must accept the holdout: check its columns, types and ranges.",
    )


def stray_texts(inputs: Arrays) -> list[str]:
    """For each input of text that is mostly numbers: its first value that is none, with its row; in words."""
    sentences = []
    for name, values in inputs.items():
        if values.dtype.kind == "O" and values.size:
            wrong = [number for number, value in enumerate(values.reshape(-1).tolist()) if not _is_number(value)]
            if 0 < len(wrong) <= values.size // 2:
                sentences.append(f"{name}: {str(values.reshape(-1)[wrong[0]])[:40]!r} in row {wrong[0]}, among numbers")
    return sentences


def _is_number(value: object) -> bool:
    try:
        return bool(np.isfinite(float(str(value))))
    except ValueError:
        return False
