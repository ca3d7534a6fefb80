"""Whether two answers are the same: a rule of its own, so that a fault of parity's rule shows too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from fuzz.random_tables import Values

#: Of a number, and of what the output usually varies by.
RTOL: Final = 2e-3
SPREAD_SHARE: Final = 5e-3
TIE: Final = 2e-5


def difference(
    expected: Mapping[str, Values], answers: Mapping[str, Values], usual: Mapping[str, Values], *, margins: Values | None, certain: Values
) -> str:
    """In words, the first output that differs; empty if none does."""
    for name, right in expected.items():
        left = answers[name].reshape(right.shape) if answers[name].size == right.size else answers[name]
        if left.shape != right.shape:
            return f"{name}: shape {left.shape} for {right.shape}"
        wrong = (
            _labels(right, left, expected.get("probabilities"), margins) if name == "label" else _amounts(right, left, usual.get(name, right), name)
        )
        wrong &= certain
        if wrong.any():
            row = int(np.argmax(wrong))
            return f"{name} differs in {int(wrong.sum())} of {len(wrong)} rows: row {row}: {right[row]} became {left[row]}"
    return ""


def _amounts(right: Values, left: Values, usual: Values, name: str) -> Values:
    finite = usual[np.isfinite(usual)]
    spread = 1.0 if name == "probabilities" else float(finite.std()) if finite.size else 0.0
    near = np.isclose(left.astype(np.float64), right, rtol=RTOL, atol=SPREAD_SHARE * spread + 1e-30, equal_nan=True)
    return np.asarray(~near.reshape(len(right), -1).all(axis=1))


def _labels(right: Values, left: Values, probabilities: Values | None, margins: Values | None) -> Values:
    wrong = np.array([str(one) != str(other) for one, other in zip(_plain(right), _plain(left), strict=True)])
    for scores in (probabilities, margins):
        if scores is not None:
            wrong &= ~_tied(scores)
    return wrong


def _plain(labels: Values) -> list[Any]:
    return [int(item) if isinstance(item, bool | np.bool_ | np.integer) else item for item in labels.tolist()]


def _tied(scores: Values) -> Values:
    """Rows whose two best are so near that either label is right."""
    if scores.ndim == 1:
        return np.asarray(np.abs(scores) <= TIE * max(1.0, float(np.abs(scores).max(initial=0))))
    best = np.sort(scores, axis=1)[:, -2:]
    return np.asarray(best[:, 1] - best[:, 0] <= TIE * np.maximum(1.0, np.abs(best[:, 1])))
