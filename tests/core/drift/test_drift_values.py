"""Distances, tails and statistics by values that were computed by hand, and every bound of a baseline."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import numpy as np
import pytest

from sealift_core.drift.baseline import Baseline, at_size
from sealift_core.drift.divergence import MAX_TRIALS, beta_binomial_tail, gamma_quantile, gamma_tail, js_distance, js_divergence, psi
from sealift_core.drift.features import WINDOW_SIZES, Feature, count_categories, tally
from sealift_core.drift.statistic import CHUNK_ELEMENTS, absent, measure
from sealift_core.errors import DocumentError, LimitError
from sealift_core.schema.documents import Document
from support.baselines import baseline_of, category_feature, numeric_feature

NUMERIC = numeric_feature("x[0]", "x", np.arange(100.0))
WORDS = category_feature("w", "w", np.array(["a", "b"], dtype=object))
ONE_DEVIATION = 0.15865525393145707  # the normal distribution's tail above one standard deviation


# Distances


def test_one_row_on_each_side_is_enough_for_a_distance() -> None:
    assert float(js_divergence(np.array([1, 0]), np.array([0, 1]))) == 1.0


def test_windows_are_compared_with_one_reference_each() -> None:
    windows = np.array([[3, 0], [1, 1], [0, 0]])
    found = js_divergence(np.array([1, 1]), windows)
    assert found.shape == (3,)
    assert found == pytest.approx([0.3112781, 0.0, 0.0], abs=1e-6)
    assert js_divergence(windows, np.array([1, 1])) == pytest.approx(found)


def test_whichever_side_is_empty_there_is_no_distance() -> None:
    assert float(js_divergence(np.array([0, 0]), np.array([1, 2]))) == 0.0
    assert float(js_divergence(np.array([1, 2]), np.array([0, 0]))) == 0.0


def test_the_distance_is_the_root_of_the_divergence() -> None:
    assert js_distance(np.array([1, 1]), np.array([3, 0])) == pytest.approx(math.sqrt(0.3112781), abs=1e-6)


def test_psi_counts_half_a_row_more_in_each_bin() -> None:
    assert psi(np.array([100, 0]), np.array([0, 100])) == pytest.approx(2 * 100 / 101 * math.log(201))
    # p = (3.5, 1.5) / 5 and q = (0.5, 2.5) / 3
    expected = (1 / 6 - 0.7) * math.log(1 / 6 / 0.7) + (5 / 6 - 0.3) * math.log(5 / 6 / 0.3)
    assert psi(np.array([3, 1]), np.array([0, 2])) == pytest.approx(expected)


# Tails


@pytest.mark.parametrize(("value", "tail"), [(1.769472, 0.5), (3.121792, ONE_DEVIATION), (0.877952, 1 - ONE_DEVIATION)])
def test_the_cube_root_of_a_gamma_variable_is_normal(value: float, tail: float) -> None:
    # A mean of 2 and a deviation of 1.2: (1.2 / 2)² / 9 = 0.2², so the cube root of value / 2 has the mean 0.96 and the deviation 0.2.
    assert gamma_tail(value, 2, 1.2) == pytest.approx(tail)
    assert gamma_quantile(tail, 2, 1.2) == pytest.approx(value)


def test_a_gamma_quantile_is_never_below_zero() -> None:
    assert gamma_quantile(0.999999, 1.0, 3.0) == 0.0


@pytest.mark.parametrize(("mean", "deviation"), [(0.5, 0.0), (0.0, 0.3)])
def test_without_a_mean_or_a_deviation_it_is_a_step(mean: float, deviation: float) -> None:
    assert [gamma_tail(value, mean, deviation) for value in (mean - 0.1, mean, mean + 0.1)] == [1.0, 1.0, 0.0]
    assert gamma_quantile(0.01, mean, deviation) == mean


def test_the_beta_binomial_tail_is_that_of_fractions() -> None:
    # For Beta(2, 3) and three trials: 10, 12, 9 and 4 in 35.
    assert [beta_binomial_tail(k, 3, 2, 3) for k in range(-1, 4)] == pytest.approx([1, 1, 25 / 35, 13 / 35, 4 / 35])


def test_a_tail_is_never_above_one() -> None:
    assert max(beta_binomial_tail(1, trials, 1e6, 1e-3) for trials in range(1, 60)) <= 1.0


def test_of_more_than_a_million_trials_a_million_are_taken_with_as_large_a_share() -> None:
    assert beta_binomial_tail(2_501, MAX_TRIALS + 1, 0.5, 1000.5) == beta_binomial_tail(2_500, MAX_TRIALS, 0.5, 1000.5) > 0.0
    assert beta_binomial_tail(1, MAX_TRIALS + 1, 0.5, 1000.5) == 1.0


# Between window sizes


def test_what_would_fall_below_zero_is_zero() -> None:
    assert at_size((10.0, 1.0, 0.5, 0.2, 0.1, 0.0), 10**9) == 0.0
    assert at_size((0.0, 0.5, 0.5, 0.5, 0.5, 0.5), 10) == 0.0


def test_halfway_between_two_sizes_in_the_inverse_is_halfway_between_their_values() -> None:
    values = (60.0, 50.0, 40.0, 30.0, 20.0, 10.0)
    assert at_size(values, 150) == pytest.approx(55.0)  # 1/150 lies halfway between 1/100 and 1/300
    assert at_size(values, 10**12) == pytest.approx(10 - 10 * (1 / 9), rel=1e-6)  # the last segment goes on to 1/n = 0


# Statistics


@pytest.mark.parametrize("shape", [(3, CHUNK_ELEMENTS // 2 + 1), (CHUNK_ELEMENTS // 1024 + 1, 1024), (2, 2 * CHUNK_ELEMENTS)])
def test_a_tensor_of_more_than_a_chunk_is_measured_like_any_other(shape: tuple[int, int]) -> None:
    array = np.random.default_rng(0).random(shape, dtype=np.float32)
    assert measure("max", 0, array).tolist() == array.max(axis=1).tolist()


@pytest.mark.parametrize("statistic", ["mean", "std", "min", "max", "zeros", "class", "top_probability", "entropy"])
def test_rows_with_infinite_or_huge_values_are_measured_without_a_warning(statistic: str) -> None:
    rows = np.array([[np.inf, -np.inf], [np.nan, 1.0], [1.7e308, 1.7e308]])
    assert measure(statistic, 0, rows).shape == (3,)


def test_a_column_keeps_its_dtype_and_one_that_is_not_there_is_missing() -> None:
    array = np.arange(6, dtype=np.int16).reshape(2, 3)
    assert measure("column", 2, array).tolist() == [2, 5]
    assert measure("column", 2, array).dtype == np.int16
    assert np.isnan(measure("column", 3, array)).tolist() == [True, True]
    assert measure("value", 0, np.zeros((0, 3), dtype=np.float32)).shape == (0,)


@pytest.mark.parametrize("dtype", ["O", "S3", "U3"])
def test_a_missing_text_is_none(dtype: str) -> None:
    found = absent(2, np.dtype(dtype))
    assert found.dtype == object
    assert found.tolist() == [None, None]


def test_a_missing_number_is_nan() -> None:
    assert np.isnan(absent(2, np.dtype("int8"))).tolist() == [True, True]


def test_rows_of_no_elements_have_no_value_and_no_column() -> None:
    empty = np.zeros((3, 0), dtype=np.float32)
    for statistic in ("value", "column", "mean", "class"):
        assert np.isnan(measure(statistic, 0, empty)).tolist() == [True] * 3


def test_the_entropy_counts_what_is_below_zero_as_zero() -> None:
    np.testing.assert_allclose(measure("entropy", 0, np.array([[0.5, 0.5, -3.0], [0.25, 0.75, 0.0]])), [1.0, 0.8112781], atol=1e-6)


def test_a_class_needs_scores_that_are_all_finite() -> None:
    found = measure("class", 0, np.array([[0.1, 0.9], [np.inf, 0.0], [np.nan, 0.0]]))
    assert found[0] == 1
    assert np.isnan(found[1:]).all()


# Texts


def test_a_text_counts_by_its_first_200_characters() -> None:
    values = np.array(["a" * 200, "a" * 201, "a" * 199], dtype=object)
    assert tally(values) == {"a" * 200: 2, "a" * 199: 1}


def test_bytes_that_are_no_text_are_counted_all_the_same() -> None:
    assert tally(np.array([b"\xff", b"\xfe"], dtype=object)) == {"�": 2}


def test_floats_count_as_whole_numbers_and_what_is_not_finite_is_missing() -> None:
    assert tally(np.array([2.7, 2.0, -1.0, np.nan, np.inf, -np.inf])) == {"2": 2, "-1": 1, "": 3}
    assert tally(np.array([1.0])) == {"1": 1}


@pytest.mark.parametrize("dtype", ["S3", "U3"])
def test_arrays_of_texts_are_tallied(dtype: str) -> None:
    assert tally(np.array(["ab", "ab", ""], dtype=dtype)) == {"ab": 2, "": 1}


def test_truths_are_tallied_in_lower_case() -> None:
    assert tally(np.array([True, False, True])) == {"true": 2, "false": 1}


def test_none_and_an_empty_text_are_missing_even_where_the_holdout_had_them() -> None:
    assert count_categories(np.array(["", None, "a"], dtype=object), ("", "a")).tolist() == [0, 1, 0, 2]


# Features


def test_a_feature_is_written_with_the_list_of_its_kind_alone() -> None:
    assert set(NUMERIC.json()) == {
        "name", "side", "tensor", "statistic", "kind", "counts", "null_means", "null_deviations", "thresholds", "index", "edges",
    }  # fmt: skip
    assert set(WORDS.json()) == (set(NUMERIC.json()) - {"edges"}) | {"categories"}


def test_every_bin_of_a_numeric_feature_is_missing_outside_or_neither() -> None:
    edges = len(NUMERIC.edges)
    for place in range(NUMERIC.bins):
        counts = np.zeros(NUMERIC.bins, dtype=np.int64)
        counts[place] = 7
        assert NUMERIC.missing(counts) == (7 if place == edges + 1 else 0)
        assert NUMERIC.outside(counts) == (7 if place in (0, edges, edges + 2, edges + 3) else 0)


def test_every_bin_of_a_category_feature_is_missing_outside_or_neither() -> None:
    counts = np.array([1, 2, 4, 8])
    assert (WORDS.bins, WORDS.missing(counts), WORDS.outside(counts)) == (4, 8, 4)


def test_a_feature_knows_how_many_rows_it_counted() -> None:
    assert (NUMERIC.rows, WORDS.rows) == (100, 2)


def test_a_feature_counts_its_own_column_by_its_own_statistic() -> None:
    second = numeric_feature("x[1]", "x", np.arange(100.0), index=1)
    array = np.array([[0.0, np.nan], [np.nan, 5.0]])
    assert second.missing(second.count(array)) == 1
    assert second.count(array).tolist() == second.count_values(array[:, 1]).tolist()


def parse(feature: Feature, **changes: Any) -> Feature:
    return Feature.parse(Document(json.loads(json.dumps(feature.json())) | changes, "b: features[3]"))


FITTING: dict[str, tuple[Feature, dict[str, Any], dict[str, Any], str]] = {
    "name": (NUMERIC, {"name": "n" * 500}, {"name": "n" * 501}, "name: too long"),
    "tensor": (NUMERIC, {"tensor": "t" * 500}, {"tensor": "t" * 501}, "tensor: too long"),
    "index": (NUMERIC, {"index": 2**31}, {"index": 2**31 + 1}, "index: out of range"),
    "least index": (NUMERIC, {"index": 0}, {"index": -1}, "index: out of range"),
    "edges": (
        NUMERIC,
        {"edges": list(range(33)), "counts": [1] * 37},
        {"edges": list(range(34)), "counts": [1] * 38},
        "edges: too many",
    ),
    "ascending": (NUMERIC, {"edges": [1, 2], "counts": [1] * 6}, {"edges": [2, 1], "counts": [1] * 6}, r"edges: the edges don't ascend"),
    "categories": (
        WORDS,
        {"categories": [str(number) for number in range(998)], "counts": [1] * 1000},
        {"categories": [str(number) for number in range(999)], "counts": [1] * 1000},
        "categories: too many",
    ),
    "counts": (WORDS, {"counts": [0, 1, 2, 3]}, {"counts": [0, 1, 2, -1]}, r"counts\[3\]: out of range"),
    "most rows": (WORDS, {"counts": [2**53 - 1, 0, 0, 1]}, {"counts": [2**53, 0, 0, 1]}, f"counts: too many rows: .*at most {2**53}, .*{2**53 + 1}"),
    "rare values of all groups together": (
        dataclasses.replace(WORDS, counts=(1, 1, 0, 0, 0, 0), rare=("01234567", "01234567")),
        {"rare": ["01234567" * 4_095, "01234567"]},
        {"rare": ["01234567" * 4_096, "01234567"]},
        "rare: too many rare values",
    ),
    "many counts": (WORDS, {"counts": [0, 1, 2, 3]}, {"counts": [0] * 1001}, "counts: too many"),
    **{
        field: (WORDS, {field: [0] * 6}, {field: [0, 0, 0, 0, 0, -0.1]}, rf"{field}\[5\]: out of range")
        for field in ("null_means", "null_deviations", "thresholds")
    },
    **{
        f"length of {field}": (WORDS, {field: [1] * 6}, {field: [1] * 5}, f"{field}: wrong length: expected 6, found 5")
        for field in ("null_means", "null_deviations", "thresholds")
    },
    **{
        f"long {field}": (WORDS, {field: [1] * 6}, {field: [1] * 7}, f"{field}: too many")
        for field in ("null_means", "null_deviations", "thresholds")
    },
}


@pytest.mark.parametrize(("feature", "good", "bad", "message"), FITTING.values(), ids=FITTING)
def test_each_bound_of_a_feature_is_where_it_is_written(feature: Feature, good: dict[str, Any], bad: dict[str, Any], message: str) -> None:
    read = parse(feature, **good)
    assert {name: getattr(read, name) for name in good} == {name: tuple(value) if isinstance(value, list) else value for name, value in good.items()}
    with pytest.raises((DocumentError, LimitError), match=rf"b: features\[3\].*{message}"):
        parse(feature, **bad)


@pytest.mark.parametrize("field", ["name", "side", "tensor", "statistic", "kind", "counts", "null_means", "null_deviations", "thresholds"])
def test_every_field_of_a_feature_but_those_of_one_kind_is_required(field: str) -> None:
    fields = json.loads(json.dumps(NUMERIC.json()))
    del fields[field]
    with pytest.raises(DocumentError, match=rf"{field}: a required field is missing"):
        Feature.parse(Document(fields, "f"))


def test_what_is_of_one_kind_may_be_left_out() -> None:
    fields = json.loads(json.dumps(NUMERIC.json())) | {"counts": [1, 2, 3, 4]}
    del fields["index"], fields["edges"]
    read = Feature.parse(Document(fields, "f"))
    assert (read.index, read.edges, read.categories) == (0, (), ())


# Baselines


def written(**changes: Any) -> bytes:
    return json.dumps(json.loads(baseline_of([NUMERIC], rows=100).to_bytes()) | changes).encode()


@pytest.mark.parametrize(
    ("good", "bad", "message"),
    [
        ({"rows": 0}, {"rows": -1}, "rows: out of range"),
        ({"expected_windows_between_false_alarms": 1}, {"expected_windows_between_false_alarms": 0}, "alarms: out of range"),
        ({"expected_windows_between_false_alarms": 10**9}, {"expected_windows_between_false_alarms": 10**9 + 1}, "alarms: out of range"),
        ({"window_sizes": list(WINDOW_SIZES)}, {"window_sizes": [*WINDOW_SIZES, 1]}, "window_sizes: too many"),
        ({"window_sizes": list(WINDOW_SIZES)}, {"window_sizes": [0, *WINDOW_SIZES[1:]]}, r"window_sizes\[0\]: out of range"),
        ({"window_sizes": list(WINDOW_SIZES)}, {"window_sizes": [1, *WINDOW_SIZES[1:]]}, r"window_sizes: .* differ: expected \(100, .*found \(1, "),
    ],
)
def test_each_bound_of_a_baseline_is_where_it_is_written(good: dict[str, Any], bad: dict[str, Any], message: str) -> None:
    read = json.loads(Baseline.parse(written(**good)).to_bytes())
    assert {name: read[name] for name in good} == good
    with pytest.raises((DocumentError, LimitError), match=rf"^b\.json: {message}|^b\.json: .*{message}"):
        Baseline.parse(written(**bad), where="b.json")


def test_a_baseline_has_4096_features_at_most() -> None:
    row = json.loads(json.dumps(WORDS.json()))
    rows = [{**row, "name": str(number)} for number in range(4097)]
    assert len(Baseline.parse(written(features=rows[:-1])).features) == 4096
    with pytest.raises(LimitError, match=r"baseline\.json: features: too many: expected at most 4096"):
        Baseline.parse(written(features=rows))


def test_a_baseline_without_features_has_no_rows_and_the_stated_rate() -> None:
    empty = Baseline.empty()
    assert (empty.rows, empty.features, empty.expected_windows_between_false_alarms) == (0, (), 2160)


@pytest.mark.parametrize("field", ["schema", "rows", "window_sizes", "expected_windows_between_false_alarms", "features"])
def test_every_field_of_a_baseline_is_required(field: str) -> None:
    fields = json.loads(written())
    del fields[field]
    with pytest.raises(DocumentError, match=rf"^baseline\.json: {field}"):
        Baseline.parse(json.dumps(fields).encode())


def test_the_name_that_comes_twice_is_told_and_no_other() -> None:
    other = numeric_feature("y", "x", np.arange(100.0))
    with pytest.raises(DocumentError, match=r"^b: features: two features have one name: found 'y'$"):
        Baseline.parse(baseline_of([NUMERIC, other, WORDS, other], rows=1).to_bytes(), where="b")


# Rounding and layout


def test_a_divergence_is_never_below_zero_or_above_one_by_rounding() -> None:
    random = np.random.default_rng(4)
    shapes = random.integers(0, 1000, size=(500, 7))
    assert js_divergence(shapes, 3 * shapes).min() >= 0.0
    left, right = np.concatenate([shapes, 0 * shapes], axis=1), np.concatenate([0 * shapes, shapes], axis=1)
    assert js_divergence(left, right).max() <= 1.0


def test_values_that_are_unknown_are_counted_together_before_the_missing_ones() -> None:
    three = category_feature("w", "w", np.array(["a", "b", "c"], dtype=object))
    counts = three.count(np.array(["x", "y", "a", "", None, "z"], dtype=object))
    assert counts.tolist() == [1, 0, 0, 3, 2]
    assert (three.outside(counts), three.missing(counts)) == (3, 2)


@pytest.mark.parametrize("statistic", ["mean", "std", "min", "max", "zeros", "class", "top_probability", "entropy"])
@pytest.mark.parametrize("dtype", ["float16", "float32", "uint8"])
def test_a_summary_is_a_float64_whatever_the_tensor_is(statistic: str, dtype: str) -> None:
    assert measure(statistic, 0, np.array([[1, 2], [3, 4]], dtype=dtype)).dtype == np.float64


def test_the_first_column_may_be_named() -> None:
    assert parse(NUMERIC, index=0).index == 0
