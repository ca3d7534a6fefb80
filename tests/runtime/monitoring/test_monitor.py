from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealift_core.bundle.digest import Digest
from sealift_core.drift.baseline import Baseline
from sealift_core.messages.histogram import BUCKETS, bucket
from sealift_core.messages.report import Window
from sealift_runtime.monitoring.monitor import MAX_FAILURE_REASONS, ModelMonitor
from sealift_runtime.monitoring.samples import QueueLimits
from sealift_runtime.reports.merging import merge
from support.baselines import baseline_of, category_feature, column_baseline, numeric_feature
from support.clocks import ManualClock

Array = np.ndarray[Any, np.dtype[Any]]
BUNDLE = Digest.of(b"bundle")
HOLDOUT = np.random.default_rng(0).normal(size=(1000, 4))
BASELINE = column_baseline(HOLDOUT)


class MonitorHarness:
    """A monitor with a clock moved by hand."""

    def __init__(self, baseline: Baseline = BASELINE, *, minimum_rows: int = 100, limits: QueueLimits | None = None) -> None:
        self.clock = ManualClock()
        self.monitor = ModelMonitor(baseline, window_s=60, minimum_rows=minimum_rows, clock=self.clock, limits=limits or QueueLimits())

    def serve(self, rows: Array, outputs: dict[str, Array] | None = None) -> None:
        self.monitor.observed({"x": rows}, outputs or {}, 1.0)

    def window(self) -> Window:
        self.clock.advance(60)
        window = self.monitor.close_window("m", "1.0.0", BUNDLE, self.clock.now())
        assert window is not None
        return window


def normal(rows: int, seed: int) -> Array:
    return np.random.default_rng(seed).normal(size=(rows, 4))


def test_a_window_closes_when_its_time_has_passed_and_not_before() -> None:
    harness = MonitorHarness()
    start = harness.clock.now()
    assert harness.monitor.close_window("m", "1.0.0", BUNDLE, start) is None
    window = harness.window()
    assert (window.start, window.end, window.requests) == (start, harness.clock.now(), 0)
    assert harness.monitor.close_window("m", "1.0.0", BUNDLE, harness.clock.now(), early=True) is not None


def test_requests_latencies_and_failures_of_a_window_are_its_own() -> None:
    harness = MonitorHarness()
    harness.serve(normal(3, 1))
    harness.monitor.failed("shape")
    first = harness.window()
    harness.monitor.observed({"x": normal(1, 1)}, {}, 250.0)
    second = harness.window()
    assert (first.requests, first.failures, first.latency_counts[bucket(1.0)]) == (1, {"shape": 1}, 1)
    assert (second.requests, second.failures, second.latency_counts[bucket(250.0)], sum(second.latency_counts)) == (1, {}, 1, 1)
    counters = harness.monitor.counters()
    assert (counters.requests, counters.rows, counters.failures, counters.latency_sum_ms) == (2, 4, {"shape": 1}, 251.0)


def test_too_few_rows_give_no_verdict_and_go_into_the_next_window() -> None:
    harness = MonitorHarness()
    harness.serve(normal(60, 1))
    first = harness.window()
    harness.serve(normal(60, 2))
    second = harness.window()
    assert (first.requests, first.rows, first.features) == (1, 0, ())
    assert (second.requests, second.rows, len(second.features)) == (1, 120, 4)
    assert sum(second.features[0].counts) == 120


def test_a_lasting_shift_is_an_alarm_in_its_second_window_and_names_the_feature() -> None:
    harness = MonitorHarness()
    seen = []
    for number in range(4):
        rows = normal(500, number)
        rows[:, 2] += 1.0 * (number >= 1)
        harness.serve(rows)
        seen.append(harness.window().drifted)
    assert seen == [(), (), ("x[2]",), ("x[2]",)]


def test_drift_is_that_of_the_running_window_or_else_of_the_last_full_one() -> None:
    harness = MonitorHarness()
    assert harness.monitor.drift() == ()
    harness.serve(normal(200, 1))
    assert sum(harness.monitor.drift()[0].counts) == 200
    closed = harness.window()
    harness.serve(normal(10, 2))
    assert harness.monitor.drift() == closed.features
    harness.serve(normal(90, 3))
    assert sum(harness.monitor.drift()[0].counts) == 100


def test_asking_for_drift_again_and_again_makes_no_alarm_of_one_window() -> None:
    harness = MonitorHarness()
    harness.serve(normal(500, 1) * 1000)
    assert not any(feature.alarm for _ in range(5) for feature in harness.monitor.drift())
    harness.window()
    harness.serve(normal(500, 2) * 1000)
    assert all(feature.alarm for feature in harness.monitor.drift())


@pytest.mark.parametrize("part", ["SampleQueue.put", "BinCounts.add", "read"])
def test_what_fails_is_given_to_whoever_runs_the_monitor_and_requests_are_counted_all_the_same(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError(part)

    faults: list[Exception] = []
    clock = ManualClock()
    watched = ModelMonitor(BASELINE, window_s=60, clock=clock, on_fault=faults.append)
    monkeypatch.setattr(f"sealift_runtime.monitoring.monitor.{part}", fail)
    watched.observed({"x": normal(200, 1)}, {}, 1.0)
    assert watched.drift() == ()
    clock.advance(60)
    window = watched.close_window("m", "1.0.0", BUNDLE, clock.now())
    assert window is not None
    assert (window.requests, window.rows, window.features) == (1, 0, ())
    assert str(faults[0]) == part
    monkeypatch.undo()
    watched.observed({"x": normal(200, 2)}, {}, 1.0)
    assert sum(watched.drift()[0].counts) == 200


def test_rows_beyond_the_queue_are_answered_but_counted_as_dropped() -> None:
    harness = MonitorHarness(limits=QueueLimits(rows=100))
    harness.serve(normal(150, 1))
    counters = harness.monitor.counters()
    assert (counters.requests, counters.rows, counters.dropped_rows) == (1, 100, 50)


def test_answers_that_are_not_finite_are_counted_whether_monitored_or_not() -> None:
    harness = MonitorHarness(Baseline.empty())
    harness.serve(normal(1, 1), {"y": np.array([[1.0, np.nan]], dtype=np.float32)})
    harness.serve(normal(1, 1), {"y": np.array([[1.0, np.inf]], dtype=np.float32)})
    harness.serve(normal(1, 1), {"y": np.array([[1.0]]), "label": np.array([3])})
    assert harness.monitor.counters().nonfinite == 2


def test_reasons_of_failures_are_bounded() -> None:
    harness = MonitorHarness()
    for number in range(MAX_FAILURE_REASONS + 10):
        harness.monitor.failed(f"reason {number}")
    failures = harness.monitor.counters().failures
    assert len(failures) <= MAX_FAILURE_REASONS + 1
    assert failures["other"] == 10


def test_texts_classes_and_tensors_of_changing_shape_are_monitored_together() -> None:
    words = np.array(["red", "blue"] * 100, dtype=object)
    holdout = np.random.default_rng(1).normal(size=200)
    features = [
        category_feature("word", "word", words),
        category_feature("scores.class", "scores", np.array([0, 1] * 100), side="output", statistic="class"),
        numeric_feature("sound.mean", "sound", holdout, statistic="mean"),
    ]
    monitor = ModelMonitor(baseline_of(features, rows=200), minimum_rows=1)
    for length in (3, 5):
        inputs = {"word": np.array(["red", "green"], dtype=object), "sound": np.zeros((2, length), dtype=np.float32)}
        monitor.observed(inputs, {"scores": np.array([[0.9, 0.1], [0.2, 0.8]])}, 1.0)
    counts = {feature.name: feature.counts for feature in monitor.drift()}
    assert counts["word"] == (0, 2, 2, 0)
    assert counts["scores.class"] == (2, 2, 0, 0)
    assert sum(counts["sound.mean"]) == 4


def test_scalars_and_tensors_that_a_request_leaves_out_do_no_harm() -> None:
    harness = MonitorHarness(minimum_rows=1)
    harness.monitor.observed({"x": np.float64(3.0) * np.ones(()), "other": np.ones(2)}, {"y": np.array(1.0)}, 1.0)
    assert harness.monitor.counters().rows == 0


@settings(max_examples=25, deadline=None)
@given(sizes=st.lists(st.integers(1, 40), min_size=2, max_size=6), cuts=st.sets(st.integers(0, 5)))
def test_windows_merged_equal_one_window_over_the_same_requests(sizes: list[int], cuts: set[int]) -> None:
    split, whole = MonitorHarness(minimum_rows=1), MonitorHarness(minimum_rows=1)
    merged: Window | None = None
    for place, size in enumerate(sizes):
        for harness in (split, whole):
            harness.serve(normal(size, place) + place)
        if place in cuts or place == len(sizes) - 1:
            part = split.window()
            merged = merge(merged, part) if merged else part
    once = whole.window()
    assert merged is not None
    assert [feature.counts for feature in merged.features] == [feature.counts for feature in once.features]
    assert (merged.requests, merged.rows, merged.latency_counts) == (once.requests, once.rows, once.latency_counts)
    assert len(merged.latency_counts) == BUCKETS


def test_counters_subtract_to_what_lies_between() -> None:
    harness = MonitorHarness()
    harness.serve(normal(3, 1))
    before = harness.monitor.counters()
    harness.serve(normal(5, 1))
    harness.monitor.failed("queue full")
    part = harness.monitor.counters().since(before)
    assert (part.requests, part.rows, part.failures, sum(part.latency_counts)) == (1, 5, {"queue full": 1}, 1)
    assert dataclasses.asdict(before.since(before))["rows"] == 0


@pytest.mark.parametrize("dtype", ["float32", "float16", "int32"])
def test_columns_of_any_dtype_are_counted(dtype: str) -> None:
    harness = MonitorHarness(minimum_rows=1)
    harness.serve(np.ones((7, 4), dtype=dtype))
    assert sum(harness.window().features[3].counts) == 7
