"""Reports on their way to the hub, apart from everything else: a hub that hangs holds up neither updates nor the end of the agent.

One sending runs at a time, on a thread of its own, and takes at most `BUDGET_S`; then its connections are cut, and the next one goes on with the
oldest report that has no receipt. Reports are in the spool until then, so a sending may be cut at any moment.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from sealift_core.errors import SealiftError
from sealift_core.http.http_session import HttpSession

#: How long one sending may take, whatever the hub does; a spool of 256 MiB needs several at 4 MiB/s.
BUDGET_S: Final = 60.0
#: How long the end of a sending is waited for once its connections are cut.
_LEAVE_S: Final = 1.0

#: Sends what there is; calls back with its session before it uses it.
Send = Callable[[Callable[[HttpSession], None]], object]


class Sending:
    """Sends on a thread, when asked and not sending already."""

    def __init__(self, send: Send, *, budget_s: float = BUDGET_S) -> None:
        """Prepare it; nothing is sent yet.

        Args:
            send: Sends what there is. It raises `SealiftError` for what is told and tried again.
            budget_s: How long it may take, in seconds.
        """
        self._send = send
        self._budget_s = budget_s
        self._lock = threading.Lock()
        self._session: HttpSession | None = None
        self._thread: threading.Thread | None = None
        self._cut = False
        self._outcome: BaseException | str | None = None

    def start(self) -> bool:
        """Begin to send; False while the sending before is on its way."""
        if self._thread is not None and self._thread.is_alive():
            return False
        self._cut, self._session = False, None
        self._thread = threading.Thread(target=self._run, name="sending", daemon=True)
        self._thread.start()
        return True

    def outcome(self) -> str | None:
        """What the last sending came to, once: the error's words, nothing ("") for a success, None if there is no news.

        What nobody foresaw is raised here.
        """
        outcome, self._outcome = self._outcome, None
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def stop(self) -> None:
        """Cut the connections, and wait a moment for the thread: a hub that doesn't even accept one is left to the end of the process."""
        self._end()
        if self._thread is not None:
            self._thread.join(_LEAVE_S)

    def _run(self) -> None:
        timer = threading.Timer(self._budget_s, self._end)
        timer.daemon = True
        timer.start()
        try:
            self._send(self._opened)
        except SealiftError as error:
            late = f" Sending was given up after {self._budget_s:.0f} seconds." if self._cut else ""
            self._outcome = f"{error}{late}"
        except Exception as error:  # noqa: BLE001 - raised by `outcome`, where the process can end by it
            self._outcome = error
        else:
            self._outcome = ""
        finally:
            timer.cancel()

    def _opened(self, session: HttpSession) -> None:
        with self._lock:
            self._session = session
            if self._cut:
                session.cut()

    def _end(self) -> None:
        with self._lock:
            self._cut = True
            if self._session is not None:
                self._session.cut()
