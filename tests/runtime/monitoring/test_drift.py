from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealift_core.drift.features import Feature
from sealift_runtime.monitoring.drift import Persistence, benjamini_hochberg, read, significant
from support.baselines import category_feature, column_baseline, numeric_feature

Array = np.ndarray[Any, np.dtype[Any]]
LEVEL = 1 / 2160
RANDOM = np.random.default_rng(11)
HOLDOUT = RANDOM.normal(10.0, 2.0, 2000)
FEATURE = numeric_feature("x", "x", HOLDOUT, statistic="value")


def is_significant(feature: Feature, values: Array) -> bool:
    return significant([read(feature, feature.count(values), minimum_rows=100)], LEVEL)[0]


def fresh(rows: int = 1000) -> Array:
    return np.random.default_rng(12).normal(10.0, 2.0, rows)


def with_missing(values: Array, fraction: float) -> Array:
    return np.where(np.arange(len(values)) < fraction * len(values), np.nan, values)


@pytest.mark.parametrize(
    "values",
    [
        pytest.param(fresh() + 1.0, id="mean shift of half a deviation"),
        pytest.param((fresh() - 10) * 1.6 + 10, id="wider spread"),
        pytest.param(fresh() * 1000, id="unit change"),
        pytest.param(np.full(1000, 10.0), id="stuck sensor"),
        pytest.param(np.where(np.arange(1000) < 250, 9.3, fresh()), id="stuck for a quarter of the time"),
        pytest.param(with_missing(fresh(), 0.02), id="two per cent missing"),
        pytest.param(np.full(1000, np.nan), id="all missing"),
        pytest.param(np.where(np.arange(1000) < 30, np.inf, fresh()), id="some infinite"),
        pytest.param(np.where(np.arange(1000) < 25, -1.0, fresh()), id="some out of range"),
    ],
)
def test_a_shift_is_significant(values: Array) -> None:
    assert is_significant(FEATURE, values)


@pytest.mark.parametrize("rows", [100, 150, 1000, 30_000, 300_000])
def test_fresh_rows_of_the_same_kind_are_not(rows: int) -> None:
    assert not is_significant(FEATURE, fresh(rows))


def test_a_certain_but_tiny_shift_is_not_worth_a_call() -> None:
    assert not is_significant(FEATURE, fresh(100_000) + 0.1)


def test_a_new_category_is_significant() -> None:
    words = category_feature("w", "w", np.array(["a", "b"] * 500, dtype=object))
    assert not is_significant(words, np.array(["a", "b"] * 200, dtype=object))
    assert is_significant(words, np.array(["a", "b"] * 200 + ["c"] * 12, dtype=object))
    assert is_significant(words, np.array(["a"] * 400, dtype=object))


def test_too_few_rows_say_nothing() -> None:
    reading = read(FEATURE, FEATURE.count(fresh(99) * 1000), minimum_rows=100)
    assert (reading.p_value, reading.large, reading.distance) == (1.0, False, 0.0)


def test_what_a_report_says_of_a_window_is_finite_and_in_range() -> None:
    drift = read(FEATURE, FEATURE.count(with_missing(fresh(), 0.5)), minimum_rows=100).drift(alarm=True)
    assert drift.missing == 0.5
    assert 0 < drift.threshold < drift.distance < 1
    assert 0 < drift.psi < 20
    assert sum(drift.counts) == 1000


@pytest.mark.parametrize("rows", [150, 1000])
def test_without_a_shift_false_alarms_stay_under_the_stated_rate(rows: int) -> None:
    random = np.random.default_rng(rows)
    expected_windows, false_alarms, windows = 20, 0, 0
    for _ in range(10):  # the holdout's own luck counts, so there are several
        baseline = column_baseline(random.normal(size=(1000, 20)), expected_windows=expected_windows)
        for _ in range(30):
            values = random.normal(size=(rows, 20))
            readings = [read(feature, feature.count(values), minimum_rows=100) for feature in baseline.features]
            false_alarms += any(significant(readings, 1 / expected_windows))
            windows += 1
    assert false_alarms <= windows / expected_windows


@given(p_values=st.lists(st.floats(0, 1), max_size=30))
def test_benjamini_hochberg_rejects_between_bonferroni_and_uncorrected(p_values: list[float]) -> None:
    rejected = benjamini_hochberg(p_values, 0.05)
    assert len(rejected) == len(p_values)
    for p, no in zip(p_values, rejected, strict=True):
        assert no or p > 0.05 / len(p_values)
        assert not no or p <= 0.05


def test_benjamini_hochberg_gives_the_published_example() -> None:
    p = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0]
    assert sum(benjamini_hochberg(p, 0.05)) == 4  # Benjamini and Hochberg 1995, section 4


def test_one_odd_window_is_no_alarm_two_of_three_are_and_it_ends_with_the_shift() -> None:
    persistence = Persistence(k=2, n=3)
    seen = [persistence.add((now,))[0] for now in (True, False, True, False, False, True, True, True, False)]
    assert seen == [False, False, True, False, False, False, True, True, False]
