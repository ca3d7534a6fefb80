"""A window's verdict: where each bound lies, and what a report says of it."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest

from sealift_core.drift.divergence import beta_binomial_tail, gamma_tail, js_distance, js_divergence, psi
from sealift_core.drift.features import WINDOW_SIZES, Feature, rare_digest
from sealift_runtime.monitoring.drift import Persistence, Reading, benjamini_hochberg, read, significant

Array = np.ndarray[Any, np.dtype[Any]]
SIX = len(WINDOW_SIZES)
#: Two categories, half of the holdout each; counts are a, b, other, missing.
WORDS = Feature(
    name="w",
    side="input",
    tensor="w",
    statistic="value",
    kind="category",
    counts=(500, 500, 0, 0),
    null_means=(0.001,) * SIX,
    null_deviations=(0.001,) * SIX,
    thresholds=(0.1,) * SIX,
    categories=("a", "b"),
)
NUMBERS = dataclasses.replace(WORDS, kind="numeric", categories=())
REFERENCE = np.array(WORDS.counts)


def words(a: int, b: int, other: int = 0, missing: int = 0) -> Array:
    return np.array([a, b, other, missing])


def verdict(counts: Array, feature: Feature = WORDS, *, minimum_rows: int = 100) -> Reading:
    return read(feature, counts, minimum_rows=minimum_rows)


def says_nothing(reading: Reading) -> bool:
    return (reading.distance, reading.threshold, reading.p_value, reading.large) == (0.0, 1.0, 1.0, False)


# How many rows


def test_a_window_speaks_from_the_least_number_of_rows_on() -> None:
    assert says_nothing(verdict(words(99, 0)))
    assert not says_nothing(verdict(words(100, 0)))


def test_a_window_without_rows_says_nothing_whatever_the_least_number() -> None:
    assert says_nothing(verdict(words(0, 0), minimum_rows=0))
    assert not says_nothing(verdict(words(1, 0), minimum_rows=0))


def test_a_holdout_without_rows_says_nothing_and_with_one_it_speaks() -> None:
    assert says_nothing(verdict(words(200, 0), dataclasses.replace(WORDS, counts=(0, 0, 0, 0))))
    assert not says_nothing(verdict(words(200, 0), dataclasses.replace(WORDS, counts=(0, 1, 0, 0))))


def test_a_reading_keeps_the_feature_and_the_counts() -> None:
    for counts in (words(99, 0), words(300, 100)):
        reading = verdict(counts)
        assert reading.feature is WORDS
        assert reading.counts is counts


# The distance


def test_a_distance_above_the_threshold_is_large_and_its_p_value_is_the_gamma_tail_three_times() -> None:
    counts = words(300, 200)
    reading = verdict(counts)
    assert reading.distance == pytest.approx(js_distance(REFERENCE, counts))
    assert reading.threshold == pytest.approx(0.1)
    assert not reading.large  # 0.086
    counts = words(320, 180)
    reading = verdict(counts)
    assert reading.large
    assert reading.p_value == pytest.approx(3 * gamma_tail(float(js_divergence(REFERENCE, counts)), 0.001, 0.001))
    assert 0 < reading.p_value < 1


def test_a_distance_at_the_threshold_is_not_large() -> None:
    counts = words(320, 180)
    distance = js_distance(REFERENCE, counts)
    below, above = (dataclasses.replace(WORDS, thresholds=(distance * factor,) * SIX) for factor in (0.9999, 1.0001))
    assert verdict(counts, below).large
    assert not verdict(counts, above).large
    assert verdict(counts, above).p_value == 1.0


def test_the_threshold_and_the_null_are_those_of_the_windows_size() -> None:
    falling = dataclasses.replace(
        WORDS,
        thresholds=(0.4, 0.3, 0.2, 0.1, 0.05, 0.01),
        null_means=(0.6, 0.5, 0.4, 0.3, 0.2, 0.1),
        null_deviations=(0.06, 0.05, 0.04, 0.03, 0.02, 0.01),
    )
    for place, size in enumerate(WINDOW_SIZES):
        assert verdict(words(size, 0), falling).threshold == pytest.approx(falling.thresholds[place])
    divergence = float(js_divergence(REFERENCE, words(1000, 0)))
    assert verdict(words(1000, 0), falling).p_value == pytest.approx(min(1.0, 3 * gamma_tail(divergence, 0.4, 0.04)))
    # Thresholds are distances, and their squares are interpolated: 1/150 lies halfway between 1/100 and 1/300.
    assert verdict(words(150, 0), falling).threshold == pytest.approx(math.sqrt((0.4**2 + 0.3**2) / 2))


def test_a_threshold_is_never_above_one_and_neither_is_a_p_value() -> None:
    wide = dataclasses.replace(WORDS, thresholds=(2.0,) * SIX)
    reading = verdict(words(300, 200), wide)
    assert (reading.threshold, reading.p_value) == (1.0, 1.0)
    sure = dataclasses.replace(WORDS, null_means=(0.9,) * SIX)
    assert verdict(words(320, 180), sure).p_value == 1.0


# The rates


def test_one_row_in_a_hundred_more_without_a_value_is_large() -> None:
    assert not verdict(words(496, 495, missing=9)).large
    reading = verdict(words(495, 495, missing=10))
    assert reading.large
    assert reading.p_value == pytest.approx(3 * beta_binomial_tail(10, 1000, 0.5, 1000.5))


def test_one_row_in_a_hundred_more_out_of_range_is_large() -> None:
    assert not verdict(words(496, 495, other=9)).large
    reading = verdict(words(495, 495, other=10))
    assert reading.large
    assert reading.p_value == pytest.approx(3 * beta_binomial_tail(10, 1000, 0.5, 1000.5))


def test_each_open_end_of_a_range_of_numbers_counts_as_a_row() -> None:
    inside = dataclasses.replace(NUMBERS, counts=(0, 1000, 0, 0, 0, 0), edges=(0.0, 1.0), thresholds=(1.0,) * SIX)
    reading = verdict(np.array([0, 980, 0, 0, 20, 0]), inside)
    assert reading.p_value == pytest.approx(3 * beta_binomial_tail(20, 1000, 2.0, 1000.5))


def test_values_that_a_list_leaves_out_count_as_a_row_where_others_were_listed_by_their_digests() -> None:
    for rare, prior in ((None, 0.5), ((rare_digest("c"),), 1.0)):
        counts = np.array([970, 0, *([0] * len(rare or ())), 30, 0])
        listed = dataclasses.replace(WORDS, counts=(1000, *([0] * (len(counts) - 1))), rare=rare, thresholds=(1.0,) * SIX)
        assert verdict(counts, listed).p_value == pytest.approx(3 * beta_binomial_tail(30, 1000, prior, 1000.5))


def test_a_holdout_with_missing_rows_is_what_a_window_is_held_against() -> None:
    holed = dataclasses.replace(WORDS, counts=(450, 450, 0, 100))
    assert not verdict(words(446, 445, missing=109), holed).large
    reading = verdict(words(445, 445, missing=110), holed)
    assert reading.large
    assert reading.p_value == pytest.approx(min(1.0, 3 * beta_binomial_tail(110, 1000, 100.5, 900.5)))


def test_the_surest_of_the_three_decides() -> None:
    both = verdict(words(475, 475, other=30, missing=20))
    assert both.p_value == pytest.approx(3 * beta_binomial_tail(30, 1000, 0.5, 1000.5))
    distance = verdict(words(989, 0, missing=11))
    assert distance.p_value < 3 * beta_binomial_tail(11, 1000, 0.5, 1000.5)


# What a report says


def test_a_report_has_six_decimals_of_everything() -> None:
    counts = words(333, 200, missing=8)
    exact = psi(REFERENCE, counts)
    assert round(exact, 6) != round(exact, 7)
    drift = verdict(counts).drift(alarm=True)
    assert drift.name == "w"
    assert drift.counts == (333, 200, 0, 8)
    assert drift.distance == round(js_distance(REFERENCE, counts), 6)
    assert drift.psi == round(psi(REFERENCE, counts), 6)
    assert (drift.threshold, drift.missing, drift.alarm) == (0.1, 0.014787, True)
    third = dataclasses.replace(WORDS, thresholds=(1 / 3,) * SIX)
    assert verdict(counts, third).drift(alarm=False).threshold == 0.333333
    assert not verdict(counts, third).drift(alarm=False).alarm


def test_a_window_without_rows_has_none_missing() -> None:
    drift = verdict(words(0, 0)).drift(alarm=False)
    assert (drift.missing, drift.counts) == (0.0, (0, 0, 0, 0))
    assert verdict(words(0, 0, missing=1)).drift(alarm=False).missing == 1.0


def test_a_window_that_says_nothing_has_no_index_and_every_other_one_has() -> None:
    assert verdict(words(99, 0)).drift(alarm=False).psi == 0.0
    same = verdict(words(200, 200))
    assert (same.distance, same.drift(alarm=False).psi) == (0.0, round(psi(REFERENCE, words(200, 200)), 6))
    assert same.drift(alarm=False).psi > 0.0
    widest = verdict(words(400, 0), dataclasses.replace(WORDS, thresholds=(1.0,) * SIX))
    assert (widest.threshold, widest.drift(alarm=False).psi) == (1.0, round(psi(REFERENCE, words(400, 0)), 6))


# Significance


def reading(p_value: float, *, large: bool = True) -> Reading:
    return Reading(feature=WORDS, counts=words(1, 1), distance=0.5, threshold=0.1, p_value=p_value, large=large)


def test_what_is_significant_is_both_large_and_sure() -> None:
    assert significant([reading(0.001), reading(0.001, large=False), reading(0.9)], 0.05) == (True, False, False)
    assert significant([], 0.05) == ()


def test_a_p_value_at_its_rank_of_the_level_is_rejected_and_one_above_is_not() -> None:
    assert benjamini_hochberg([0.025, 0.9], 0.05) == (True, False)
    assert benjamini_hochberg([0.0251, 0.9], 0.05) == (False, False)
    assert benjamini_hochberg([0.9, 0.025], 0.05) == (False, True)


def test_a_larger_p_value_that_passes_takes_the_smaller_ones_with_it() -> None:
    assert benjamini_hochberg([0.05, 0.04], 0.05) == (True, True)
    assert benjamini_hochberg([0.03, 0.04, 0.05], 0.05) == (True, True, True)


# Persistence


def windows(persistence: Persistence, *flags: bool) -> list[bool]:
    return [persistence.add((flag,))[0] for flag in flags]


def test_unless_told_otherwise_it_takes_two_of_three() -> None:
    assert windows(Persistence(), True, False, True, False, False, True, True) == [False, False, True, False, False, False, True]


def test_k_of_n_windows_make_an_alarm() -> None:
    assert windows(Persistence(k=1, n=1), True, False, True) == [True, False, True]
    assert windows(Persistence(k=3, n=4), True, True, False, True, False, True) == [False, False, False, True, False, False]


def test_asking_what_a_window_would_say_remembers_nothing() -> None:
    persistence = Persistence(k=2, n=2)
    assert persistence.alarms((True,)) == (False,)
    assert persistence.alarms((True,)) == (False,)
    persistence.add((True,))
    assert persistence.alarms((True,)) == (True,)
    assert persistence.alarms((False,)) == (False,)


def test_it_goes_on_from_the_last_n_windows_that_it_is_given() -> None:
    persistence = Persistence(k=2, n=3)
    persistence.add((False,))
    persistence.resume(((True,), (True,), (False,), (False,)))
    assert persistence.recent == ((True,), (False,), (False,))
    assert persistence.add((True,)) == (False,)
    persistence.resume(((False,), (True,)))
    assert persistence.add((True,)) == (True,)
    assert persistence.recent == ((False,), (True,), (True,))


def test_features_have_their_alarms_apart() -> None:
    persistence = Persistence(k=2, n=3)
    persistence.add((True, False))
    assert persistence.add((True, True)) == (True, False)
    assert persistence.add((False, True)) == (False, True)
