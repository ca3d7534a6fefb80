"""Two answers to one request: where each bound lies, and what is said of a difference."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from sealift_packager.parity.compare import (
    ATOL_SHARE,
    CONSTANT_STEPS,
    HALF_ATOL_SHARE,
    HALF_RTOL,
    LEAST_SHARE,
    NOISE_SHARE,
    NOISE_STEPS,
    RTOL,
    SPREAD_ROWS,
    SPREAD_SHARE,
    TIE,
    OutputDifference,
    Spread,
    compare,
    sizes,
    spreads,
)

Array = np.ndarray[Any, np.dtype[Any]]


def agree(expected: Array, found: Array, **options: Any) -> bool:
    return not compare({"y": expected}, {"y": found}, **options)


def floats(*values: float) -> Array:
    return np.array(values, dtype=np.float64)


def only(expected: Array, found: Array, name: str = "y") -> OutputDifference:
    (difference,) = compare({name: expected}, {name: found})
    return difference


# Numbers


def test_an_error_may_be_a_thousandth_of_its_value_and_a_hundred_thousandth_of_the_largest() -> None:
    bound = RTOL * 2 + ATOL_SHARE * 100
    for sign in (1, -1):
        assert agree(floats(2, 100), floats(2 + sign * bound * 0.999, 100))
        assert not agree(floats(2, 100), floats(2 + sign * bound * 1.001, 100))
        assert agree(floats(-2, -100), floats(-2 + sign * bound * 0.999, -100))
        assert not agree(floats(-2, -100), floats(-2 + sign * bound * 1.001, -100))


def test_a_wider_bound_for_an_error_holds_where_it_is_asked_for() -> None:
    assert agree(floats(0, 0.5), floats(2**-20, 0.5), rtol=0.0) == (ATOL_SHARE * 0.5 >= 2**-20)
    assert agree(floats(4), floats(5), rtol=0.25 - ATOL_SHARE)
    assert not agree(floats(4), floats(5), rtol=0.25 - 2 * ATOL_SHARE)


def test_the_usual_size_counts_where_it_is_the_larger_one() -> None:
    assert agree(floats(0.0, 1.0), floats(9e-4, 1.0), usual={"y": 100.0})
    assert not agree(floats(0.0, 1.0), floats(9e-4, 1.0), usual={"other": 100.0})
    assert agree(floats(0.0, 100.0), floats(9e-4, 100.0), usual={"y": 1.0})
    assert agree(floats(0.0), floats(0.0))
    assert not agree(floats(0.0), floats(1e-30))


def test_half_precision_has_wider_bounds() -> None:
    half, exact = np.array([1.0, 64.0], dtype=np.float16), floats(1.0, 64.0)
    bound = HALF_RTOL * 1 + HALF_ATOL_SHARE * 64
    assert agree(half, np.array([1 + bound * 0.98, 64], dtype=np.float32))
    assert not agree(half, np.array([1 + bound * 1.02, 64], dtype=np.float32))
    assert not agree(exact, np.array([1 + bound * 0.98, 64], dtype=np.float16))


def test_a_wider_bound_that_is_asked_for_holds_for_half_precision_too() -> None:
    half = np.array([1.0], dtype=np.float16)
    assert agree(half, np.array([1.2], dtype=np.float32), rtol=0.25)
    assert agree(half, np.array([1.009], dtype=np.float32), rtol=1e-9)


@pytest.mark.parametrize(("expected", "found", "equal"), [
    (np.nan, np.nan, True), (np.inf, np.inf, True), (-np.inf, -np.inf, True),
    (np.inf, -np.inf, False), (np.nan, 1.0, False), (1.0, np.nan, False), (np.inf, 1.0, False), (1.0, np.inf, False), (np.inf, np.nan, False),
])  # fmt: skip
def test_what_is_not_finite_is_the_same_or_wrong(expected: float, found: float, *, equal: bool) -> None:
    assert agree(floats(expected, 1.0), floats(found, 1.0)) is equal
    if not equal:
        difference = only(floats(expected, 1.0), floats(found, 1.0))
        assert np.isinf(difference.worst)
        assert (difference.rows, difference.expected, difference.actual) == ((0,), str(np.float64(expected)), str(np.float64(found)))


def test_what_is_not_finite_says_nothing_of_the_usual_size() -> None:
    assert not agree(floats(np.inf, 1.0), floats(np.inf, 1.01))
    assert not agree(floats(np.nan, 0.0), floats(np.nan, 0.01))


def test_sizes_are_the_largest_finite_values_of_outputs_that_hold_numbers() -> None:
    answers = {"y": floats(-3, np.inf, 2, np.nan), "none": floats(), "label": np.array([7]), "all": floats(np.nan)}
    assert sizes(answers) == {"y": 3.0, "none": 0.0, "all": 0.0}


# Shapes and other dtypes


def test_an_output_that_is_missing_or_has_another_shape_is_wrong_in_every_row() -> None:
    (missing,) = compare({"y": np.ones((3, 2))}, {"other": np.ones((3, 2))})
    assert (missing.rows, missing.total_rows, missing.expected, missing.actual) == ((0, 1, 2), 3, "[3, 2]", "nothing")
    assert np.isinf(missing.worst)
    difference = only(np.ones((3, 2)), np.ones((3, 1)))
    assert (difference.rows, difference.expected, difference.actual) == ((0, 1, 2), "[3, 2]", "[3, 1]")
    assert only(np.array(1.0), np.ones(1)).rows == (0,)


def test_one_number_for_a_whole_request_is_one_row() -> None:
    assert agree(np.array(2.0), np.array(2.0))
    difference = only(np.array(2.0), np.array(3.0))
    assert (difference.rows, difference.total_rows, difference.worst) == ((0,), 1, 1.0)
    assert (difference.expected, difference.actual) == ("2.0", "3.0")


@pytest.mark.parametrize("values", [np.array([1, 2, 3]), np.array(["a", "b", "c"], dtype=object), np.array([True, False, True])])
def test_what_holds_no_floats_is_equal_or_wrong(values: Array) -> None:
    assert agree(values, values.copy())
    changed = values.copy()
    changed[1] = values[0]
    difference = only(values, changed)
    assert (difference.rows, difference.total_rows) == ((1,), 3)
    assert np.isinf(difference.worst)


def test_integers_in_place_of_floats_must_be_equal() -> None:
    assert agree(floats(1, 2), np.array([1, 2]))
    assert not agree(floats(1000, 2), np.array([1000, 3]))
    assert not agree(np.array([1000]), floats(1000.001))


def test_every_output_of_the_reference_is_compared_and_no_other() -> None:
    reference = {"a": floats(1), "b": floats(2), "c": floats(3)}
    assert [row.output for row in compare(reference, {"a": floats(9), "b": floats(2), "c": floats(9), "d": floats(9)})] == ["a", "c"]


# What is said


def test_the_worst_element_is_shown_and_the_rows_are_named_once_each() -> None:
    expected = np.zeros((8, 2))
    found = expected.copy()
    found[2] = [1, 7.25]
    found[5, 0] = 3
    difference = only(expected, found)
    assert (difference.rows, difference.total_rows, difference.worst, difference.expected, difference.actual) == ((2, 5), 8, 7.25, "0.0", "7.25")
    assert str(difference) == "output 'y' differs in 2 of 8 rows (2, 5), by up to 7.25: 0.0 became 7.25"


def test_the_worst_wrong_element_is_shown_although_another_is_further_off() -> None:
    # 1000 may be off by 1.01, and 1 by 0.011.
    difference = only(floats(1000, 1), floats(1001, 1.5))
    assert (difference.rows, difference.expected, difference.actual) == ((1,), "1.0", "1.5")


def test_five_rows_are_shown_and_of_more_that_there_are_more() -> None:
    assert "(0, 1, 2, 3, 4)" in str(only(np.zeros(5), np.ones(5)))
    assert "in 6 of 6 rows (0, 1, 2, 3, 4, …), by up to 1: 0.0 became 1.0" in str(only(np.zeros(6), np.ones(6)))


def test_an_infinite_difference_has_no_amount_and_values_are_shown_in_80_characters() -> None:
    difference = only(np.array(["a" * 100], dtype=object), np.array(["b" * 100], dtype=object))
    assert str(difference) == f"output 'y' differs in 1 of 1 rows (0): {'a' * 80} became {'b' * 80}"


# Labels


LABELS, OTHERS = np.array([0, 0]), np.array([1, 1])


def differing(**reference: Array) -> tuple[int, ...]:
    found = compare({"label": LABELS, **reference}, {**reference, "label": OTHERS})
    return found[0].rows if found else ()


def test_a_label_may_differ_where_the_two_best_probabilities_are_as_near_as_a_tie() -> None:
    assert differing(probabilities=np.array([[0.5, 0.5], [0.5 + 4 * TIE, 0.5 - 4 * TIE]])) == (1,)
    assert differing(probabilities=np.array([[0.4, 0.4 + 0.9 * TIE, 0.1], [0.4, 0.4 + 1.1 * TIE, 0.1]])) == (1,)
    assert differing(probabilities=np.array([[0.1, 0.45, 0.45], [0.45, 0.1, 0.45]])) == ()


def test_without_probabilities_every_label_counts() -> None:
    assert differing() == (0, 1)
    assert differing(probabilities=np.array([0.5, 0.5])) == (0, 1)


def test_only_what_is_called_label_may_differ_by_a_tie() -> None:
    probabilities = np.array([[0.5, 0.5], [0.5, 0.5]])
    assert [row.output for row in compare({"y": LABELS, "probabilities": probabilities}, {"y": OTHERS, "probabilities": probabilities})] == ["y"]
    two = np.zeros((2, 2), dtype=np.int64)
    assert [row.output for row in compare({"label": two, "probabilities": probabilities}, {"label": two + 1, "probabilities": probabilities})] == [
        "label"
    ]


def test_a_single_class_is_no_tie() -> None:
    assert differing(probabilities=np.ones((2, 1))) == (0, 1)


def test_a_label_by_distance_may_differ_where_the_two_least_are_as_near_as_a_tie_of_the_largest() -> None:
    assert differing(distances=np.array([[1.0, 1.0, 4.0], [1.0, 1.1, 4.0]])) == (1,)
    assert differing(distances=np.array([[100.0, 100.0 + 0.9 * TIE * 1000, 1000.0], [100.0, 100.0 + 1.1 * TIE * 1000, 1000.0]])) == (1,)
    assert differing(distances=np.zeros((2, 2))) == ()


def test_distances_count_before_probabilities_and_only_beside_labels() -> None:
    near, far = np.array([[0.5, 0.5], [0.5, 0.5]]), np.array([[0.0, 1.0], [0.0, 1.0]])
    assert differing(distances=far, probabilities=near) == (0, 1)
    assert differing(distances=near, probabilities=far) == ()
    assert differing(distances=np.array([1.0, 1.0]), probabilities=near) == ()


def test_outputs_of_no_elements_agree() -> None:
    assert agree(floats(), floats())
    assert agree(np.zeros((0, 3)), np.zeros((0, 3)))


def test_a_missing_output_is_named() -> None:
    assert [row.output for row in compare({"y": np.ones(2), "z": np.ones(2)}, {})] == ["y", "z"]


def test_labels_that_are_equal_are_right_whether_others_tie_or_not() -> None:
    reference = {"label": LABELS, "probabilities": np.array([[0.5, 0.5], [0.9, 0.1]])}
    assert compare(reference, {**reference, "label": np.array([1, 0])}) == []


def test_two_probabilities_that_are_just_a_tie_apart_are_one() -> None:
    assert differing(probabilities=np.array([[TIE, 0.0], [0.0, TIE]])) == ()


def test_distances_are_measured_by_the_largest_of_their_own_row() -> None:
    assert differing(distances=np.array([[0.5, 0.5 + 2 * TIE, 1.0], [0.0, 100.0, 1000.0]])) == (0, 1)


# Scores beside probabilities


def rows_that_differ(scores: Array | None, *rows: list[float]) -> tuple[int, ...]:
    reference = {"label": np.zeros(len(rows), dtype=np.int64), "probabilities": np.array(rows)}
    found = compare(reference, {**reference, "label": np.ones(len(rows), dtype=np.int64)}, scores=scores)
    return found[0].rows if found else ()


def test_classes_whose_probabilities_are_alike_are_told_apart_by_their_scores() -> None:
    assert rows_that_differ(None, [1.0, 1.0], [1.0, 1.0]) == ()
    assert rows_that_differ(np.array([[30.0, 40.0], [30.0, 30.0]]), [1.0, 1.0], [1.0, 1.0]) == (0,)
    assert rows_that_differ(np.array([[30.0, 30.0], [30.0, 30.0]]), [1.0, 0.5], [1.0, 1.0]) == (0,)


def test_the_score_of_two_classes_is_one_number() -> None:
    assert rows_that_differ(np.array([5.0, 0.0, -5.0]), [1.0, 1.0], [1.0, 1.0], [1.0, 1.0]) == (0, 2)
    assert rows_that_differ(np.array([0.4 * TIE, 0.6 * TIE]), [1.0, 1.0], [1.0, 1.0]) == (1,)


def test_large_scores_tie_by_a_share_of_the_best() -> None:
    near, far = [1e4, 1e4 * (1 - 0.9 * TIE)], [1e4, 1e4 * (1 - 1.1 * TIE)]
    assert rows_that_differ(np.array([near, far]), [1.0, 1.0], [1.0, 1.0]) == (1,)
    assert rows_that_differ(np.array([[-value for value in near], [-value for value in far]]), [1.0, 1.0], [1.0, 1.0]) == (1,)


def test_scores_say_nothing_where_there_are_no_probabilities() -> None:
    reference = {"label": LABELS}
    assert compare(reference, {"label": OTHERS}, scores=np.array([0.0, 0.0]))[0].rows == (0, 1)


def test_scores_of_several_classes_are_compared_as_they_are() -> None:
    assert rows_that_differ(np.array([[-30.0, -30.0, -50.0]]), [1.0, 1.0, 1.0]) == ()
    assert rows_that_differ(np.array([[-30.0, -40.0, -50.0]]), [1.0, 1.0, 1.0]) == (0,)


def test_a_label_that_differs_by_a_tie_is_that_of_a_class_that_is_as_good() -> None:
    reference = {"label": np.array(["b"] * 4, dtype=object), "probabilities": np.array([[0.4, 0.4, 0.2]] * 4)}
    answer = {**reference, "label": np.array(["a", "b", "c", "d"], dtype=object)}
    assert compare(reference, answer, classes=np.array(["b", "a", "c"]))[0].rows == (2, 3)
    assert compare(reference, answer) == []  # nobody says which label is which class


def test_a_label_is_that_of_a_class_that_is_as_good_by_scores_too() -> None:
    reference = {"label": np.array([7] * 3), "probabilities": np.ones((3, 3))}
    scores = np.array([[30.0, 30.0, 20.0]] * 3)
    answer = {**reference, "label": np.array([7, 8, 9])}
    assert compare(reference, answer, scores=scores, classes=np.array([7, 8, 9]))[0].rows == (2,)
    assert compare(reference, answer, scores=scores, classes=np.array([7, 9, 8]))[0].rows == (1,)


def test_classes_that_tie_by_probability_alone_or_by_score_alone_do_not_excuse_a_label() -> None:
    reference = {"label": np.array([0]), "probabilities": np.array([[0.4, 0.4, 0.1]])}
    assert compare(reference, {**reference, "label": np.array([1])}, scores=np.array([[5.0, 1.0, 5.0]]))[0].rows == (0,)


def test_scores_of_pairs_of_classes_say_whether_any_tie() -> None:
    reference = {"label": np.array([0, 0]), "probabilities": np.array([[0.4, 0.4, 0.1, 0.1]] * 2)}
    pairs = np.array([[3.0, 3.0, 1.0, 0.0, 0.0, 0.0], [3.0, 2.0, 1.0, 0.0, 0.0, 0.0]])
    assert compare(reference, {**reference, "label": np.array([1, 1])}, scores=pairs)[0].rows == (1,)


def test_classes_of_another_number_than_the_probabilities_say_nothing() -> None:
    reference = {"label": np.array([0]), "probabilities": np.array([[0.5, 0.5]])}
    assert compare(reference, {**reference, "label": np.array([5])}, classes=np.array([0, 1, 2])) == []


def test_labels_of_another_number_than_the_probabilities_are_equal_or_wrong() -> None:
    reference = {"label": np.array([0, 0, 0]), "probabilities": np.array([[0.5, 0.5]])}
    assert compare(reference, {**reference, "label": np.array([1, 0, 0])})[0].rows == (0,)


def test_probabilities_of_no_class_are_compared() -> None:
    reference = {"label": np.array([0]), "probabilities": np.zeros((1, 0))}
    assert compare(reference, {**reference, "label": np.array([1])})[0].rows == (0,)


# Rows by other numbers


def test_rows_are_called_by_the_numbers_that_are_said() -> None:
    difference = only(floats(0, 0, 0), floats(0, 1, 1))
    assert difference.numbered(np.array([4, 40, 400])).rows == (40, 400)
    assert difference.numbered(np.array([4, 40])) == difference
    assert dataclasses.replace(difference, rows=(1, 2)) == difference


# How outputs vary


@given(
    arrays(
        np.float64,
        array_shapes(min_dims=2, max_dims=3, min_side=1, max_side=4),
        elements=st.floats(-1e6, 1e6) | st.sampled_from([np.nan, np.inf, -np.inf]),
    )
)
def test_a_channel_varies_by_the_standard_deviation_of_its_finite_numbers(values: Array) -> None:
    rows = np.concatenate([values] * SPREAD_ROWS)
    spread = spreads({"y": rows})["y"]
    for channel in range(values.shape[-1]):
        numbers = rows[..., channel][np.isfinite(rows[..., channel])]
        assert spread.deviation[channel] == pytest.approx(numbers.std() if numbers.size else 0, rel=1e-6, abs=1e-9)
        assert spread.size[channel] == (np.abs(numbers).max() if numbers.size else 0)


def test_a_channel_of_one_finite_number_varies_by_nothing() -> None:
    spread = spreads({"y": np.array([[5.0, np.nan]] + [[np.nan, np.nan]] * 7)})["y"]
    assert spread.deviation.tolist() == [0, 0]
    assert spread.size.tolist() == [5, 0]


def test_numbers_of_any_size_vary() -> None:
    spread = spreads({"y": np.array([[-1e300, -1e-200], [1e300, 1e-200]] * 3)})["y"]
    assert spread.deviation == pytest.approx([1e300, 1e-200], abs=0)
    assert spread.size.tolist() == [1e300, 1e-200]


@pytest.mark.parametrize(("value", "shows"), [
    (np.arange(5.0), True), (np.arange(4.0), False), (np.zeros((5, 1)), True), (np.zeros((4, 3)), False), (np.zeros((5, 2, 2)), True),
    (np.zeros((5, 0)), False), (np.zeros((0, 5)), False), (np.array(7.0), False),
    (np.arange(5, dtype=np.float32), True), (np.arange(5, dtype=np.float16), False), (np.arange(5), False),
])  # fmt: skip
def test_five_rows_of_single_or_double_precision_show_how_an_output_varies(value: Array, shows: bool) -> None:
    assert ("y" in spreads({"y": value})) is shows


def test_the_numbers_of_a_vector_are_of_one_channel() -> None:
    assert spreads({"y": np.array([1.0, 3.0] * 4)})["y"].deviation.tolist() == [1.0]


def spread(deviation: float, size: float, *more: float) -> Spread:
    """One channel; further ones by deviation and size in turn."""
    return Spread(deviation=floats(deviation, *more[::2]), size=floats(size, *more[1::2]))


def test_of_two_spreads_the_larger_counts_channel_by_channel() -> None:
    both = spread(1, 20, 4, 30).with_other(spread(2, 10, 3, 40))
    assert (both.deviation.tolist(), both.size.tolist()) == ([2, 4], [20, 40])
    assert spread(1, 20).with_other(None) == spread(1, 20).with_other(spread(9, 9, 9, 9)) == spread(1, 20)


def test_what_varies_by_less_than_ten_thousand_steps_of_float32_is_lost() -> None:
    at = 2.0**23  # float32 knows steps of 1 from here on
    assert [spread(deviation, at).lost for deviation in (9_999, 10_000, 10_001)] == [True, False, False]
    assert spread(20_000, at, 9_999, at).lost


def test_what_does_not_vary_is_not_lost() -> None:
    assert not spread(0, 2.0**23).lost
    assert spread(0, 0, 1, 2.0**23).lost


def test_what_is_beyond_float32_is_lost() -> None:
    assert spread(1e300, 1e300).lost
    assert not spread(0, 1e300).lost


# What an output that varies by little may be off by


STEP = float(np.finfo(np.float32).eps)


def allowed(usual: Spread, expected: float, **options: Any) -> float:
    """By how much one float32 number may be off, found by halving."""
    reference = {"y": np.array([[expected]], dtype=np.float32)}
    low, high = 0.0, 1.0
    while compare(reference, {"y": reference["y"].astype(np.float64) + high}, usual_spreads={"y": usual}, **options) == []:
        high *= 2
    for _ in range(60):
        middle = (low + high) / 2
        agrees = compare(reference, {"y": reference["y"].astype(np.float64) + middle}, usual_spreads={"y": usual}, **options) == []
        low, high = (middle, high) if agrees else (low, middle)
    return low


def test_an_output_may_be_off_by_a_thousandth_of_its_deviation_and_sixteen_steps() -> None:
    assert allowed(spread(100, 2**14), 2**14) == pytest.approx(0.1 + NOISE_STEPS * STEP * 2**14, rel=1e-5)
    assert allowed(spread(100, 2**14), 2**14, spread_share=1e-2) == pytest.approx(1 + NOISE_STEPS * STEP * 2**14, rel=1e-5)


def test_steps_that_are_much_of_the_deviation_are_bounded_by_a_share_of_it() -> None:
    assert allowed(spread(0.5, 2**14), 2**14) == pytest.approx(0.5 * (SPREAD_SHARE + NOISE_SHARE), rel=1e-4)


def test_one_step_is_allowed_whatever_the_deviation_is() -> None:
    assert allowed(spread(0.02, 2**14), 2**14) == pytest.approx(0.02 * SPREAD_SHARE + STEP * 2**14, rel=1e-4)


def test_a_deviation_of_four_steps_is_rounding_and_a_larger_one_is_none() -> None:
    step = STEP * 2**14
    assert allowed(spread(CONSTANT_STEPS * step, 2**14), 2**14) == pytest.approx((NOISE_STEPS + CONSTANT_STEPS * SPREAD_SHARE) * step, rel=1e-4)
    assert allowed(spread(CONSTANT_STEPS * step * 1.001, 2**14), 2**14) == pytest.approx(step, rel=1e-2)


def test_of_a_source_that_always_rounds_alike_a_deviation_of_any_steps_counts() -> None:
    step = STEP * 2**14
    assert allowed(spread(step, 2**14), 2**14, constant_steps=0) == pytest.approx((1 + SPREAD_SHARE) * step, rel=1e-4)
    assert allowed(spread(0, 2**14), 2**14, constant_steps=0) == pytest.approx(NOISE_STEPS * step, rel=1e-4)


def test_the_larger_of_an_answer_s_size_and_the_usual_one_says_what_a_step_is() -> None:
    assert allowed(spread(0, 2**10), 2**14) == pytest.approx(NOISE_STEPS * STEP * 2**14, rel=1e-4)
    assert allowed(spread(0, 2**-10), 2**-10) == pytest.approx(NOISE_STEPS * STEP * 2**-10, rel=1e-4, abs=0)
    assert allowed(spread(0, 2**14), 2**10) == pytest.approx(NOISE_STEPS * STEP * 2**14, rel=1e-4)


def test_an_output_that_varies_by_its_size_is_bounded_by_its_size() -> None:
    assert allowed(spread(1e6, 1e6), 2.0) == pytest.approx(2 * (RTOL + ATOL_SHARE), rel=1e-4)


def test_what_an_operator_rounds_by_is_allowed_however_little_an_output_varies() -> None:
    assert allowed(spread(0, 0), 0.0, least={"y": 0.125}) == pytest.approx(0.125)
    assert allowed(spread(1, 2**14), 2**14, least={"y": 0.125}) == pytest.approx(0.125)
    assert allowed(spread(0, 0), 0.0, least={"other": 0.125}) == pytest.approx(0)


def test_a_channel_of_zeros_may_be_off_by_a_billionth_of_a_thousandth_of_the_largest() -> None:
    usual = {"y": spread(0, 0, 0, 0)}
    expected, off = np.array([[0.0, 1e6]]), np.array([[1.0, 0.0]])
    for share, agrees in ((0.99 * LEAST_SHARE, True), (1.01 * LEAST_SHARE, False)):
        assert (not compare({"y": expected}, {"y": expected + off * share * 1e6}, usual_spreads=usual)) is agrees


def test_channels_of_any_rank_are_bounded_each_by_its_own_deviation() -> None:
    for shape in ((1, 2), (1, 3, 2)):
        expected = np.full(shape, 2.0**14)
        for channel, deviation in enumerate((1.0, 100.0)):
            for share, agrees in ((0.99, True), (1.01, False)):
                answer = expected.copy()
                answer[..., channel] += share * SPREAD_SHARE * deviation
                assert (not compare({"y": expected}, {"y": answer}, usual_spreads={"y": spread(1, 2**14, 100, 2**14)})) is agrees


def test_a_size_is_that_of_its_own_channel() -> None:
    expected = np.array([[1.0, 1e4]] * 3, dtype=np.float32)
    for off, agrees in ((0.9 * NOISE_STEPS * STEP, True), (1.2 * NOISE_STEPS * STEP, False)):
        answer = expected.astype(np.float64) + np.array([off, 0])
        assert (not compare({"y": expected}, {"y": answer}, usual_spreads={"y": spread(0, 0, 0, 0)})) is agrees


def test_a_vector_and_a_single_number_are_bounded_as_one_channel() -> None:
    for expected in (floats(2**14, 2**14), np.array(2.0**14)):
        assert not compare({"y": expected}, {"y": expected + 0.0009}, usual_spreads={"y": spread(1, 2**14)})
        assert compare({"y": expected}, {"y": expected + 0.0011}, usual_spreads={"y": spread(1, 2**14)})


def test_the_spread_of_another_number_of_channels_says_nothing() -> None:
    for expected, usual in ((np.full((1, 2), 2.0**14), spread(1, 2**14)), (floats(2**14, 2**14), spread(1, 2**14, 1, 2**14))):
        assert not compare({"y": expected}, {"y": expected + 1}, usual_spreads={"y": usual})
    assert not compare({"y": np.zeros((0, 2))}, {"y": np.zeros((0, 2))}, usual_spreads={"y": spread(1, 1, 1, 1)})


def test_an_output_s_own_deviation_counts_where_it_is_the_larger_one_and_by_its_own_name() -> None:
    expected = 2**14 + np.arange(10.0)
    own = float(expected.std())
    for usual, deviation in (({"y": spread(100, 2**14)}, 100), ({"y": spread(1, 2**14)}, own), ({"other": spread(100, 2**14)}, own)):
        for share, agrees in ((0.99, True), (1.01, False)):
            answer = expected + share * SPREAD_SHARE * deviation
            assert (not compare({"y": expected}, {"y": answer}, usual_spreads=usual)) is agrees


def test_half_precision_has_its_own_bounds_however_little_it_varies() -> None:
    half = np.full(8, 64, dtype=np.float16)
    assert agree(half, half.astype(np.float64) + 0.9)
