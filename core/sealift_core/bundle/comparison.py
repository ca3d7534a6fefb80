"""Whether these outputs are the golden ones. Pure.

Floats: |a−b| ≤ atol + rtol·|b|, where b is the golden value; NaN equals NaN, an infinity itself. Everything else
(integers, booleans, text) is equal or it is not.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from sealift_core.bundle.golden import Array
from sealift_core.bundle.manifest import GoldenInfo


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class GoldenDifference:
    """The worst value of one output of one golden case.

    Attributes:
        case: The case's number.
        output: The output's name.
        excess: |a−b| over what is allowed, above 1 where the tolerance is left; infinite where nothing can be allowed (shape, integer, text, NaN).
        expected: The golden value, in words.
        actual: What came, in words.
    """

    case: int
    output: str
    excess: float
    expected: str
    actual: str

    def __str__(self) -> str:
        amount = "" if np.isinf(self.excess) else f" ({self.excess:.3g} times the tolerance)"
        return f"case {self.case}, output {self.output!r}: expected {self.expected}, found {self.actual}{amount}"


def compare_case(case: int, golden: Mapping[str, Array], actual: Mapping[str, Array], info: GoldenInfo) -> GoldenDifference | None:
    """Compare all outputs of a case.

    Args:
        case: The case's number.
        golden: The golden outputs, by name.
        actual: What came, by name.
        info: The tolerances, which each output may have of its own.

    Returns:
        The worst difference; None if every value is exactly the golden one.
    """
    differences = [compare(case, name, expected, actual[name], rtol=info.rtol, atol=info.atol_of(name)) for name, expected in golden.items()]
    return max((difference for difference in differences if difference is not None), key=lambda difference: difference.excess, default=None)


def compare(case: int, output: str, expected: Array, actual: Array, *, rtol: float, atol: float) -> GoldenDifference | None:
    """Compare one output.

    Args:
        case: The case's number.
        output: The output's name.
        expected: The golden values.
        actual: What came.
        rtol: The relative tolerance.
        atol: The absolute tolerance.

    Returns:
        The worst value; None if all are exactly the golden ones.
    """
    if actual.shape != expected.shape or actual.dtype.kind != expected.dtype.kind:
        return _difference(case, output, np.inf, f"{expected.dtype} {expected.shape}", f"{actual.dtype} {actual.shape}")
    excess = _float_excess(expected, actual, rtol, atol) if expected.dtype.kind == "f" else np.where(expected != actual, np.inf, 0.0)
    if excess.size == 0 or excess.max() == 0:
        return None
    at = np.unravel_index(int(excess.argmax()), excess.shape)
    place = f" at {[int(i) for i in at]}" if at else ""
    return _difference(case, output, float(excess[at]), f"{expected[at]!s:.200}", f"{actual[at]!s:.200}{place}")


def _difference(case: int, output: str, excess: float, expected: str, actual: str) -> GoldenDifference:
    return GoldenDifference(case=case, output=output, excess=float(excess), expected=expected, actual=actual)


def _float_excess(expected: Array, actual: Array, rtol: float, atol: float) -> Array:
    """|a−b| / (atol + rtol·|b|) by element: 0 where both are the same (NaN, infinities), infinite where one alone is."""
    b, a = expected.astype(np.float64), actual.astype(np.float64)
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    finite = np.isfinite(a) & np.isfinite(b)
    distance = np.abs(np.where(finite, a, 0) - np.where(finite, b, 0))
    allowed = atol + rtol * np.abs(np.where(finite, b, 0))
    ratio = np.divide(distance, allowed, out=np.full(distance.shape, np.inf), where=allowed > 0)
    result: Array = np.where(same, 0.0, np.where(finite, ratio, np.inf))
    return result
