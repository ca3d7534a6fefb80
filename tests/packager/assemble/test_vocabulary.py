"""Which values of a category are listed, and that false alarms stay under the stated rate however many there are."""

from __future__ import annotations

import collections
from typing import Any

import numpy as np
import pytest

from sealift_core.bundle.tensors import TensorSpec
from sealift_core.drift.baseline import Baseline
from sealift_packager.assemble.baseline import build_baseline
from sealift_packager.assemble.vocabulary import LEAST_ROWS_LISTED, choose_vocabulary
from sealift_runtime.monitoring.drift import read, significant

Array = np.ndarray[Any, np.dtype[Any]]


def words(categories: int, rows: int, seed: int, weights: Array | None = None) -> Array:
    p = None if weights is None else weights / weights.sum()
    return np.array([f"c{place:04d}" for place in np.random.default_rng(seed).choice(categories, rows, p=p)], dtype=object)


def build(values: Array, *, expected_windows: int = 2160) -> Baseline:
    spec = TensorSpec(name="x", dtype="string", shape=("batch",))
    return build_baseline({"x": values}, {}, [spec], [], seed=1, expected_windows=expected_windows)


def is_significant(baseline: Baseline, values: Array) -> bool:
    readings = [read(feature, feature.count(values), minimum_rows=100) for feature in baseline.features]
    return any(significant(readings, 1 / baseline.expected_windows_between_false_alarms))


def test_few_values_that_are_all_frequent_are_counted_on_every_row() -> None:
    values = words(64, 1_000, 0)
    vocabulary = choose_vocabulary(values, seed=1)
    assert (len(vocabulary.categories), vocabulary.rare) == (64, None)
    assert vocabulary.counted is values


@pytest.mark.parametrize("values", [words(65, 3_000, 0), np.array(["a"] * 50 + ["b"] * 4, dtype=object)], ids=["many", "scarce"])
def test_what_is_chosen_is_counted_on_other_rows(values: Array) -> None:
    vocabulary = choose_vocabulary(values, seed=1)
    chosen = collections.Counter(values.tolist()) - collections.Counter(vocabulary.counted.tolist())
    assert vocabulary.rare is not None
    assert sum(chosen.values()) == len(values) // 2
    assert min(chosen[text] for text in vocabulary.categories) >= LEAST_ROWS_LISTED


def test_a_value_that_is_not_listed_is_not_written_down() -> None:
    texts = np.array(["common"] * 500 + ["Ms Smith", "Mr Jones"] * 4, dtype=object)
    baseline = build(texts)
    assert baseline.features[0].categories == ("common",)
    assert b"Smith" not in baseline.to_bytes()


def test_a_value_that_the_holdout_had_is_not_unknown() -> None:
    feature = build(np.concatenate([words(10, 1_000, 0), np.array(["scarce"] * 14, dtype=object)])).features[0]
    assert feature.outside(feature.count(np.array(["scarce"] * 9 + ["new"], dtype=object))) == 1


def test_without_any_value_everything_is_missing() -> None:
    feature = build(np.array([""] * 50, dtype=object)).features[0]
    assert feature.count(np.array(["", None], dtype=object)).tolist() == [0, 2]


@pytest.mark.parametrize(("categories", "holdout", "rows"), [(70, 2_000, 1_000), (100, 500, 300), (300, 2_000, 200)])
def test_however_many_categories_there_are_false_alarms_stay_under_the_stated_rate(categories: int, holdout: int, rows: int) -> None:
    expected_windows, false_alarms, windows = 20, 0, 0
    for number in range(8):  # the holdout's own luck counts, so there are several
        baseline = build(words(categories, holdout, number), expected_windows=expected_windows)
        for window in range(5):
            false_alarms += is_significant(baseline, words(categories, rows, 1_000 + 20 * number + window))
            windows += 1
    assert false_alarms <= windows / expected_windows


@pytest.mark.parametrize(("categories", "holdout"), [(70, 500), (100, 2_000), (1_000, 2_000)])
def test_with_many_categories_a_shift_is_still_significant(categories: int, holdout: int) -> None:
    baseline = build(words(categories, holdout, 0))
    fresh = words(categories, 1_000, 1)
    assert not is_significant(baseline, fresh)
    assert is_significant(baseline, np.full(1_000, "c0007", dtype=object))
    assert is_significant(baseline, np.where(np.arange(1_000) % 3 == 0, "c0007", fresh))
    assert is_significant(baseline, np.where(np.arange(1_000) % 4 == 0, "new", fresh))
