"""Which requests a model failed: told to the log, by the request's id, and never more than the log can take."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from typing import Final

#: So many failures of a model are logged in so many seconds; the others are counted in the next line.
MOST_LINES: Final = 20
PERIOD_S: Final = 60.0
_LOG: Final = logging.getLogger("sealift.inference")


class _Period:
    __slots__ = ("begun", "left_out", "lines")

    def __init__(self, begun: float) -> None:
        self.begun = begun
        self.lines = self.left_out = 0


class FailureLog:
    """The failures of all models. Safe to use from several threads."""

    def __init__(self) -> None:
        self._periods: dict[str, _Period] = {}
        self._lock = threading.Lock()

    def write(self, model: str, request_id: str | None, error: Exception, *, traceback: bool = False) -> str:
        """Log a failure, unless too many of this model were logged just now.

        Args:
            model: The model's name and version.
            request_id: The id that the client gave; None for none.
            error: What went wrong.
            traceback: Whether it is a fault of ours, whose place is of interest.

        Returns:
            The request's id, or one that was made for it, for the client to be told.
        """
        shown = request_id or secrets.token_hex(8)
        left_out = self._count(model)
        if left_out is not None:
            more = f" ({left_out} more failures of it weren't logged)" if left_out else ""
            _LOG.warning("%s failed request %s: %s%s", model, shown, error, more, exc_info=error if traceback else None)
        return shown

    def _count(self, model: str) -> int | None:
        """Count a failure; how many were left out before it, or None if it is left out, too."""
        now = time.monotonic()
        with self._lock:
            period = self._periods.get(model)
            left_out = 0
            if period is None or now - period.begun > PERIOD_S:
                left_out = period.left_out if period else 0
                period = self._periods[model] = _Period(now)
            period.lines += 1
            if period.lines > MOST_LINES:
                period.left_out += 1
                return None
            return left_out


FAILURES: Final = FailureLog()
