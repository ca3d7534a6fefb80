"""Compare two answers to one request: where they differ, and by how much. Pure."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from sealift_core.errors import first_few
from sealift_packager.model.output_names import DISTANCES, LABEL, PROBABILITIES, role_of, roles_of
from sealift_packager.model.source import Array, Arrays

#: |a−b| ≤ ATOL_SHARE·(largest finite |b| of the output, here or usually) + RTOL·|b|: float32 against the source's own arithmetic.
RTOL: Final = 1e-3
ATOL_SHARE: Final = 1e-5
#: Where an output varies by less than its size, |a−b| is at most SPREAD_SHARE·(its channel's standard deviation) + NOISE_STEPS of its type's steps at
#: the channel's size, and LEAST_SHARE of the whole output's.
SPREAD_SHARE: Final = 1e-3
NOISE_STEPS: Final = 16
#: Where these steps are much of the deviation, it is this share of the deviation, or one step. Less than CONSTANT_STEPS is rounding, and no spread.
NOISE_SHARE: Final = 2e-2
CONSTANT_STEPS: Final = 4
LOST_SHARE: Final = 1e-4
LEAST_SHARE: Final = 1e-12
#: Fewer rows say nothing of the spread.
SPREAD_ROWS: Final = 5
#: The same for outputs of half precision, whose numbers are 0.001 apart.
HALF_RTOL: Final = 1e-2
HALF_ATOL_SHARE: Final = 5e-3
#: A label may differ where the source's own two best probabilities are this near, or its two least distances as a share of the largest.
TIE: Final = 1e-5
SHOWN_ROWS: Final = 5
_NOTHING: Final[Mapping[str, Any]] = types.MappingProxyType({})


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
        shown = first_few([str(row) for row in self.rows], SHOWN_ROWS, counted=False)
        amount = "" if np.isinf(self.worst) else f", by up to {self.worst:.3g}"
        return f"output {self.output!r} differs in {len(self.rows)} of {self.total_rows} rows ({shown}){amount}: {self.expected} became {self.actual}"

    def numbered(self, numbers: Array) -> OutputDifference:
        """The same with its rows called by these numbers; as it is where the output has another number of rows."""
        return dataclasses.replace(self, rows=tuple(numbers[list(self.rows)].tolist())) if len(numbers) == self.total_rows else self


def sizes(answers: Arrays) -> dict[str, float]:
    """The largest finite |value| of each output that holds numbers."""
    return {name: float(_sizes(value).max(initial=0)) for name, value in answers.items() if value.dtype.kind == "f"}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """How an output's finite numbers vary: by channel (its last axis; a vector is one channel), the standard deviation and the largest |value|."""

    deviation: Array
    size: Array

    @property
    def lost(self) -> bool:
        """Whether float32, which rounds to steps of the size, has no room for a ten-thousandth of what a channel varies by."""
        with np.errstate(over="ignore", invalid="ignore"):
            steps = np.spacing(self.size.astype(np.float32))  # NaN beyond its range
        return bool(((self.deviation > 0) & ~(steps <= LOST_SHARE * self.deviation)).any())

    def with_other(self, other: Spread | None) -> Spread:
        """The larger of both, by channel; this one where the other has other channels."""
        if other is None or other.size.shape != self.size.shape:
            return self
        return Spread(deviation=np.maximum(self.deviation, other.deviation), size=np.maximum(self.size, other.size))


def spreads(answers: Arrays) -> dict[str, Spread]:
    """The spread of each output of single or double precision that has enough rows to show it."""
    return {name: _spread(value) for name, value in answers.items() if value.dtype.kind == "f" and value.dtype != np.float16 and _shows_spread(value)}


def _shows_spread(value: Array) -> bool:
    return value.ndim > 0 and len(value) >= SPREAD_ROWS and 0 not in value.shape


def _spread(value: Array) -> Spread:
    rows = _by_channel(value.astype(np.float64))
    finite = np.isfinite(rows)
    held, count = np.where(finite, rows, 0), np.maximum(finite.sum(axis=0), 1)
    scale = np.maximum(np.abs(held).max(axis=0), np.finfo(np.float64).tiny)  # squares of the largest numbers overflow
    mean = (held / scale).sum(axis=0) / count
    deviation = np.sqrt((np.where(finite, held / scale - mean, 0) ** 2).sum(axis=0) / count) * scale
    return Spread(deviation=deviation, size=np.abs(held).max(axis=0))


def compare(
    reference: Arrays,
    answers: Arrays,
    *,
    rtol: float = RTOL,
    spread_share: float = SPREAD_SHARE,
    constant_steps: float = CONSTANT_STEPS,
    usual: Mapping[str, float] = _NOTHING,
    usual_spreads: Mapping[str, Spread] = _NOTHING,
    least: Mapping[str, float] = _NOTHING,
    scores: Array | None = None,
    classes: Array | None = None,
) -> list[OutputDifference]:
    """Every output of ``reference`` that ``answers`` lacks or has otherwise; empty if they agree.

    ``scores`` are what the source chose labels by where that isn't in its answers: probabilities may be 1 for several classes that scores tell apart.
    ``classes`` are the labels by class, where they are known: of classes that are as good, each has its own.
    ``usual`` are `sizes` of answers to real rows: where one to a synthetic row is near 0 because a sum cancels, its error is of their size.
    ``usual_spreads`` are `spreads` of such answers, which a request of few rows doesn't show; of them ``spread_share`` is let pass.
    ``least`` is what an output's own operator rounds by, however small the output is (see `rounding`).
    A deviation of up to ``constant_steps`` is taken for rounding; 0 for a source that always rounds alike.
    """
    tied, own = _tied(_as_good(_preferences(reference), scores), roles_of(answers).get(LABEL), classes), spreads(reference)
    differences = []
    for name, expected in reference.items():
        spread = own[name].with_other(usual_spreads.get(name)) if name in own else usual_spreads.get(name)
        bounds = _Bounds(
            rtol=rtol,
            usual=usual.get(name, 0.0),
            spread=spread,
            spread_share=spread_share,
            constant_steps=constant_steps,
            least=least.get(name, 0.0),
        )
        differences.append(_compare(name, expected, answers.get(name), tied, bounds))
    return [difference for difference in differences if difference is not None]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Bounds:
    """What one output may be off by; see `compare`."""

    rtol: float
    usual: float
    spread: Spread | None
    spread_share: float
    constant_steps: float
    least: float

    def of(self, expected: Array) -> Array:
        """|a−b| at most, by element, of the source's answer as it came."""
        size = _sizes(expected.astype(np.float64))
        half = expected.dtype == np.float16
        share, rtol = (HALF_ATOL_SHARE, max(self.rtol, HALF_RTOL)) if half else (ATOL_SHARE, self.rtol)
        largest = size.max(initial=self.usual)
        bound: Array = np.maximum(np.asarray(share * largest + rtol * size), self.least)
        if self.spread is None or self.spread.size.shape != _by_channel(size).shape[1:]:
            return bound
        channel = np.maximum(self.spread.size, _by_channel(size).max(axis=0, initial=0))
        step, deviation = np.finfo(expected.dtype).eps * channel, self.spread.deviation
        varies = deviation > self.constant_steps * step
        noise = np.where(varies, np.minimum(NOISE_STEPS * step, np.maximum(NOISE_SHARE * deviation, step)), NOISE_STEPS * step)
        narrower: Array = np.minimum(bound, self.spread_share * deviation + noise + LEAST_SHARE * largest)
        return np.maximum(narrower, self.least).reshape(expected.shape)


def _by_channel(values: Array) -> Array:
    """[…, channels] as [numbers, channels]; a vector, or a single number, is of one channel."""
    return values.reshape(-1, values.shape[-1] if values.ndim > 1 else 1)


def _compare(name: str, expected: Array, actual: Array | None, tied: Array | None, bounds: _Bounds) -> OutputDifference | None:
    rows = len(expected) if expected.ndim else 1
    if actual is None or actual.shape != expected.shape:
        shape = "nothing" if actual is None else str(list(actual.shape))
        return OutputDifference(output=name, rows=tuple(range(rows)), total_rows=rows, worst=np.inf, expected=str(list(expected.shape)), actual=shape)
    wrong, distance = _wrong(expected, actual, bounds)
    if role_of(name) == LABEL and tied is not None:
        wrong &= ~tied
    if not wrong.any():
        return None
    at = np.unravel_index(int(np.where(wrong, distance, -1).argmax()), wrong.shape) if wrong.ndim else ()
    bad = np.unique(np.argwhere(wrong)[:, 0]) if wrong.ndim else np.array([0])
    worst = float(distance[at])
    return OutputDifference(
        output=name, rows=tuple(bad.tolist()), total_rows=rows, worst=worst, expected=f"{expected[at]!s:.80}", actual=f"{actual[at]!s:.80}"
    )


def _wrong(expected: Array, actual: Array, bounds: _Bounds) -> tuple[Array, Array]:
    """By element: whether it is wrong, and how far off (infinite where no distance says it)."""
    if expected.dtype.kind != "f" or actual.dtype.kind != "f":
        wrong = np.asarray(expected != actual)
        return wrong, np.where(wrong, np.inf, 0.0)
    b, a = expected.astype(np.float64), actual.astype(np.float64)
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    finite = np.isfinite(a) & np.isfinite(b)
    distance = np.where(same, 0.0, np.where(finite, np.abs(np.where(finite, a, 0) - np.where(finite, b, 0)), np.inf))
    return ~same & (distance > bounds.of(expected)), distance


def _sizes(values: Array) -> Array:
    magnitudes: Array = np.abs(np.where(np.isfinite(values), values, 0))
    return magnitudes


def _preferences(reference: Arrays) -> Array | None:
    """What the source chose its labels by, [rows, classes], at most 1; None if it doesn't return that."""
    answers = roles_of(reference)
    outputs = {role: answers[role] for role in (DISTANCES, PROBABILITIES) if role in answers and answers[role].ndim == 2}
    if LABEL in answers and DISTANCES in outputs:
        distances = outputs[DISTANCES]
        shares: Array = -distances / np.maximum(distances.max(axis=1, keepdims=True), np.finfo(np.float32).tiny)
        return shares
    return outputs.get(PROBABILITIES)


def _as_good(preferences: Array | None, scores: Array | None) -> Array | None:
    """Which classes are as good as the best one, [rows, classes], where a row has several; None where the source says of none."""
    if preferences is None:
        return None
    near = _near(preferences)
    if scores is None:
        return _several(near)
    by_score = _near(np.column_stack([-scores, scores]) if scores.ndim == 1 else scores)
    if by_score.shape == near.shape:
        return _several(near & by_score)
    return np.asarray(_several(near) & _several(by_score).any(axis=1, keepdims=True))


def _near(values: Array) -> Array:
    best = values.max(axis=1, keepdims=True, initial=-np.inf)
    near: Array = best - values <= TIE * np.maximum(1, np.abs(best))
    return near


def _several(near: Array) -> Array:
    return np.asarray(near & (near.sum(axis=1, keepdims=True) > 1))


def _tied(as_good: Array | None, labels: Array | None, classes: Array | None) -> Array | None:
    """Rows whose label may be another one: that of a class that is as good, where it is known which label is which class."""
    if as_good is None or labels is None or labels.shape != as_good.shape[:1]:
        return None
    if classes is None or classes.shape != as_good.shape[1:]:
        return np.asarray(as_good.any(axis=1))
    return np.asarray((as_good & (labels[:, None] == classes)).any(axis=1))
