"""Runs of a model with an end: onnxruntime looks between two nodes, and in loops, whether it is to stop."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

import onnxruntime

from sealift_core.bundle.golden import Array
from sealift_core.errors import EngineError

#: How often runs are looked at. One may take this much longer than it may, and what its last node takes.
LOOK_S: Final = 0.05


class RunEndedError(EngineError):
    """A run took too long, or nobody waits for its answer any more."""


class RunLimit:
    """How long one run may take.

    Attributes:
        seconds: The limit, from when the run begins.
        abandoned: Whether nobody waits for the answer any more; may be set by any thread, before the run and in its course.
    """

    __slots__ = ("abandoned", "seconds")

    def __init__(self, seconds: float) -> None:
        """Make a limit.

        Args:
            seconds: How long the run may take.
        """
        self.seconds = seconds
        self.abandoned = False


class _Run:
    __slots__ = ("deadline", "limit", "options")

    def __init__(self, limit: RunLimit) -> None:
        self.limit = limit
        self.deadline = time.monotonic() + limit.seconds
        self.options = onnxruntime.RunOptions()

    @property
    def is_over(self) -> bool:
        return self.limit.abandoned or time.monotonic() > self.deadline


class Watch:
    """Ends runs, from a thread that sleeps while there are none. Safe to use from several threads."""

    def __init__(self) -> None:
        self._runs: dict[int, _Run] = {}
        self._busy = threading.Event()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def run(self, session: onnxruntime.InferenceSession, names: Sequence[str], inputs: Mapping[str, Array], limit: RunLimit, where: str) -> list[Any]:
        """Run a session; `RunEndedError`, which names ``where``, if that was ended, or what onnxruntime raises."""
        run = _Run(limit)
        self._runs[id(run)] = run
        if not self._busy.is_set():
            self._wake()
        try:
            return list(session.run(names, inputs, run.options))
        except Exception as error:
            if run.options.terminate:
                reason = "nobody waits for its answer" if limit.abandoned else f"it took more than {limit.seconds:g} s"
                raise RunEndedError(f"the model was stopped: {reason}", where=where) from error
            raise
        finally:
            del self._runs[id(run)]

    def _wake(self) -> None:
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._look, name="run-limit", daemon=True)
                self._thread.start()
        self._busy.set()

    def _look(self) -> None:
        while True:
            self._busy.wait()
            time.sleep(LOOK_S)
            for run in list(self._runs.values()):
                if run.is_over:
                    run.options.terminate = True
            if not self._runs:
                self._busy.clear()
                if self._runs:  # one began meanwhile, and saw that nobody sleeps
                    self._busy.set()


WATCH: Final = Watch()
