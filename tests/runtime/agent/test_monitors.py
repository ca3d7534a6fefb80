"""Every request is in one window, and every window is taken once, whatever is killed in between."""

from __future__ import annotations

import datetime
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sealift_core.bundle.digest import Digest
from sealift_core.drift.baseline import Baseline
from sealift_core.messages.report import open_report
from sealift_core.signing.keys import PrivateKey
from sealift_runtime.agent import monitors as module
from sealift_runtime.agent.monitors import RETIRE_S, SAVE_S, MonitoredModel, Monitors
from sealift_runtime.agent.window_journal import WindowJournal
from sealift_runtime.monitoring.monitor import ModelMonitor
from sealift_runtime.reports.numbered import NumberedWindow
from sealift_runtime.reports.spool import ReportSpool
from sealift_runtime.update.desired import DataPlaneSettings
from support.baselines import column_baseline
from support.clocks import ManualClock
from support.windows import HOST, make_window

BUNDLE, OTHER = Digest.of(b"bundle"), Digest.of(b"other")
BASELINE = column_baseline(np.random.default_rng(0).normal(size=(500, 2)))
KEY = PrivateKey.generate()
HOUR = 3600.0


class Device:
    """A data plane's monitors and the spool of one home; `start` is what comes after a kill."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.clock = ManualClock()
        self.answered = 0
        self.spool = ReportSpool(home / "reports.sqlite", KEY, self.clock)
        self.start()

    def start(self, bundle: Digest = BUNDLE, baseline: Baseline = BASELINE) -> None:
        self.monitors = Monitors(DataPlaneSettings(window_s=HOUR, window_rows=100), self.clock, self.home / "windows.json")
        self.serve(bundle, baseline)
        self.monitors.settle()

    def serve(self, bundle: Digest, baseline: Baseline = BASELINE) -> MonitoredModel:
        monitor = ModelMonitor(baseline, window_s=HOUR, minimum_rows=100, clock=self.clock)
        self.model = MonitoredModel("wear", "1.0.0", bundle, monitor)
        self.monitors.begin(self.model)
        return self.model

    def ask(self, requests: int, model: MonitoredModel | None = None) -> None:
        rows = np.random.default_rng(self.answered).normal(size=(1, 2))
        for _ in range(requests):
            (model or self.model).monitor.observed({"x": rows}, {}, 1.0)
        self.answered += requests

    def after(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.monitors.tick()

    def report(self) -> None:
        newest = self.spool.take(self.monitors.windows())
        self.monitors.acknowledge(newest)

    def windows(self) -> list[Any]:
        """All windows in the spool."""
        self.spool.add(HOST, [], [], [])
        return [window for number, envelope in self.spool.pending() for window in open_report(envelope, KEY.public_key, where=str(number)).windows]

    def counted(self) -> tuple[int, int]:
        """Requests and rows (of the first feature's bins) in the spool."""
        windows = self.windows()
        return sum(window.requests for window in windows), sum(sum(window.features[0].counts) for window in windows if window.features)


@pytest.fixture
def device(tmp_path: Path) -> Device:
    return Device(tmp_path)


def test_windows_that_were_not_acknowledged_are_taken_once(device: Device) -> None:
    device.ask(150)
    device.after(HOUR)
    device.spool.take(device.monitors.windows())  # the control plane ends here
    device.report()
    device.ask(20)
    device.after(HOUR)
    device.report()
    assert device.counted()[0] == device.answered


def test_a_data_plane_that_is_killed_loses_what_came_since_it_last_wrote(device: Device) -> None:
    device.ask(150)
    device.after(SAVE_S)
    device.ask(7)
    device.start()
    device.ask(20)
    device.after(HOUR)
    device.report()
    assert device.counted() == (device.answered - 7, device.answered - 7)


@pytest.mark.parametrize(
    "cut", ["before it is written", "before it is given", "before it is taken", "before it is acknowledged", "before that is written"]
)
def test_a_kill_while_a_window_closes_loses_and_doubles_nothing_that_was_written(device: Device, cut: str, monkeypatch: pytest.MonkeyPatch) -> None:
    device.ask(150)
    device.after(SAVE_S)
    if cut == "before it is written":
        monkeypatch.setattr(WindowJournal, "write", lambda *_: None)
    device.after(HOUR - SAVE_S)
    if cut == "before it is taken":
        device.monitors.windows()
    if cut == "before it is acknowledged":
        device.spool.take(device.monitors.windows())
    if cut == "before that is written":
        device.report()
    monkeypatch.undo()
    device.start()
    device.report()
    device.ask(30)
    device.after(2 * HOUR)
    device.report()
    assert device.counted()[0] == device.answered


def test_a_window_is_given_only_once_it_is_on_disk(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError("no room")

    device.ask(150)
    with monkeypatch.context() as broken:
        broken.setattr(WindowJournal, "write", fail)
        device.after(HOUR)
        assert device.monitors.windows() == []
    device.after(SAVE_S)
    device.report()
    assert device.counted()[0] == device.answered


def test_few_rows_are_kept_over_an_ordinary_end(device: Device) -> None:
    device.ask(30)
    device.monitors.put_away()
    device.start()
    device.ask(80)
    device.after(HOUR)
    device.report()
    assert device.counted() == (110, 110)
    assert [window.rows for window in device.windows()] == [110]


def test_few_rows_are_kept_over_a_swap_without_a_verdict(device: Device) -> None:
    device.ask(30)
    device.serve(OTHER)
    device.ask(5)
    device.after(HOUR)
    device.serve(BUNDLE)
    device.report()
    windows = device.windows()
    assert [(window.bundle, window.requests, window.rows) for window in windows] == [(BUNDLE, 30, 30), (OTHER, 5, 0), (OTHER, 0, 5)]
    assert [(feature.alarm, feature.distance, feature.psi, feature.threshold) for feature in windows[0].features] == [(False, 0.0, 0.0, 1.0)] * 2


def test_what_the_old_version_answers_after_a_swap_is_counted(device: Device) -> None:
    old = device.model
    device.ask(10)
    device.serve(OTHER)
    device.ask(3, old)
    device.after(RETIRE_S)
    device.report()
    assert [(window.bundle, window.requests) for window in device.windows()] == [(BUNDLE, 10), (BUNDLE, 3)]


def test_a_window_of_a_bundle_that_serves_no_more_is_closed_as_it_was_left(device: Device) -> None:
    device.ask(30)
    device.monitors.put_away()
    device.start(OTHER)
    device.report()
    assert [(window.bundle, window.requests, window.rows) for window in device.windows()] == [(BUNDLE, 30, 30)]


@pytest.mark.parametrize("away_s", [2 * HOUR, -2 * HOUR], ids=["long", "clock set back"])
def test_after_a_long_time_without_a_process_the_window_ends_where_it_was_left(device: Device, away_s: float) -> None:
    left = device.clock.now()
    device.ask(150)
    device.monitors.put_away()
    device.clock.set(left + datetime.timedelta(seconds=away_s))
    device.start()
    device.report()
    assert [(window.requests, window.rows, window.end) for window in device.windows()] == [(150, 150, left)]


def test_an_alarm_outlives_the_process(device: Device) -> None:
    shifted = np.full((150, 2), 100.0)
    for _ in range(2):
        device.model.monitor.observed({"x": shifted}, {}, 1.0)
        device.after(HOUR)
        device.monitors.put_away()
        device.start()
    device.report()
    assert [window.drifted for window in device.windows()] == [(), ("x[0]", "x[1]")]


def test_windows_that_an_agent_of_before_kept_are_taken_once(tmp_path: Path) -> None:
    before = {"windows": [make_window(number).json() for number in range(3)]}
    (tmp_path / "windows.json").write_text(json.dumps(before, default=str))
    device = Device(tmp_path)
    for _ in range(2):
        device.report()
    assert [window.start for window in device.windows()] == [make_window(number).start for number in range(3)]


def test_while_nobody_takes_windows_the_oldest_are_merged_and_none_is_lost(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_WAITING", 5)
    for _ in range(12):
        device.ask(10)
        device.after(HOUR)
    assert len(device.monitors.windows()) == 5
    device.report()
    assert device.counted()[0] == device.answered


def test_nothing_is_written_while_nobody_asks(device: Device) -> None:
    device.ask(10)
    device.after(SAVE_S)
    (device.home / "windows.json").unlink()
    for _ in range(5):
        device.after(SAVE_S)
    assert not (device.home / "windows.json").exists()


def test_a_copy_of_every_moment_counts_each_request_at_most_once(device: Device, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Each step between data plane, journal, spool: the home as it was then, started anew."""
    moments: list[tuple[Path, int, int]] = []

    def moment(certain: int) -> None:
        copy = tmp_path_factory.mktemp("moment")
        for path in device.home.iterdir():
            shutil.copy(path, copy)
        moments.append((copy, certain, device.answered))

    steps: list[Callable[[], object]] = [
        lambda: device.ask(60),
        lambda: device.after(SAVE_S),
        lambda: device.after(HOUR),
        lambda: device.spool.take(device.monitors.windows()),
        device.report,
        lambda: device.spool.add(HOST, [], [], []),
    ]
    written = 0
    for number in range(18):
        steps[number % len(steps)]()
        written = device.answered if number % len(steps) else written
        moment(written)
    for home, certain, most in moments:
        again = Device(home)
        again.report()
        again.after(2 * HOUR)
        again.serve(OTHER)
        again.report()
        assert certain <= again.counted()[0] <= most


def test_a_stream_that_comes_again_with_an_older_number_is_not_taken(tmp_path: Path) -> None:
    spool = ReportSpool(tmp_path / "reports.sqlite", KEY, ManualClock())
    windows = [NumberedWindow(stream="a" * 32, number=number, window=make_window(number)) for number in (2, 1, 3)]
    assert spool.take(windows[1:]) == {"a" * 32: 3}
    assert spool.take(windows) == {"a" * 32: 3}
    spool.add(HOST, [], [], [])
    report = open_report(spool.pending()[0][1], KEY.public_key, where="1")
    assert [window.start for window in report.windows] == [make_window(1).start, make_window(3).start]
