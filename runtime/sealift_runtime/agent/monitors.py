"""The data plane's monitors: one per served model, counted off the request path, and the windows that they close."""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import Any, Final

from sealift_core import beneath, durable
from sealift_core.bundle import files
from sealift_core.bundle.digest import Digest
from sealift_core.clock import Clock
from sealift_core.drift.baseline import Baseline
from sealift_core.errors import SealiftError
from sealift_core.messages.report import Window
from sealift_core.schema.documents import Document, canonical_json
from sealift_core.verify.materialize import read_file
from sealift_runtime.agent.faults import Faults
from sealift_runtime.monitoring.monitor import ModelMonitor
from sealift_runtime.monitoring.prometheus import ModelMetrics, render
from sealift_runtime.update.desired import DataPlaneSettings

#: Ended windows that wait for the control plane; above, the oldest goes. At the default window that is two days' worth.
MAX_WAITING: Final = 600
MAX_KEPT_BYTES: Final = 64 * 2**20
logger = logging.getLogger("sealift.agent")


class MonitoredModel:
    """A served model's identity with its monitor."""

    def __init__(self, name: str, version: str, bundle: Digest, monitor: ModelMonitor) -> None:
        self.name = name
        self.version = version
        self.bundle = bundle
        self.monitor = monitor

    def close(self, clock: Clock, *, early: bool) -> Window | None:
        """Its window, if that ended, or ``early``."""
        return self.monitor.close_window(self.name, self.version, self.bundle, clock.now(), early=early)

    def metrics(self) -> ModelMetrics:
        """What /metrics says about it."""
        return ModelMetrics(model=self.name, version=self.version, counters=self.monitor.counters(), drift=self.monitor.drift())


class Monitors:
    """All monitors; safe to use from several threads. ``settings`` hold for the monitors that begin from then on."""

    def __init__(self, settings: DataPlaneSettings, clock: Clock, kept: Path, faults: Faults | None = None) -> None:
        self.settings = settings
        self._faults = faults or Faults()
        self._clock = clock
        self._kept = kept
        self._lock = threading.Lock()
        self._monitored: dict[str, MonitoredModel] = {}
        self._windows: list[tuple[int, Window]] = []
        self._number = 0
        self.metrics = ""
        with self._faults.contained("monitoring"):
            self.metrics = render([])
            self._take_back()

    def monitor(self, directory: Path, name: str = "") -> ModelMonitor:
        """A fresh monitor for the bundle of a model in ``directory``."""
        baseline = Baseline.parse(read_file(directory, files.BASELINE), where=str(directory / files.BASELINE))
        window_s, window_rows = self.settings.window_s, self.settings.window_rows

        def note(error: Exception) -> None:
            self._faults.note("monitoring", error, name)

        return ModelMonitor(baseline, window_s=window_s, minimum_rows=window_rows, clock=self._clock, on_fault=note)

    def begin(self, monitored: MonitoredModel) -> None:
        """Monitor a model that serves from now on; the window of the one that it replaces ends."""
        with self._lock:
            self._end(monitored.name)
            self._monitored[monitored.name] = monitored

    def end(self, name: str) -> None:
        """Stop monitoring a model."""
        with self._lock:
            self._end(name)

    def _end(self, name: str) -> None:
        if old := self._monitored.pop(name, None):
            with self._faults.contained("monitoring", name):
                self._keep(old.close(self._clock, early=True))

    def tick(self) -> None:
        """Count what is queued, close the windows that are due, and write the metrics anew."""
        with self._lock:
            metrics = []
            for monitored in self._monitored.values():
                with self._faults.contained("monitoring", monitored.name):
                    monitored.monitor.count()
                    self._keep(monitored.close(self._clock, early=False))
                    metrics.append(monitored.metrics())
        self.metrics = render(metrics, self._faults.counts)

    def get(self, name: str) -> MonitoredModel | None:
        """A monitored model."""
        return self._monitored.get(name)

    def windows(self) -> tuple[int, list[Window]]:
        """The windows that nobody acknowledged, and the number to acknowledge them by."""
        with self._lock:
            return self._number, [window for _, window in self._windows]

    def acknowledge(self, number: int) -> None:
        """Let go the windows up to a number."""
        with self._lock:
            self._windows = [(last, window) for last, window in self._windows if last > number]

    def put_away(self) -> None:
        """Before the process ends: close all windows and keep on disk what nobody acknowledged."""
        with self._lock:
            for name in list(self._monitored):
                self._end(name)
            windows = [window.json() for _, window in self._windows]
        durable.write_bytes(self._kept, canonical_json({"windows": windows}))

    def _take_back(self) -> None:
        if not self._kept.is_file():
            return
        try:
            document = Document.parse_json(beneath.read_own(self._kept, MAX_KEPT_BYTES), where=str(self._kept), max_bytes=MAX_KEPT_BYTES)
            for window in document.documents("windows"):
                self._keep(Window.parse(window))
        except SealiftError as error:
            logger.warning("%s; the windows in it are lost", error)
            self._windows = []
        self._kept.unlink()

    def _keep(self, window: Window | None) -> None:
        if window is not None and (window.requests or window.failures):
            self._number += 1
            self._windows = [*self._windows[-MAX_WAITING:], (self._number, window)]

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
        "failures": dict(total.failures),
        "latency_counts": list(total.latency_counts),
        "drifted": [feature.name for feature in model.monitor.drift() if feature.alarm],
    }
