from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from sealift_core.bundle.tensors import TensorSpec
from sealift_core.drift.baseline import Baseline
from sealift_core.drift.features import Feature
from sealift_packager.assemble.baseline import build_baseline, quantile_edges
from sealift_runtime.monitoring.drift import read, significant

Array = np.ndarray[Any, np.dtype[Any]]


def build(inputs: dict[str, Array] | Array, outputs: dict[str, Array] | None = None, **settings: int) -> Baseline:
    given = inputs if isinstance(inputs, dict) else {"x": inputs}
    return build_baseline(given, outputs or {}, _specs(given), _specs(outputs or {}), seed=settings.pop("seed", 1), **settings)


def _specs(arrays: dict[str, Array]) -> list[TensorSpec]:
    return [TensorSpec(name=name, dtype=_dtype(array), shape=("batch", *array.shape[1:])) for name, array in arrays.items()]


def _dtype(array: Array) -> str:
    return "string" if array.dtype == object else str(array.dtype)


def names(baseline: Baseline) -> list[str]:
    return [feature.name for feature in baseline.features]


def normal(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def softmax(scores: Array) -> Array:
    powers = np.exp(scores)
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), dtype=np.float32)


def alarms(baseline: Baseline, inputs: dict[str, Array]) -> set[str]:
    readings = [read(feature, feature.count(inputs[feature.tensor]), minimum_rows=100) for feature in baseline.features]
    verdicts = significant(readings, 1 / baseline.expected_windows_between_false_alarms)
    return {reading.feature.name for reading, verdict in zip(readings, verdicts, strict=True) if verdict}


def test_columns_are_watched_one_by_one_and_a_single_one_by_its_tensors_name() -> None:
    baseline = build({"x": normal(200, 3), "age": normal(200), "height": normal(200, 1)})
    assert names(baseline) == ["x[0]", "x[1]", "x[2]", "age", "height"]
    assert {feature.kind for feature in baseline.features} == {"numeric"}
    assert baseline.rows == 200


@pytest.mark.parametrize("shape", [(50, 1, 8, 8), (50, 10, 6), (50, 784)])
def test_images_sounds_and_wide_rows_are_watched_by_their_summaries(shape: tuple[int, ...]) -> None:
    assert names(build(normal(*shape))) == ["x.mean", "x.std", "x.min", "x.max", "x.zeros"]


def test_class_probabilities_are_watched_by_class_certainty_and_entropy() -> None:
    baseline = build(normal(200, 1), {"probabilities": softmax(normal(200, 3))})
    assert names(baseline)[1:] == ["probabilities.class", "probabilities.top_probability", "probabilities.entropy"]
    assert baseline.features[1].categories == ("0", "1", "2")


def test_scores_that_do_not_sum_to_one_are_watched_by_column() -> None:
    assert names(build({}, {"logits": normal(200, 3)})) == ["logits[0]", "logits[1]", "logits[2]"]


def test_labels_booleans_and_repeating_texts_are_categories_and_many_integers_are_numbers() -> None:
    random = np.random.default_rng(0)
    words = np.array(["red", "blue", ""] * 100, dtype=object)
    inputs = {"word": words, "flag": random.random(300) < 0.5, "pixel": random.integers(0, 5000, 300)}
    categories = {feature.name: (feature.kind, feature.categories) for feature in build(inputs, {"label": random.integers(-1, 3, 300)}).features}
    assert categories == {
        "word": ("category", ("blue", "red")),
        "flag": ("category", ("false", "true")),
        "pixel": ("numeric", ()),
        "label": ("category", ("-1", "0", "1", "2")),
    }


def test_free_text_is_watched_by_its_length_and_none_of_it_is_kept() -> None:
    texts = np.array([f"patient {number} says {'a' * (number % 7)}" for number in range(200)], dtype=object)
    baseline = build({"note": texts})
    assert names(baseline) == ["note.length"]
    assert b"patient" not in baseline.to_bytes()


def test_at_most_64_categories_are_known_the_most_frequent_ones() -> None:
    texts = np.array([f"c{number % 80:02d}" for number in range(8_000)] + [f"c{number % 40:02d}" for number in range(4_000)], dtype=object)
    feature = build({"x": texts}).features[0]
    assert len(feature.categories) == 64
    assert sum(feature.counts) == len(texts) // 2
    assert {f"c{number:02d}" for number in range(40)} <= set(feature.categories)
    assert feature.rare is not None
    assert sum(map(len, feature.rare)) == 16 * 8
    assert feature.counts[-2:] == (0, 0)


@pytest.mark.parametrize(
    "values",
    [
        pytest.param(normal(5000).astype(np.float64), id="continuous"),
        pytest.param(np.maximum(normal(5000), 0), id="mostly zero"),
        pytest.param(np.repeat(np.arange(30.0), 40), id="thirty values"),
        pytest.param(np.array([0.0, 1.0, 2.0] * 100), id="three values"),
        pytest.param(np.full(100, 3.0), id="constant"),
        pytest.param(np.zeros(100), id="constant zero"),
        pytest.param(np.array([1.0, 2.0]), id="two rows"),
        pytest.param(np.array([np.nan, np.inf]), id="no number"),
        pytest.param(np.exp(30 * normal(1000).astype(np.float64)), id="many decades"),
    ],
)
def test_edges_ascend_are_few_and_hold_every_row_of_the_holdout(values: Array) -> None:
    edges = quantile_edges(values)
    assert len(edges) <= 33
    assert list(edges) == sorted(set(edges))
    feature = build(values).features[0]
    finite = int(np.isfinite(values).sum())
    assert (sum(feature.counts), sum(feature.counts[1 : len(edges)])) == (len(values), finite if edges else 0)


def test_the_bins_of_a_continuous_value_hold_about_equally_many_rows() -> None:
    counts = build(normal(3200)).features[0].counts
    assert len(counts) == 37
    assert set(counts[1:33]) <= set(range(98, 103))


def test_a_rounding_error_of_another_machine_moves_no_row() -> None:
    values = np.maximum(normal(2000), 0).astype(np.float64)
    feature = build(values).features[0]
    assert feature.count(values * (1 + 1e-7)).tolist() == list(feature.counts)


def test_the_same_data_and_seed_give_the_same_bytes() -> None:
    inputs, outputs = {"x": normal(300, 4)}, {"y": softmax(normal(300, 3))}
    assert build(inputs, outputs, seed=7).to_bytes() == build(inputs, outputs, seed=7).to_bytes()
    assert build(inputs, outputs, seed=7).to_bytes() != build(inputs, outputs, seed=8).to_bytes()


def test_a_built_baseline_survives_the_round_trip() -> None:
    baseline = build({"x": normal(300, 4), "w": np.array(["a", "é"] * 150, dtype=object)}, {"y": softmax(normal(300, 3))})
    assert Baseline.parse(baseline.to_bytes()) == baseline


def test_one_name_on_both_sides_becomes_two() -> None:
    assert names(build({"x": normal(50)}, {"x": normal(50)})) == ["input:x", "output:x"]


def test_without_rows_nothing_is_watched() -> None:
    assert build({"x": normal(0, 3)}).features == ()
    assert build({"x": np.float32(3) * np.ones(())}).features == ()


def test_thresholds_shrink_with_the_window_down_to_the_effect_that_is_worth_a_call() -> None:
    for feature in build(normal(2000, 2)).features:
        assert list(feature.thresholds) == sorted(feature.thresholds, reverse=True)
        assert feature.thresholds[0] < 0.5
        assert feature.thresholds[-1] == 0.1


def test_a_small_holdout_asks_for_larger_distances_than_a_large_one() -> None:
    small, large = build(normal(150)).features[0], build(normal(5000)).features[0]
    assert small.thresholds[3] > large.thresholds[3]


@pytest.mark.parametrize("shape", [(2000, 30), (2000, 784), (2000, 1, 28, 28)])
def test_building_takes_less_than_three_seconds(shape: tuple[int, ...]) -> None:
    start = time.process_time()
    build({"x": normal(*shape)}, {"y": softmax(normal(2000, 10))})
    assert time.process_time() - start < 3


@pytest.mark.parametrize(("holdout", "rows"), [(150, 100), (1000, 1000), (300, 5000)])
def test_without_a_shift_false_alarms_stay_under_the_stated_rate(holdout: int, rows: int) -> None:
    random = np.random.default_rng(holdout + rows)
    expected_windows, false_alarms, windows = 20, 0, 0

    def draw(count: int) -> Array:
        values = random.normal(size=(count, 15))
        values[:, 5:10] = np.maximum(values[:, 5:10], 0.3)
        values[:, 10:] = np.floor(np.exp(values[:, 10:]))
        return values

    for seed in range(8):
        baseline = build(draw(holdout), seed=seed, expected_windows=expected_windows)
        for _ in range(20):
            false_alarms += bool(alarms(baseline, {"x": draw(rows)}))
            windows += 1
    assert false_alarms <= windows / expected_windows


IMAGES = np.random.default_rng(3).integers(0, 256, (800, 1, 8, 8)).astype(np.uint8)
READINGS = normal(800, 4, seed=4) * 2 + 10


def _column(rows: Array, change: Array | float) -> Array:
    changed = rows.copy()
    changed[:, 1] = change
    return changed


FRESH = normal(600, 4, seed=5) * 2 + 10


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param(_column(FRESH, FRESH[:, 1] + 1), id="mean shift"),
        pytest.param(_column(FRESH, FRESH[:, 1] * 1000), id="unit change"),
        pytest.param(_column(FRESH, 10.0), id="stuck sensor"),
        pytest.param(_column(FRESH, np.where(np.arange(600) % 30 == 0, np.nan, FRESH[:, 1])), id="missing values"),
        pytest.param(_column(FRESH, np.nan), id="all missing"),
    ],
)
def test_what_goes_wrong_with_one_sensor_is_seen_at_that_sensor_alone(rows: Array) -> None:
    baseline = build(READINGS)
    assert alarms(baseline, {"x": FRESH}) == set()
    assert alarms(baseline, {"x": rows}) == {"x[1]"}


def test_darker_and_black_images_are_seen() -> None:
    baseline = build(IMAGES)
    fresh = np.random.default_rng(8).integers(0, 256, (400, 1, 8, 8)).astype(np.uint8)
    assert alarms(baseline, {"x": fresh}) == set()
    assert "x.mean" in alarms(baseline, {"x": fresh // 2})
    assert {"x.mean", "x.std", "x.max", "x.zeros"} <= alarms(baseline, {"x": fresh * 0})


def test_a_new_code_between_known_ones_is_seen_though_it_is_in_range() -> None:
    random = np.random.default_rng(9)
    baseline = build(random.choice([0.0, 1.0, 3.0], 1000))
    assert alarms(baseline, {"x": random.choice([0.0, 1.0, 3.0], 500)}) == set()
    assert alarms(baseline, {"x": random.choice([0.0, 1.0, 3.0, 2.0], 500, p=[0.32, 0.32, 0.31, 0.05])}) == {"x"}


def test_every_feature_of_a_baseline_can_be_counted_from_its_own_holdout() -> None:
    inputs = {"x": normal(300, 4), "w": np.array(["a", "b", "c"] * 100, dtype=object), "i": IMAGES[:300]}
    features: tuple[Feature, ...] = build(inputs).features
    assert len(features) == 10
    for feature in features:
        assert feature.count(inputs[feature.tensor]).tolist() == list(feature.counts)
