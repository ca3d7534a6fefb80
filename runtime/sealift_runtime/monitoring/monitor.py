"""One served model's monitor: counts what the server hands over, and closes windows."""

from __future__ import annotations

import datetime
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from sealift_core.bundle.digest import Digest
from sealift_core.clock import Clock, SystemClock
from sealift_core.drift.baseline import Baseline
from sealift_core.messages.histogram import BUCKETS, bucket
from sealift_core.messages.report import FeatureDrift, Window
from sealift_runtime.monitoring.counters import Counters
from sealift_runtime.monitoring.counting import BinCounts, count_nonfinite
from sealift_runtime.monitoring.drift import Persistence, Reading, read, significant, unread
from sealift_runtime.monitoring.open_window import OpenWindow
from sealift_runtime.monitoring.samples import DEFAULT_LIMITS, QueueLimits, SampleQueue

Array = np.ndarray[Any, np.dtype[Any]]

DEFAULT_WINDOW_S: Final = 3600.0
#: The smallest window that a baseline has thresholds for.
DEFAULT_MINIMUM_ROWS: Final = 100
MAX_FAILURE_REASONS: Final = 32


class ModelMonitor:
    """Monitors one served model; safe to use from several threads.

    `observed` and `failed` are the request path: a few counters and a bounded copy. `count`, `counters`, `drift` and
    `close_window` are for the control plane, and do the counting. A window ends after ``window_s``; its verdict needs
    ``minimum_rows``, so while there are fewer, its bins are kept for the window after it; the last window has them without
    a verdict. ``on_fault`` takes what counting or judging raises: the rows in question count nowhere, and whoever called goes
    on. Without it, it is raised.
    """

    def __init__(
        self,
        baseline: Baseline,
        *,
        window_s: float = DEFAULT_WINDOW_S,
        minimum_rows: int = DEFAULT_MINIMUM_ROWS,
        clock: Clock | None = None,
        limits: QueueLimits = DEFAULT_LIMITS,
        on_fault: Callable[[Exception], None] | None = None,
    ) -> None:
        self._baseline = baseline
        self._on_fault = on_fault
        self._window_s = window_s
        self._minimum_rows = max(1, minimum_rows)
        self._clock: Clock = clock or SystemClock()
        self._queue = SampleQueue(limits)
        self._lock = threading.Lock()
        self._counting = threading.RLock()
        self._requests = 0
        self._failures: dict[str, int] = {}
        self._latency_counts = [0] * BUCKETS
        self._latency_sum_ms = 0.0
        self._rows = 0
        self._nonfinite = 0
        self._bins = BinCounts(baseline)
        self._monitored_inputs = self._bins.tensors("input")
        self._monitored_outputs = self._bins.tensors("output")
        self._unmonitored_outputs: set[str] = set()
        self._persistence = Persistence()
        self._last: tuple[FeatureDrift, ...] = ()
        self._closed = Counters()
        self._carried = Counters()
        self._start = self._clock.now()
        self._start_s = self._clock.monotonic()

    def observed(self, inputs: Mapping[str, Array], outputs: Mapping[str, Array], latency_ms: float) -> None:
        """Note an answered request: arrays by tensor name, rows along axis 0. They may change once this returns."""
        place = bucket(latency_ms)
        with self._lock:
            self._requests += 1
            self._latency_counts[place] += 1
            self._latency_sum_ms += latency_ms
        try:
            self._sample(inputs, outputs)
        except Exception as error:  # noqa: BLE001 - nothing that a request holds may harm its answer
            self._contain(error)

    def _sample(self, inputs: Mapping[str, Array], outputs: Mapping[str, Array]) -> None:
        monitored, unmonitored = self._monitored_inputs, self._unmonitored_outputs
        self._queue.put(
            {name: array for name, array in inputs.items() if name in monitored and array.ndim},
            {name: array for name, array in outputs.items() if name not in unmonitored and self._is_queued(name, array)},
        )

    def _is_queued(self, name: str, array: Array) -> bool:
        """Whether an output is queued: monitored for drift, or of floats, which may not be finite. Others are remembered."""
        if array.ndim and (name in self._monitored_outputs or array.dtype.kind == "f"):
            return True
        self._unmonitored_outputs.add(name)
        return False

    def failed(self, reason: str) -> None:
        """Note a request that got no answer; after `MAX_FAILURE_REASONS` reasons the rest count as ``other``."""
        with self._lock:
            counted_apart = reason in self._failures or len(self._failures) < MAX_FAILURE_REASONS
            key = reason if counted_apart else "other"
            self._failures[key] = self._failures.get(key, 0) + 1

    def count(self) -> None:
        """Count what is queued into the bins of the running window."""
        with self._counting:
            samples = self._queue.drain()
            try:
                self._bins.add(samples)
                self._rows += sum(sample.rows for sample in samples)
                self._nonfinite += count_nonfinite(samples)
            except Exception as error:  # noqa: BLE001 - nothing that a request held may end what serves the next one
                self._contain(error)

    def _contain(self, error: Exception) -> None:
        if self._on_fault is None:
            raise error
        self._on_fault(error)

    def counters(self) -> Counters:
        """The totals since this monitor began, up to now."""
        with self._counting:
            self.count()
            with self._lock:
                return Counters(
                    requests=self._requests,
                    rows=self._rows,
                    failures=dict(self._failures),
                    nonfinite=self._nonfinite,
                    latency_counts=tuple(self._latency_counts),
                    latency_sum_ms=self._latency_sum_ms,
                    dropped_rows=self._queue.dropped_rows,
                )

    def drift(self) -> tuple[FeatureDrift, ...]:
        """What the running window says so far; while it has too few rows, what the last full one said (or nothing)."""
        with self._counting:
            self.count()
            if self._bins.rows < self._minimum_rows:
                return self._last
            try:
                readings, now = self._judge()
                return _drifts(readings, self._persistence.alarms(now))
            except Exception as error:  # noqa: BLE001 - as in `count`
                self._contain(error)
                return self._last

    def open_window(self, now: datetime.datetime) -> OpenWindow:
        """What the running window has counted up to ``now``."""
        with self._counting:
            part = self.counters().since(self._closed).plus(self._carried)
            return OpenWindow(
                start=min(self._start, now),
                saved=now,
                elapsed_s=round(self._clock.monotonic() - self._start_s, 3),
                requests=part.requests,
                failures=part.failures,
                latency_counts=part.latency_counts,
                rows=self._bins.rows,
                features=self._unjudged(),
                recent=self._persistence.recent,
            )

    def resume(self, window: OpenWindow, model: str, version: str, bundle: Digest) -> Window | None:
        """Go on with a window of the same bundle that was open when the process ended.

        Gives it closed, as it was left, if more than ``window_s`` have passed since (or the clock went backwards), or its bins are of another
        baseline. Otherwise it stays open.
        """
        with self._counting:
            names = [feature.name for feature in self._baseline.features]
            if [feature.name for feature in window.features] != names or not self._bins.resume(window.rows, [f.counts for f in window.features]):
                return window.close(model, version, bundle)
            self._persistence.resume(window.recent)
            self._carried = Counters(requests=window.requests, failures=window.failures, latency_counts=window.latency_counts)
            now = self._clock.now()
            self._start, self._start_s = window.start, self._start_s - window.elapsed_s
            if datetime.timedelta() <= now - window.saved <= datetime.timedelta(seconds=self._window_s):
                return None
            closed = self.close_window(model, version, bundle, window.saved, early=True)
            self._start = now
            return closed

    def close_window(
        self, model: str, version: str, bundle: Digest, now: datetime.datetime, *, early: bool = False, last: bool = False
    ) -> Window | None:
        """The window that ends at ``now``, or None while ``window_s`` haven't passed; ``early`` closes it anyhow, and so does ``last``.

        A window with fewer than ``minimum_rows`` has ``rows`` 0 and no features: its bins go into the next one. After the last there is none, so
        it has its bins all the same, without a verdict.
        """
        early = early or last
        with self._counting:
            if not early and self._clock.monotonic() - self._start_s < self._window_s:
                return None
            total = self.counters()
            part = total.since(self._closed).plus(self._carried)
            rows, features = self._close_bins(last=last)
            start = min(self._start, now)
            self._closed, self._carried, self._start, self._start_s = total, Counters(), now, self._clock.monotonic()
            return Window(
                model=model,
                version=version,
                bundle=bundle,
                start=start,
                end=now,
                requests=part.requests,
                rows=rows,
                failures=part.failures,
                latency_counts=part.latency_counts,
                features=features,
            )

    def _close_bins(self, *, last: bool) -> tuple[int, tuple[FeatureDrift, ...]]:
        rows = self._bins.rows
        if rows < self._minimum_rows:
            if not (last and rows):
                return 0, ()
            features, self._bins = self._unjudged(), BinCounts(self._baseline)
            return rows, features
        try:
            readings, now = self._judge()
            self._last = _drifts(readings, self._persistence.add(now))
        except Exception as error:  # noqa: BLE001 - as in `count`
            self._contain(error)
            rows, self._last = 0, ()
        self._bins = BinCounts(self._baseline)
        return rows, self._last

    def _unjudged(self) -> tuple[FeatureDrift, ...]:
        return tuple(unread(feature, counts).drift(alarm=False) for feature, counts in self._bins.snapshot())

    def _judge(self) -> tuple[list[Reading], tuple[bool, ...]]:
        readings = [read(feature, counts, minimum_rows=self._minimum_rows) for feature, counts in self._bins.snapshot()]
        return readings, significant(readings, 1.0 / self._baseline.expected_windows_between_false_alarms)


def _drifts(readings: list[Reading], alarms: tuple[bool, ...]) -> tuple[FeatureDrift, ...]:
    return tuple(reading.drift(alarm=alarm) for reading, alarm in zip(readings, alarms, strict=True))
