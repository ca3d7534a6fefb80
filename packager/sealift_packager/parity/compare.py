"""Compare two answers to one request: where they differ, and by how much. Pure."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping
from typing import Final

import numpy as np

from sealift_packager.model.source import Array, Arrays

#: |a−b| ≤ ATOL_SHARE·(largest finite |b| of the output, here or usually) + RTOL·|b|: float32 against the source's own arithmetic.
RTOL: Final = 1e-3
ATOL_SHARE: Final = 1e-5
#: The same for outputs of half precision, whose numbers are 0.001 apart.
HALF_RTOL: Final = 1e-2
HALF_ATOL_SHARE: Final = 5e-3
#: A label may differ where the source's own two best probabilities are this near, or its two least distances as a share of the largest.
TIE: Final = 1e-5
SHOWN_ROWS: Final = 5
_NOTHING: Final[Mapping[str, float]] = types.MappingProxyType({})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OutputDifference:
    """One output that differs: in how many rows, which ones first, by how much at worst."""

    output: str
    rows: tuple[int, ...]
    total_rows: int
    worst: float
    expected: str
    actual: str

    def __str__(self) -> str:
        shown = ", ".join(map(str, self.rows[:SHOWN_ROWS])) + (", …" if len(self.rows) > SHOWN_ROWS else "")
        amount = "" if np.isinf(self.worst) else f", by up to {self.worst:.3g}"
        return f"output {self.output!r} differs in {len(self.rows)} of {self.total_rows} rows ({shown}){amount}: {self.expected} became {self.actual}"


def sizes(answers: Arrays) -> dict[str, float]:
    """The largest finite |value| of each output that holds numbers."""
    return {name: float(_sizes(value).max(initial=0)) for name, value in answers.items() if value.dtype.kind == "f"}


def compare(
    reference: Arrays, answers: Arrays, *, rtol: float = RTOL, usual: Mapping[str, float] = _NOTHING, scores: Array | None = None
) -> list[OutputDifference]:
    """Every output of ``reference`` that ``answers`` lacks or has otherwise; empty if they agree.

    ``scores`` are what the source chose labels by where that isn't in its answers: probabilities may be 1 for several classes that scores tell apart.
    ``usual`` are `sizes` of answers to real rows: where one to a synthetic row is near 0 because a sum cancels, its error is of their size.
    """
    tied = _tied(_preferences(reference), scores)
    differences = [_compare(name, expected, answers.get(name), tied, (rtol, usual.get(name, 0.0))) for name, expected in reference.items()]
    return [difference for difference in differences if difference is not None]


def _compare(name: str, expected: Array, actual: Array | None, tied: Array | None, bounds: tuple[float, float]) -> OutputDifference | None:
    rows = len(expected) if expected.ndim else 1
    if actual is None or actual.shape != expected.shape:
        shape = "nothing" if actual is None else str(list(actual.shape))
        return OutputDifference(output=name, rows=tuple(range(rows)), total_rows=rows, worst=np.inf, expected=str(list(expected.shape)), actual=shape)
    wrong, distance = _wrong(expected, actual, *bounds)
    if name == "label" and tied is not None and wrong.ndim == 1:
        wrong &= ~tied
    if not wrong.any():
        return None
    at = np.unravel_index(int(np.where(wrong, distance, -1).argmax()), wrong.shape) if wrong.ndim else ()
    bad = np.unique(np.argwhere(wrong)[:, 0]) if wrong.ndim else np.array([0])
    worst = float(distance[at])
    return OutputDifference(
        output=name, rows=tuple(bad.tolist()), total_rows=rows, worst=worst, expected=f"{expected[at]!s:.80}", actual=f"{actual[at]!s:.80}"
    )


def _wrong(expected: Array, actual: Array, rtol: float, usual: float) -> tuple[Array, Array]:
    """By element: whether it is wrong, and how far off (infinite where no distance says it)."""
    if expected.dtype.kind != "f" or actual.dtype.kind != "f":
        wrong = np.asarray(expected != actual)
        return wrong, np.where(wrong, np.inf, 0.0)
    b, a = expected.astype(np.float64), actual.astype(np.float64)
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    finite = np.isfinite(a) & np.isfinite(b)
    size = _sizes(b)
    distance = np.where(same, 0.0, np.where(finite, np.abs(np.where(finite, a, 0) - np.where(finite, b, 0)), np.inf))
    half = expected.dtype == np.float16
    share, rtol = (HALF_ATOL_SHARE, max(rtol, HALF_RTOL)) if half else (ATOL_SHARE, rtol)
    return ~same & (distance > share * size.max(initial=usual) + rtol * size), distance


def _sizes(values: Array) -> Array:
    magnitudes: Array = np.abs(np.where(np.isfinite(values), values, 0))
    return magnitudes


def _preferences(reference: Arrays) -> Array | None:
    """What the source chose its labels by, [rows, classes], at most 1; None if it doesn't return that."""
    outputs = {name: reference[name] for name in ("distances", "probabilities") if name in reference and reference[name].ndim == 2}
    if "label" in reference and "distances" in outputs:
        distances = outputs["distances"]
        shares: Array = -distances / np.maximum(distances.max(axis=1, keepdims=True), np.finfo(np.float32).tiny)
        return shares
    return outputs.get("probabilities")


def _tied(preferences: Array | None, scores: Array | None) -> Array | None:
    """Rows whose two best classes are as good as each other; None where the source says of none."""
    if preferences is None:
        return None
    if preferences.shape[1] < 2:
        return np.ones(len(preferences), dtype=bool)
    tied = _near(preferences)
    return tied if scores is None else tied & _near(np.column_stack([-scores, scores]) if scores.ndim == 1 else scores)


def _near(values: Array) -> Array:
    best = np.sort(values, axis=1)
    near: Array = best[:, -1] - best[:, -2] <= TIE * np.maximum(1, np.abs(best[:, -1]))
    return near
