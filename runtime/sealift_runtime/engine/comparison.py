"""Whether these outputs are the golden ones. Pure.

Floats: |a−b| ≤ atol + rtol·|b|, where b is the golden value; NaN equals NaN, an infinity itself. Everything else
(integers, booleans, text) is equal or it is not.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from sealift_core.bundle.golden import Array


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The worst value of one output of one golden case; ``excess`` is above 1 where the tolerance is left.

    ``excess`` is |a−b| over what is allowed; infinite where nothing can be allowed (shape, integer, text, NaN).
    """

    case: int
    output: str
    excess: float
    expected: str
    found: str

    def __str__(self) -> str:
        amount = "" if np.isinf(self.excess) else f" ({self.excess:.3g} times the tolerance)"
        return f"case {self.case}, output {self.output!r}: expected {self.expected}, found {self.found}{amount}"


def compare_case(case: int, golden: Mapping[str, Array], found: Mapping[str, Array], *, rtol: float, atol: float) -> Difference | None:
    """The worst difference over all outputs of a case, None if every value is exactly the golden one."""
    pairs = ((name, value, found[name]) for name, value in golden.items())
    differences = [compare(case, name, expected, value, rtol=rtol, atol=atol) for name, expected, value in pairs]
    return max((row for row in differences if row is not None), key=lambda row: row.excess, default=None)


def compare(case: int, output: str, expected: Array, found: Array, *, rtol: float, atol: float) -> Difference | None:
    """The worst value of one output, None if all are exactly the golden ones."""
    if found.shape != expected.shape or found.dtype.kind != expected.dtype.kind:
        return _difference(case, output, np.inf, f"{expected.dtype} {expected.shape}", f"{found.dtype} {found.shape}")
    excess = _float_excess(expected, found, rtol, atol) if expected.dtype.kind == "f" else np.where(expected != found, np.inf, 0.0)
    if excess.size == 0 or excess.max() == 0:
        return None
    at = np.unravel_index(int(excess.argmax()), excess.shape)
    place = f" at {[int(i) for i in at]}" if at else ""
    return _difference(case, output, float(excess[at]), f"{expected[at]!s:.200}", f"{found[at]!s:.200}{place}")


def _difference(case: int, output: str, excess: float, expected: str, found: str) -> Difference:
    return Difference(case=case, output=output, excess=float(excess), expected=expected, found=found)


def _float_excess(expected: Array, found: Array, rtol: float, atol: float) -> Array:
    """|a−b| / (atol + rtol·|b|) by element: 0 where both are the same (NaN, infinities), infinite where one alone is."""
    b, a = expected.astype(np.float64), found.astype(np.float64)
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    finite = np.isfinite(a) & np.isfinite(b)
    distance = np.abs(np.where(finite, a, 0) - np.where(finite, b, 0))
    allowed = atol + rtol * np.abs(np.where(finite, b, 0))
    ratio = np.divide(distance, allowed, out=np.full(distance.shape, np.inf), where=allowed > 0)
    result: Array = np.where(same, 0.0, np.where(finite, ratio, np.inf))
    return result
