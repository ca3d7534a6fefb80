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
from sealift_runtime.monitoring.monitor import MAX_FAILURE_KINDS, ModelMonitor
from sealift_runtime.monitoring.samples import QueueLimits
from sealift_runtime.reports.merging import merge
from support.baselines import baseline_of, category_feature, column_baseline, numeric_feature
from support.clocks import ManualClock

Array = np.ndarray[Any, np.dtype[Any]]
BUNDLE = Digest.of(b"bundle")
HOLDOUT = np.random.default_rng(0).normal(size=(1000, 4))
BASELINE = column_baseline(HOLDOUT)


class Device:
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
    device = Device()
    start = device.clock.now()
    assert device.monitor.close_window("m", "1.0.0", BUNDLE, start) is None
    window = device.window()
    assert (window.start, window.end, window.requests) == (start, device.clock.now(), 0)
    assert device.monitor.close_window("m", "1.0.0", BUNDLE, device.clock.now(), early=True) is not None


def test_requests_latencies_and_failures_of_a_window_are_its_own() -> None:
    device = Device()
    device.serve(normal(3, 1))
    device.monitor.failed("shape")
    first = device.window()
    device.monitor.observed({"x": normal(1, 1)}, {}, 250.0)
    second = device.window()
    assert (first.requests, first.failures, first.latency_counts[bucket(1.0)]) == (1, {"shape": 1}, 1)
    assert (second.requests, second.failures, second.latency_counts[bucket(250.0)], sum(second.latency_counts)) == (1, {}, 1, 1)
    counters = device.monitor.counters()
    assert (counters.requests, counters.rows, counters.failures, counters.latency_sum_ms) == (2, 4, {"shape": 1}, 251.0)


def test_too_few_rows_give_no_verdict_and_go_into_the_next_window() -> None:
    device = Device()
    device.serve(normal(60, 1))
    first = device.window()
    device.serve(normal(60, 2))
    second = device.window()
    assert (first.requests, first.rows, first.features) == (1, 0, ())
    assert (second.requests, second.rows, len(second.features)) == (1, 120, 4)
    assert sum(second.features[0].counts) == 120


def test_a_lasting_shift_is_an_alarm_in_its_second_window_and_names_the_feature() -> None:
    device = Device()
    seen = []
    for number in range(4):
        rows = normal(500, number)
        rows[:, 2] += 1.0 * (number >= 1)
        device.serve(rows)
        seen.append(device.window().drifted)
    assert seen == [(), (), ("x[2]",), ("x[2]",)]


def test_drift_is_that_of_the_running_window_or_else_of_the_last_full_one() -> None:
    device = Device()
    assert device.monitor.drift() == ()
    device.serve(normal(200, 1))
    assert sum(device.monitor.drift()[0].counts) == 200
    closed = device.window()
    device.serve(normal(10, 2))
    assert device.monitor.drift() == closed.features
    device.serve(normal(90, 3))
    assert sum(device.monitor.drift()[0].counts) == 100


def test_asking_for_drift_again_and_again_makes_no_alarm_of_one_window() -> None:
    device = Device()
    device.serve(normal(500, 1) * 1000)
    assert not any(feature.alarm for _ in range(5) for feature in device.monitor.drift())
    device.window()
    device.serve(normal(500, 2) * 1000)
    assert all(feature.alarm for feature in device.monitor.drift())


def test_rows_beyond_the_queue_are_answered_but_counted_as_dropped() -> None:
    device = Device(limits=QueueLimits(rows=100))
    device.serve(normal(150, 1))
    counters = device.monitor.counters()
    assert (counters.requests, counters.rows, counters.dropped_rows) == (1, 100, 50)


def test_answers_that_are_not_finite_are_counted_whether_watched_or_not() -> None:
    device = Device(Baseline.empty())
    device.serve(normal(1, 1), {"y": np.array([[1.0, np.nan]], dtype=np.float32)})
    device.serve(normal(1, 1), {"y": np.array([[1.0, np.inf]], dtype=np.float32)})
    device.serve(normal(1, 1), {"y": np.array([[1.0]]), "label": np.array([3])})
    assert device.monitor.counters().nonfinite == 2


def test_kinds_of_failures_are_bounded() -> None:
    device = Device()
    for number in range(MAX_FAILURE_KINDS + 10):
        device.monitor.failed(f"kind {number}")
    failures = device.monitor.counters().failures
    assert len(failures) <= MAX_FAILURE_KINDS + 1
    assert failures["other"] == 10


def test_texts_classes_and_tensors_of_changing_shape_are_watched_together() -> None:
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
    found = {feature.name: feature.counts for feature in monitor.drift()}
    assert found["word"] == (0, 2, 2, 0)
    assert found["scores.class"] == (2, 2, 0, 0)
    assert sum(found["sound.mean"]) == 4


def test_scalars_and_tensors_that_a_request_leaves_out_do_no_harm() -> None:
    device = Device(minimum_rows=1)
    device.monitor.observed({"x": np.float64(3.0) * np.ones(()), "other": np.ones(2)}, {"y": np.array(1.0)}, 1.0)
    assert device.monitor.counters().rows == 0


@settings(max_examples=25, deadline=None)
@given(sizes=st.lists(st.integers(1, 40), min_size=2, max_size=6), cuts=st.sets(st.integers(0, 5)))
def test_windows_merged_equal_one_window_over_the_same_requests(sizes: list[int], cuts: set[int]) -> None:
    split, whole = Device(minimum_rows=1), Device(minimum_rows=1)
    merged: Window | None = None
    for place, size in enumerate(sizes):
        for device in (split, whole):
            device.serve(normal(size, place) + place)
        if place in cuts or place == len(sizes) - 1:
            part = split.window()
            merged = merge(merged, part) if merged else part
    once = whole.window()
    assert merged is not None
    assert [feature.counts for feature in merged.features] == [feature.counts for feature in once.features]
    assert (merged.requests, merged.rows, merged.latency_counts) == (once.requests, once.rows, once.latency_counts)
    assert len(merged.latency_counts) == BUCKETS


def test_counters_subtract_to_what_lies_between() -> None:
    device = Device()
    device.serve(normal(3, 1))
    before = device.monitor.counters()
    device.serve(normal(5, 1))
    device.monitor.failed("queue full")
    part = device.monitor.counters().since(before)
    assert (part.requests, part.rows, part.failures, sum(part.latency_counts)) == (1, 5, {"queue full": 1}, 1)
    assert dataclasses.asdict(before.since(before))["rows"] == 0


@pytest.mark.parametrize("kind", ["float32", "float16", "int32"])
def test_columns_of_any_dtype_are_counted(kind: str) -> None:
    device = Device(minimum_rows=1)
    device.serve(np.ones((7, 4), dtype=kind))
    assert sum(device.window().features[3].counts) == 7
