"""The data plane's monitors: one per served model, counted off the request path, and the windows that they close.

Every request that was answered is in one window, and no window is taken twice:

1. A window that closes gets the next number of its model's stream and is written to windows.json before it is given to anybody.
2. What the open windows have counted is written there every `SAVE_S` seconds while there are requests. After a crash the next process goes on
   from it, so what is lost are the last `SAVE_S` seconds and the time that a write takes; `LOST_S` is promised.
3. A model that stops serving closes its window, with however few rows. Requests that end later make one more window, `RETIRE_S` after.
4. The spool remembers the newest number of each stream that it took. What was given twice, or wasn't acknowledged in time, is taken once.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from sealift_core.bundle import files
from sealift_core.bundle.digest import Digest
from sealift_core.clock import Clock
from sealift_core.drift.baseline import Baseline
from sealift_core.errors import SealiftError
from sealift_core.messages.report import CLIENT_FAILURES, Window
from sealift_core.verify.materialize import read_file
from sealift_runtime.agent.faults import Faults
from sealift_runtime.agent.window_journal import KeptOpen, WindowJournal, new_stream
from sealift_runtime.monitoring.monitor import ModelMonitor
from sealift_runtime.monitoring.prometheus import ModelMetrics, render
from sealift_runtime.reports.merging import merge
from sealift_runtime.reports.numbered import NumberedWindow
from sealift_runtime.update.desired import DataPlaneSettings

#: Ended windows that wait for the control plane; above, the oldest are merged. At the default window that is 25 days' worth of one model.
MAX_WAITING: Final = 600
SAVE_S: Final = 5.0
#: How much of what was counted a kill -9 may lose, in seconds.
LOST_S: Final = 10.0
#: A model that no longer serves may still be answering; above what a server drains for.
RETIRE_S: Final = 60.0
logger = logging.getLogger("sealift.agent")


class MonitoredModel:
    """A served model's identity with its monitor, and the stream of its windows."""

    def __init__(self, name: str, version: str, bundle: Digest, monitor: ModelMonitor) -> None:
        self.name = name
        self.version = version
        self.bundle = bundle
        self.monitor = monitor
        self.stream = new_stream()
        self.number = 0

    def close(self, clock: Clock, *, last: bool = False) -> NumberedWindow | None:
        """Its window, if that ended, or is the last one, and anything is in it."""
        return self.named(self.monitor.close_window(self.name, self.version, self.bundle, clock.now(), last=last))

    def resume(self, kept: KeptOpen) -> NumberedWindow | None:
        """Go on with a window of the same bundle; the window if it has to be closed."""
        self.stream, self.number = kept.stream, kept.number
        return self.named(self.monitor.resume(kept.window, self.name, self.version, self.bundle))

    def named(self, window: Window | None) -> NumberedWindow | None:
        """A window with the next number, if anything is in it."""
        if window is None or not (window.requests or window.failures or window.rows):
            return None
        self.number += 1
        return NumberedWindow(stream=self.stream, number=self.number, window=window)

    def keep(self, clock: Clock) -> KeptOpen:
        """Its open window, to be written down."""
        window = self.monitor.open_window(clock.now())
        return KeptOpen(stream=self.stream, number=self.number, model=self.name, version=self.version, bundle=self.bundle, window=window)

    def metrics(self) -> ModelMetrics:
        """What /metrics says about it."""
        return ModelMetrics(model=self.name, version=self.version, counters=self.monitor.counters(), drift=self.monitor.drift())


class Monitors:
    """All monitors; safe to use from several threads. ``settings`` hold for the monitors that begin from then on."""

    def __init__(self, settings: DataPlaneSettings, clock: Clock, kept: Path, faults: Faults | None = None) -> None:
        self.settings = settings
        self._faults = faults or Faults()
        self._clock = clock
        self._journal = WindowJournal(kept)
        self._lock = threading.Lock()
        self._monitored: dict[str, MonitoredModel] = {}
        self._retired: list[tuple[float, MonitoredModel]] = []
        self._left_open: list[KeptOpen] = []
        self._closed: list[NumberedWindow] = []
        self._written: list[NumberedWindow] = []
        self._given: dict[str, int] = {}
        self._changed = False
        self._counted: list[tuple[str, int, int, int, int]] = []
        self._save_at = clock.monotonic() + SAVE_S
        self.metrics = ""
        #: What the control plane said last; None before.
        self.troubles: Sequence[str] | None = None
        with self._faults.contained("monitoring"):
            self.metrics = render([])
        with self._faults.contained("monitoring"):
            self._take_back()

    def monitor(self, directory: Path, name: str = "") -> ModelMonitor:
        """A fresh monitor for the bundle of a model in ``directory``."""
        baseline = Baseline.parse(read_file(directory, files.BASELINE), where=str(directory / files.BASELINE))
        window_s, window_rows = self.settings.window_s, self.settings.window_rows

        def note(error: Exception) -> None:
            self._faults.note("monitoring", error, name)

        return ModelMonitor(baseline, window_s=window_s, minimum_rows=window_rows, clock=self._clock, on_fault=note)

    def begin(self, monitored: MonitoredModel) -> None:
        """Monitor a model that serves from now on; the window of the one that it replaces ends.

        A window of the same bundle that was open when the process before ended goes on.
        """
        with self._lock:
            self._end(monitored.name)
            self._monitored[monitored.name] = monitored
            left = next((kept for kept in self._left_open if (kept.model, kept.bundle) == (monitored.name, monitored.bundle)), None)
            if left:
                self._left_open.remove(left)
                self._keep(monitored.resume(left))
            self._save()

    def end(self, name: str) -> None:
        """Stop monitoring a model."""
        with self._lock:
            self._end(name)
            self._save()

    def _end(self, name: str) -> None:
        if old := self._monitored.pop(name, None):
            with self._faults.contained("monitoring", name):
                self._keep(old.close(self._clock, last=True))
            self._retired.append((self._clock.monotonic() + RETIRE_S, old))

    def settle(self) -> None:
        """Close the windows that were open when the process before ended, and whose bundle no longer serves."""
        with self._lock:
            left, self._left_open = self._left_open, []
            for kept in left:
                self._keep(None if kept.window.is_empty else kept.closed())
            if left:
                self._save()

    def tick(self) -> None:
        """Count what is queued, close the windows that are due, keep on disk what there is, and write the metrics anew."""
        with self._lock:
            before = self._closed[-1:]
            metrics = []
            for monitored in self._monitored.values():
                with self._faults.contained("monitoring", monitored.name):
                    monitored.monitor.count()
                    self._keep(monitored.close(self._clock))
                    metrics.append(monitored.metrics())
            self._retire()
            with self._faults.contained("monitoring"):
                self._save_if_due(closed=self._closed[-1:] != before)
        self.metrics = render(metrics, self._faults.counts, self.troubles)

    def _retire(self) -> None:
        now = self._clock.monotonic()
        due = [old for deadline, old in self._retired if deadline <= now]
        self._retired = [(deadline, old) for deadline, old in self._retired if deadline > now]
        for old in due:
            with self._faults.contained("monitoring", old.name):
                self._keep(old.close(self._clock, last=True))

    def _save_if_due(self, *, closed: bool) -> None:
        if closed or self._clock.monotonic() >= self._save_at:
            self._save_at = self._clock.monotonic() + SAVE_S
            self._save(closed or self._changed)

    def _save(self, changed: bool = True) -> None:
        """Keep on disk what there is, unless it is there already."""
        opened = [*self._left_open, *(kept for kept in self._open_windows() if kept.window.is_worth_keeping)]
        counted = [(kept.stream, kept.number, kept.window.requests, sum(kept.window.failures.values()), kept.window.rows) for kept in opened]
        if changed or counted != self._counted:
            self._journal.write(self._closed, opened)
            self._counted, self._written, self._changed = counted, list(self._closed), False

    def _open_windows(self) -> Iterator[KeptOpen]:
        for monitored in (*self._monitored.values(), *(old for _, old in self._retired)):
            with self._faults.contained("monitoring", monitored.name):
                yield monitored.keep(self._clock)

    def get(self, name: str) -> MonitoredModel | None:
        """A monitored model."""
        return self._monitored.get(name)

    def windows(self) -> list[NumberedWindow]:
        """The windows that are on disk and that nobody acknowledged."""
        with self._lock:
            for window in self._written:
                self._given[window.stream] = max(window.number, self._given.get(window.stream, 0))
            return list(self._written)

    def acknowledge(self, newest: Mapping[str, int]) -> None:
        """Let go the windows of each stream up to a number."""
        with self._lock:
            self._closed = [window for window in self._closed if window.number > newest.get(window.stream, 0)]
            self._written = [window for window in self._written if window.number > newest.get(window.stream, 0)]
            self._given = {stream: number for stream, number in self._given.items() if number > newest.get(stream, 0)}
            self._changed = True

    def put_away(self) -> None:
        """Before the process ends: keep on disk what nobody acknowledged, and the windows that are open."""
        with self._lock:
            for monitored in self._monitored.values():
                with self._faults.contained("monitoring", monitored.name):
                    monitored.monitor.count()
            self._save()

    def _take_back(self) -> None:
        try:
            self._closed, self._left_open = self._journal.read()
        except SealiftError as error:
            logger.warning("%s; the windows in it are lost", error)
            self._journal.path.unlink()
        self._written = list(self._closed)

    def _keep(self, window: NumberedWindow | None) -> None:
        if window is not None:
            self._closed.append(window)
            self._changed = True
            if len(self._closed) > MAX_WAITING:
                self._merge_oldest()

    def _merge_oldest(self) -> None:
        """Make one of the two oldest windows of a stream that nobody was given; the newer one's number stands for both."""
        for place, first in enumerate(self._closed):
            following = next((window for window in self._closed[place + 1 :] if window.stream == first.stream), None)
            if following and first.number > self._given.get(first.stream, 0):
                merged = NumberedWindow(stream=first.stream, number=following.number, window=merge(first.window, following.window))
                self._closed = [merged if window is following else window for window in self._closed if window is not first]
                return

    def summary(self) -> list[dict[str, Any]]:
        """Each monitored model with its totals and what drifts, for status."""
        with self._lock:
            monitored = list(self._monitored.values())
        summaries = []
        for model in monitored:
            with self._faults.contained("monitoring", model.name):
                summaries.append(_summary(model))
        return summaries


def _summary(model: MonitoredModel) -> dict[str, Any]:
    total = model.monitor.counters()
    return {
        "name": model.name,
        "version": model.version,
        "bundle": str(model.bundle),
        "requests": total.requests,
        "failures": {reason: count for reason, count in total.failures.items() if reason not in CLIENT_FAILURES},
        "refused_requests": {reason: count for reason, count in total.failures.items() if reason in CLIENT_FAILURES},
        "latency_counts": list(total.latency_counts),
        "drifted": [feature.name for feature in model.monitor.drift() if feature.alarm],
    }
