from __future__ import annotations

import dataclasses
import json
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealift_core.drift.features import Feature, count_categories, count_numbers, rare_digest
from sealift_core.drift.statistic import measure
from sealift_core.errors import DocumentError, SealiftError
from sealift_core.schema.documents import Document
from support.baselines import category_feature, numeric_feature

FEATURE = numeric_feature("x[0]", "x", np.arange(100.0))


def test_numbers_are_counted_below_between_above_and_apart_when_they_are_no_numbers() -> None:
    values = np.array([-1, 0, 0.5, 1, 2, 9, np.nan, np.inf, -np.inf, -np.inf])
    assert count_numbers(values, (0.0, 1.0, 2.0)).tolist() == [1, 2, 1, 2, 1, 1, 2]


def test_without_edges_every_number_is_counted_together() -> None:
    assert count_numbers(np.array([1.0, 2.0, np.nan]), ()).tolist() == [2, 1, 0, 0]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int8", "uint8", "int64"])
def test_numbers_of_every_dtype_are_counted_alike(dtype: str) -> None:
    assert count_numbers(np.array([0, 1, 1, 3], dtype=dtype), (1.0, 2.0)).tolist() == [1, 2, 1, 0, 0, 0]


def test_numbers_beyond_a_double_are_counted_as_infinite_without_a_warning() -> None:
    assert count_numbers(np.array(["1e400", "-1e400", "1"], dtype=np.longdouble), (0.0,)).tolist() == [0, 1, 0, 1, 1]


def test_texts_are_counted_as_known_other_and_missing() -> None:
    values = np.array(["red", b"red", "blue", "green", "", None], dtype=object)
    assert count_categories(values, ("blue", "red")).tolist() == [1, 2, 1, 2]


def test_booleans_and_integers_are_categories_by_their_text() -> None:
    assert count_categories(np.array([True, False, True]), ("false", "true")).tolist() == [1, 2, 0, 0]
    assert count_categories(np.array([3, 3, -1, 7]), ("-1", "3")).tolist() == [1, 2, 1, 0]


def test_rare_values_have_bins_by_group_apart_from_unknown_ones() -> None:
    groups = (rare_digest("cyan") + rare_digest("pink"), rare_digest("grey"))
    values = np.array(["red", "pink", "cyan", "grey", "new", "", None, "pink"], dtype=object)
    assert count_categories(values, ("blue", "red"), groups).tolist() == [0, 1, 3, 1, 1, 2]


def test_a_value_whose_digits_stand_across_those_of_two_rare_ones_is_unknown() -> None:
    assert count_categories(np.array(["new"], dtype=object), (), (f"0000{rare_digest('new')}0000",)).tolist() == [0, 1, 0]


def test_a_feature_tells_rare_values_from_unknown_and_missing_ones() -> None:
    words = category_feature("w", "w", np.array(["a", "b"], dtype=object))
    feature = dataclasses.replace(words, counts=(1, 1, 0, 0, 0), rare=(rare_digest("c"),))
    counts = feature.count(np.array(["a", "c", "c", "new", None], dtype=object))
    assert counts.tolist() == [1, 0, 2, 1, 1]
    assert (feature.bins, feature.outside(counts), feature.missing(counts)) == (5, 1, 1)


@pytest.mark.parametrize("text", ["é", "\ud800", "a" * 200])
def test_any_text_has_a_digest_of_eight_digits(text: str) -> None:
    assert re.fullmatch("[0-9a-f]{8}", rare_digest(text))


@pytest.mark.parametrize(
    ("rare", "words"),
    [
        (["0123456"], "rare: not a group of rare values: expected 8 hex digits for each value"),
        ([""], "rare: not a group of rare values"),
        (["0123456789abcdeG"], "rare: not a group of rare values"),
        (["01234567"] * 17, "rare: too many: expected at most 16 items"),
        (["01234567" * 4_097], "rare: too many rare values: expected at most 4096"),
        (["01234567", "89abcdef"], "counts: wrong length: expected 6, found 5"),
    ],
)
def test_rare_values_that_can_not_be_are_refused(rare: list[str], words: str) -> None:
    feature = category_feature("w", "w", np.array(["a", "b"], dtype=object))
    fields = json.loads(json.dumps(feature.json())) | {"counts": [1, 1, 0, 0, 0], "rare": rare}
    with pytest.raises(SealiftError, match=re.escape(words)):
        Feature.parse(Document(fields, "f"))


def test_a_class_among_scores_that_are_not_finite_is_missing() -> None:
    scores = np.array([[0.1, 0.9], [0.8, 0.2], [np.nan, 1.0]])
    assert count_categories(measure("class", 0, scores), ("0", "1")).tolist() == [1, 1, 0, 1]


def test_missing_and_out_of_range_rows_are_told_from_counts() -> None:
    counts = count_numbers(np.array([-5.0, 50.0, 1e6, np.nan, np.nan, np.inf]), FEATURE.edges)
    assert (FEATURE.missing(counts), FEATURE.outside(counts)) == (2, 3)
    words = category_feature("w", "w", np.array(["a", "b"], dtype=object))
    counted = words.count(np.array(["a", "new", "", None], dtype=object))
    assert (words.missing(counted), words.outside(counted)) == (2, 1)


def test_where_the_holdout_had_no_numbers_every_number_is_out_of_range_once() -> None:
    feature = dataclasses.replace(FEATURE, edges=(), counts=(0, 100, 0, 0))
    assert feature.outside(feature.count(np.array([[1.0], [np.nan], [np.inf], [2.0]]))) == 3


def test_a_column_that_a_tensor_lacks_counts_as_missing() -> None:
    feature = numeric_feature("x[7]", "x", np.arange(100.0), index=7)
    assert feature.missing(feature.count(np.zeros((5, 3), dtype=np.float32))) == 5


def test_summaries_of_a_row_are_those_of_numpy() -> None:
    images = np.random.default_rng(0).integers(0, 3, (6, 2, 4, 4)).astype(np.uint8)
    rows = images.reshape(6, -1).astype(np.float64)
    expected = {"mean": rows.mean(1), "std": rows.std(1), "min": rows.min(1), "max": rows.max(1), "zeros": (rows == 0).mean(1)}
    for statistic, values in expected.items():
        np.testing.assert_allclose(measure(statistic, 0, images), values)


def test_what_scores_say_is_the_class_its_probability_and_the_entropy_in_bits() -> None:
    scores = np.array([[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]], dtype=np.float32)
    assert measure("class", 0, scores).tolist() == [0, 2]
    assert measure("top_probability", 0, scores).tolist() == [0.5, 1.0]
    np.testing.assert_allclose(measure("entropy", 0, scores), [1.0, 0.0])


def test_rows_of_no_elements_have_no_summary() -> None:
    assert np.isnan(measure("mean", 0, np.zeros((3, 0, 4)))).all()


def test_the_length_of_a_text_is_its_characters() -> None:
    values = measure("length", 0, np.array(["héé", "", None], dtype=object))
    assert values[:2].tolist() == [3, 0]
    assert np.isnan(values[2])


@given(
    parts=st.lists(st.lists(st.floats(width=32) | st.integers(-3, 3).map(float), max_size=20), max_size=5),
    edges=st.lists(st.integers(-3, 3).map(float), max_size=5, unique=True).map(sorted),
)
def test_counting_in_parts_and_adding_equals_counting_all_at_once(parts: list[list[float]], edges: list[float]) -> None:
    whole = count_numbers(np.array([value for part in parts for value in part]), tuple(edges))
    added = sum((count_numbers(np.array(part), tuple(edges)) for part in parts), np.zeros(len(edges) + 4, dtype=np.int64))
    assert np.array_equal(whole, added)
    assert whole.sum() == sum(len(part) for part in parts)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"edges": [1.0, 1.0]}, "edges: the edges don't ascend"),
        ({"counts": [1, 2, 3]}, "counts: wrong length: expected 15, found 3"),
        ({"counts": [-1] * 15}, "out of range"),
        ({"kind": "categorie"}, "Did you mean 'category'?"),
        ({"statistic": "median"}, "expected one of 'value'"),
        ({"thresholds": [0.1]}, "thresholds: wrong length: expected 6, found 1"),
        ({"null_means": [0.1] * 7}, "at most 6 items"),
        ({"side": "both"}, "expected one of 'input', 'output'"),
        ({"edges": [float(i) for i in range(40)]}, "at most 33 items"),
    ],
)
def test_a_feature_that_does_not_add_up_is_refused_with_its_field(change: dict[str, Any], words: str) -> None:
    with pytest.raises(SealiftError) as caught:
        Feature.parse(Document(json.loads(json.dumps(FEATURE.json())) | change, "baseline.json: features[3]"))
    assert words in str(caught.value)
    assert "features[3]" in str(caught.value)


def test_a_category_that_comes_twice_is_refused() -> None:
    words = category_feature("w", "w", np.array(["a", "b"], dtype=object))
    fields = json.loads(json.dumps(words.json())) | {"categories": ["a", "a"]}
    with pytest.raises(DocumentError, match="a category is listed twice"):
        Feature.parse(Document(fields, "f"))
