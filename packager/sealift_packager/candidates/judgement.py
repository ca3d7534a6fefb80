"""How a candidate answers the holdout, and the accuracy gate: the one rule on whether it may ship for that. Pure."""

from __future__ import annotations

import dataclasses
from typing import Final

from sealift_core.bundle.evaluation import Accuracy
from sealift_packager.model.source import Array

#: Tolerance for the last bit: 0.003 of 1,000 rows is three rows, however it was computed.
ROUNDING: Final = 1e-9


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A candidate's answers on all holdout rows (``outputs``), and what they lose against the source's own.

    ``worst_row`` is the largest loss of a single row, in budgets of a single row; None where the metric has no such limit.
    ``arithmetic`` says how the accuracy on the profile's processors is known, where this machine's differ; else it is empty.
    ``rows_wanted`` is how many rows the gate needs where there are too few, else 0. ``worst_channel`` is the channel, in words, that is furthest
    from the source's, of the outputs in which the metric doesn't show each, and ``channel_share`` its loss as a share of what a channel may lose;
    empty and 0 where there is none.
    """

    outputs: dict[str, Array]
    accuracy: Accuracy
    worst_row: float | None = None
    arithmetic: str = ""
    rows_wanted: int = 0
    worst_channel: str = ""
    channel_share: float = 0.0

    @property
    def passes(self) -> bool:
        """The accuracy gate.

        1. The upper 95 % bound of the loss is within the budget.
        2. No single row loses more than one row may.
        3. No channel of an output loses more than a channel may.
        """
        return self._mean_passes and self._worst_row_passes and self.channels_pass

    @property
    def only_worst_row_fails(self) -> bool:
        """Whether the gate is missed by a single row alone."""
        return self._mean_passes and not self._worst_row_passes

    @property
    def nearly_passes(self) -> bool:
        """Whether the gate is missed by no more than chance could explain: the loss, less what it is uncertain by, is within the budget."""
        loss = self.accuracy
        return self._worst_row_passes and self.channels_pass and loss.loss - (loss.loss_high - loss.loss) <= loss.budget

    @property
    def channels_pass(self) -> bool:
        """Whether no channel of an output loses more than a channel may."""
        return self.channel_share <= 1 + ROUNDING

    @property
    def _mean_passes(self) -> bool:
        return self.accuracy.loss_high <= self.accuracy.budget + ROUNDING

    @property
    def _worst_row_passes(self) -> bool:
        return self.worst_row is None or self.worst_row <= 1
