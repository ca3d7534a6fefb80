"""Is Sealift ahead? Pure.

1. What loses more of the metric than the budget on rows that nobody has seen, or, of embeddings, has a row further off than five budgets, isn't
   usable: it is no rival. If that is so of Sealift's own model, Sealift is behind.
2. The fp32 graph is a rival too: nothing that is slower is worth handing over.
3. A rival and Sealift's model are compared by latency, then by size (or by size, then by accuracy, as Sealift was asked): the first in which they
   differ decides. Latency differs if the whole interval of the paired runs lies beyond three per cent, size by more than one per cent, the loss
   by more than 0.0005.
4. Sealift is ahead if no rival wins and it wins against one; level if nobody wins; behind otherwise.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Final

from benchmarks.packager.values import FP32, ToolFigures

LATENCY_NOISE: Final = 0.03
SIZE_NOISE: Final = 0.01
LOSS_NOISE: Final = 0.0005
ROW_BUDGETS: Final = 5.0
ROUNDING: Final = 1e-9


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """``standing`` is ahead, level or behind; ``against`` has a sentence on every rival."""

    standing: str
    against: Mapping[str, str]

    @property
    def flagged(self) -> bool:
        """Whether a reason has to be given."""
        return self.standing == "behind"


def unusable(figures: ToolFigures, budget: float) -> str:
    """Why a model can't be used; empty if it can (1)."""
    if figures.loss > budget + ROUNDING:
        return f"loses {figures.loss:.3g}, more than the budget of {budget:g}"
    least = 1 - ROW_BUDGETS * budget
    if figures.cosine_least is not None and figures.cosine_least < least:
        return f"its worst row has a cosine of {figures.cosine_least:.3f}, below {least:.2f}"
    return ""


def judge(sealift: ToolFigures, rivals: Sequence[ToolFigures], *, budget: float, order: Sequence[str] = ("latency", "size")) -> Ranking:
    """Compare Sealift's model with all others, the fp32 graph among them."""
    fault = unusable(sealift, budget)
    if fault:
        return Ranking(standing="behind", against={FP32: f"Sealift's model {fault}"})
    results: dict[str, tuple[int, str]] = {}
    for rival in rivals:
        reason = unusable(rival, budget)
        results[rival.tool] = (0, f"not usable: {reason}") if reason else _duel(sealift, rival, order)
    wins = [score for score, _ in results.values()]
    standing = "behind" if min(wins, default=0) < 0 else "ahead" if max(wins, default=0) > 0 else "level"
    return Ranking(standing=standing, against={name: sentence for name, (_, sentence) in results.items()})


def _duel(sealift: ToolFigures, rival: ToolFigures, order: Sequence[str]) -> tuple[int, str]:
    """1 where Sealift wins, −1 where the rival does, 0 where neither does; and a sentence."""
    for name in order:
        score, sentence = _AXES[name](sealift, rival)
        if score:
            return score, sentence
    return 0, "no difference"


def _latency(sealift: ToolFigures, rival: ToolFigures) -> tuple[int, str]:
    beside = sealift.beside[rival.tool]
    text = f"{beside.ratio:.2f}× as fast as Sealift's ({beside.low:.2f}–{beside.high:.2f})"
    return (-1 if beside.low > 1 + LATENCY_NOISE else 1 if beside.high < 1 - LATENCY_NOISE else 0), text


def _size(sealift: ToolFigures, rival: ToolFigures) -> tuple[int, str]:
    share = rival.size_bytes / sealift.size_bytes
    return (-1 if share < 1 - SIZE_NOISE else 1 if share > 1 + SIZE_NOISE else 0), f"{share:.2f} times the size of Sealift's"


def _accuracy(sealift: ToolFigures, rival: ToolFigures) -> tuple[int, str]:
    worse = rival.loss - sealift.loss
    return (-1 if worse < -LOSS_NOISE else 1 if worse > LOSS_NOISE else 0), f"loses {worse:+.4f} against Sealift's"


_AXES: Final = {"latency": _latency, "size": _size, "accuracy": _accuracy}
