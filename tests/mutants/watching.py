"""Which functions each test calls, found by running all of them once; and reports, handed on as they come."""

from __future__ import annotations

import sys
import threading
import time
import types
from collections.abc import Callable, Sequence
from typing import Any

import pytest


class Watching:
    """Runs all tests and notes which functions each calls, in any thread, and how long it takes."""

    def __init__(self, session: pytest.Session, functions: Sequence[list[types.FunctionType]]) -> None:
        self._session = session
        self._numbers = {function.__code__: number for number, found in enumerate(functions) for function in found}
        self._callers: dict[int, set[int]] = {number: set() for number in range(len(functions))}
        self._seconds: list[float] = []
        self._failed: list[str] = []
        self._index = 0

    def run(self) -> None:
        """Run them; fixtures that many share are made for the first, so each is taken to call what they call."""
        reports: list[pytest.TestReport] = []
        self._session.config.pluginmanager.register(Listener(reports.append))
        threading.setprofile(self._note)
        sys.setprofile(self._note)
        items = self._session.items
        for self._index, item in enumerate(items):
            began = time.monotonic()
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=items[self._index + 1] if self._index + 1 < len(items) else None)
            self._seconds.append(time.monotonic() - began)
        sys.setprofile(None)
        self._failed = [report.nodeid for report in reports if report.failed]

    def result(self) -> dict[str, Any]:
        """Everything, as JSON can hold it."""
        callers = {str(number): sorted(indices) for number, indices in self._callers.items()}
        return {"callers": callers, "seconds": self._seconds, "failed": self._failed}

    def _note(self, frame: types.FrameType, event: str, _argument: object) -> None:
        if event == "call":
            number = self._numbers.get(frame.f_code)
            if number is not None:
                self._callers[number].add(self._index)


class Listener:
    """Hands on each report."""

    def __init__(self, listen: Callable[[pytest.TestReport], None]) -> None:
        self._listen = listen

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._listen(report)
