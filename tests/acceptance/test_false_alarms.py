"""The contract of drift monitoring with many categories and classes: without a shift, fewer false alarms than stated.

Baselines and windows are drawn from one population. A case fails above the 95 % upper bound of the stated rate, and so does the whole.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from sealift_core.bundle.tensors import TensorSpec
from sealift_core.drift.baseline import Baseline
from sealift_packager.assemble.baseline import build_baseline
from sealift_runtime.monitoring.drift import read, significant

Array = np.ndarray[Any, np.dtype[Any]]
EXPECTED_WINDOWS = 20
BASELINES, WINDOWS = 20, 5
SHAPES: dict[str, Callable[[int], Array]] = {
    "even": lambda count: np.ones(count),  # noqa: PLW0108 - typed as the others are
    "zipf": lambda count: 1 / np.arange(1.0, count + 1),
    "steep": lambda count: 1 / np.arange(1.0, count + 1) ** 2,
}
pytestmark = pytest.mark.timeout(3_600)


def words(random: np.random.Generator, p: Array, rows: int) -> Array:
    return np.array([f"c{place:04d}" for place in random.choice(len(p), rows, p=p)], dtype=object)


def scores(random: np.random.Generator, p: Array, rows: int) -> Array:
    """Class probabilities whose largest is that of a class drawn with ``p``."""
    noise = random.random((rows, len(p)), dtype=np.float32) * (0.1 / len(p))
    noise[np.arange(rows), random.choice(len(p), rows, p=p)] = 0.5 + 0.4 * random.random(rows)
    return np.asarray(noise / noise.sum(axis=1, keepdims=True))


def of_words(values: Array, seed: int, expected_windows: int) -> Baseline:
    spec = TensorSpec(name="x", dtype="string", shape=("batch",))
    return build_baseline({"x": values}, {}, [spec], [], seed=seed, expected_windows=expected_windows)


def of_scores(values: Array, seed: int, expected_windows: int) -> Baseline:
    spec = TensorSpec(name="y", dtype="float32", shape=("batch", values.shape[1]))
    return build_baseline({}, {"y": values}, [], [spec], seed=seed, expected_windows=expected_windows)


def is_significant(baseline: Baseline, values: Array) -> bool:
    readings = [read(feature, feature.count(values), minimum_rows=100) for feature in baseline.features]
    return any(significant(readings, 1 / baseline.expected_windows_between_false_alarms))


def upper_bound(baselines: int, windows: int, rate: float) -> float:
    """How many false alarms the stated rate gives at most in 95 of 100 trials; windows of one baseline share its luck, so baselines count."""
    mean = baselines * windows * rate
    return mean + 1.645 * windows * float(np.sqrt(baselines * rate * (1 - rate)))


@pytest.mark.parametrize("rows", [200, 1_000, 3_000])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("draw", "build", "count"), [
    *(pytest.param(words, of_words, count, id=f"{count} categories") for count in (70, 100, 300, 1_000)),
    *(pytest.param(scores, of_scores, count, id=f"{count} classes") for count in (100, 1_000)),
])  # fmt: skip
def test_false_alarms_stay_below_the_bound(draw: Any, build: Any, count: int, shape: str, rows: int) -> None:
    random = np.random.default_rng([count, rows, len(shape)])
    weights = SHAPES[shape](count)
    p = weights / weights.sum()
    for holdout in (500, 2_000, 5_000):
        baselines = BASELINES if draw is words else BASELINES // 2
        alarms = 0
        for seed in range(baselines):
            baseline = build(draw(random, p, holdout), seed, EXPECTED_WINDOWS)
            alarms += sum(is_significant(baseline, draw(random, p, rows)) for _ in range(WINDOWS))
        assert alarms <= upper_bound(baselines, WINDOWS, 1 / EXPECTED_WINDOWS), f"{holdout} rows of holdout"


@pytest.mark.parametrize("count", [100, 1_000])
def test_at_the_rate_that_bundles_state_a_thousand_clean_windows_have_hardly_an_alarm(count: int) -> None:
    random = np.random.default_rng(count)
    p = np.ones(count) / count
    alarms = 0
    for seed in range(100):
        baseline = of_words(words(random, p, 2_000), seed, 2_160)
        alarms += sum(is_significant(baseline, words(random, p, 1_000)) for _ in range(20))
    assert alarms <= 3  # of 2,000, where the rate gives 0.93: more than 3 come in one trial of sixty
