"""Metrics against scikit-learn's, and intervals of losses."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from sealift_core.bundle.evaluation import Accuracy
from sealift_packager.candidates.judgement import ROUNDING
from sealift_packager.errors import DataError
from sealift_packager.measure.accuracy import assess, rows_wanted
from sealift_packager.measure.bootstrap import mean_interval, rows_needed, unseen_share
from sealift_packager.measure.metrics import METRICS, find_metric
from sealift_packager.measure.predictions import read_prediction, same_labels

RANDOM = np.random.default_rng(0)


def test_scores_are_scikit_learn_s() -> None:
    target = RANDOM.integers(0, 2, 200)
    scores = np.round(RANDOM.uniform(size=200) * 0.5 + target * 0.3, 2).astype(np.float32)
    two = read_prediction({"probabilities": np.stack([1 - scores, scores], axis=1), "label": (scores > 0.5).astype(np.int64)})
    assert METRICS["accuracy"].score(target, two) == pytest.approx(reference.accuracy_score(target, scores > 0.5))
    assert METRICS["f1"].score(target, two) == pytest.approx(reference.f1_score(target, scores > 0.5, average="macro"))
    assert METRICS["auc"].score(target, two) == pytest.approx(reference.roc_auc_score(target, scores))
    measured, value = RANDOM.normal(size=100), RANDOM.normal(size=(100, 1)).astype(np.float32)
    numbers = read_prediction({"prediction": value})
    assert METRICS["mae"].score(measured, numbers) == pytest.approx(reference.mean_absolute_error(measured, value))
    assert METRICS["rmse"].score(measured, numbers) == pytest.approx(math.sqrt(reference.mean_squared_error(measured, value)))
    assert METRICS["r2"].score(measured, numbers) == pytest.approx(reference.r2_score(measured, value))


def test_logits_of_many_columns_are_classes_by_their_largest() -> None:
    prediction = read_prediction({"output": np.array([[0.1, 3, -1], [5, 1, 1]], np.float32)})
    assert prediction.label is not None
    assert prediction.label.tolist() == [1, 0]


def test_text_labels_are_compared_as_text_and_mixtures_are_refused() -> None:
    prediction = read_prediction({"label": np.array(["a", "b"], dtype=object)})
    assert METRICS["accuracy"].score(np.array(["a", "c"], dtype=object), prediction) == 0.5
    with pytest.raises(DataError, match="different types"):
        METRICS["accuracy"].score(np.array([0, 1]), prediction)


def test_a_misspelt_metric_gets_the_nearest_and_one_s_own_is_found(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Did you mean 'accuracy'"):
        find_metric("acuracy")
    (tmp_path / "mine.py").write_text(
        "def cost(target, outputs):\n    return float(abs(outputs['y'][:, 0] - target).max())\ncost.higher_is_better = False\n"
    )
    metric = find_metric(f"{tmp_path}/mine.py:cost")
    assert not metric.higher_is_better
    assert metric.score(np.array([1.0, 2.0]), read_prediction({"y": np.array([[1], [4]], np.float32)})) == 2


def loss(flips: int, rows: int = 1000, *, gains: int = 0) -> float:
    """The upper bound of the loss of accuracy if so many right answers become wrong, and so many wrong ones right."""
    target = np.zeros(rows, np.int64)
    before, after = target.copy(), target.copy()
    before[rows - gains - 20 :] = 1
    after[:flips] = 1
    after[rows - 20 :] = 1
    first, second = read_prediction({"label": before}), read_prediction({"label": after})
    return assess(METRICS["accuracy"], target, first, second, budget=0.003, seed=0, rounded=True).loss_high


def test_a_budget_of_three_thousandths_passes_when_nothing_or_one_of_a_thousand_flips() -> None:
    assert loss(0) == 0
    assert loss(1) <= 0.003 + ROUNDING
    assert loss(1, gains=1) <= 0.003 + ROUNDING


def test_a_point_estimate_within_the_budget_is_not_enough() -> None:
    assert loss(3) > 0.003


@settings(max_examples=25)  # each is a bootstrap
@given(st.integers(0, 50), st.integers(0, 50))
def test_the_interval_holds_the_mean(lost: int, gained: int) -> None:
    differences = np.zeros(200)
    differences[:lost], differences[100 : 100 + gained] = 1, -1
    low, high = mean_interval(differences, seed=1)
    assert low <= differences.mean() + 1e-12
    assert high >= differences.mean() - 1e-12


def test_a_lower_error_is_a_gain_and_a_higher_one_a_loss() -> None:
    target = RANDOM.normal(size=100)
    exact = read_prediction({"y": target.reshape(-1, 1)})
    worse = read_prediction({"y": target.reshape(-1, 1) + 0.5})
    for name in ("mae", "rmse"):
        accuracy = assess(METRICS[name], target, exact, worse, budget=0.1, seed=0, rounded=False)
        assert accuracy.loss == pytest.approx(0.5)
        assert accuracy.loss_low > 0.4
        assert assess(METRICS[name], target, worse, exact, budget=0.1, seed=0, rounded=False).loss == pytest.approx(-0.5)


def unflipped(rows: int, budget: float, *, metric: str = "accuracy", rounded: bool = True, moved: float = 0.01) -> Accuracy:
    """The accuracy of a candidate whose scores moved and whose labels didn't."""
    target = np.arange(rows) % 2
    first = read_prediction({"y": np.stack([1.0 - target, target], axis=1).astype(np.float32)})
    second = read_prediction({"y": first.outputs["y"] * np.float32(1 - moved)})
    return assess(METRICS[metric], target, first, second, budget=budget, seed=0, rounded=rounded)


@pytest.mark.parametrize("metric", ["accuracy", "f1"])
@pytest.mark.parametrize(("rows", "budget", "bound", "passes"), [(45, 0.01, 0.0644, False), (300, 0.01, 0.00994, True), (1000, 0.003, 0.00299, True)])
def test_no_flipped_label_leaves_open_what_so_few_rows_cannot_exclude(metric: str, rows: int, budget: float, bound: float, passes: bool) -> None:
    accuracy = unflipped(rows, budget, metric=metric)
    assert accuracy.loss == accuracy.loss_low == 0
    assert accuracy.loss_high == pytest.approx(bound, rel=0.01)
    assert (accuracy.loss_high <= budget) == passes
    assert rows_wanted(METRICS[metric], rows, budget=budget) == (0 if passes else 299)


def test_metrics_that_count_no_rows_want_none_and_a_budget_of_nothing_neither() -> None:
    assert rows_wanted(METRICS["rmse"], 3, budget=0.01) == 0
    assert rows_wanted(METRICS["accuracy"], 3, budget=0.0) == 0
    assert rows_wanted(METRICS["agreement"], 3, budget=0.01) == 299


def test_a_budget_of_nothing_is_about_the_rows_there_are() -> None:
    assert unflipped(45, 0.0).loss_high == 0


def test_what_computes_as_its_source_or_gives_the_same_bits_needs_no_rows() -> None:
    assert unflipped(45, 0.01, rounded=False).loss_high == 0
    assert unflipped(45, 0.01, moved=0.0).loss_high == 0


@pytest.mark.parametrize("budget", [0.05, 0.01, 0.003])
def test_the_rows_that_a_budget_needs_are_the_fewest_that_pass(budget: float) -> None:
    rows = rows_needed(budget)
    assert unseen_share(rows) <= budget < unseen_share(rows - 1)


def test_labels_beyond_2_53_are_told_apart() -> None:
    large = np.array([2**53, 2**53 + 1])
    assert same_labels(large, large).all()
    assert not same_labels(large, large[::-1]).any()
    assert not same_labels(large.astype(np.uint64), large[::-1]).any()
