"""Outputs are compared with the golden ones by tolerance, NaN equal to NaN, everything else exactly."""

from __future__ import annotations

from typing import Final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from sealift_core.bundle.comparison import compare, compare_case
from sealift_core.bundle.golden import Array
from sealift_core.bundle.manifest import GoldenInfo

NAN, INF = np.nan, np.inf
INFO: Final = GoldenInfo(cases=4, rtol=0, atol=1)


def excess(expected: Array, actual: Array) -> float:
    difference = compare(0, "y", expected, actual, rtol=0.01, atol=0.1)
    return difference.excess if difference else 0.0


@given(npst.arrays(np.float32, npst.array_shapes(min_dims=0, min_side=0)))
def test_an_output_equals_itself_whatever_it_holds(value: Array) -> None:
    assert compare(0, "y", value, value.copy(), rtol=0, atol=0) is None


@pytest.mark.parametrize(
    ("expected", "actual", "passes"),
    [
        (1.0, 1.1, True),
        (1.0, 1.12, False),
        (100.0, 101.0, True),
        (100.0, 101.2, False),
        (NAN, NAN, True),
        (NAN, 0.0, False),
        (0.0, NAN, False),
        (INF, INF, True),
        (INF, -INF, False),
        (INF, 1.0, False),
        (1e30, INF, False),
    ],
)
def test_floats_are_compared_by_tolerance(expected: float, actual: float, passes: bool) -> None:
    assert (excess(np.array([0.0, expected]), np.array([0.0, actual])) <= 1) is passes


@given(st.floats(-1e6, 1e6), st.floats(0, 0.0999))
def test_an_error_below_the_absolute_tolerance_passes(value: float, error: float) -> None:
    assert excess(np.array([value]), np.array([value + error])) <= 1


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        (np.array([1, 2]), np.array([1, 3])),
        (np.array([True]), np.array([False])),
        (np.array(["a"], dtype=object), np.array(["b"], dtype=object)),
        (np.array([1.0, 2.0]), np.array([[1.0, 2.0]])),
        (np.array([1]), np.array([1.0])),
    ],
)
def test_everything_else_is_equal_or_not(expected: Array, actual: Array) -> None:
    assert excess(expected, actual) == INF


def test_the_difference_names_case_output_place_and_values() -> None:
    golden = {"a": np.array([[1.0, 2.0]]), "b": np.array([5])}
    difference = compare_case(3, golden, {"a": np.array([[1.0, 4.0]]), "b": np.array([5])}, INFO)
    assert str(difference) == "case 3, output 'a': expected 2.0, found 4.0 at [0, 1] (2 times the tolerance)"


def test_another_shape_or_type_is_said_of_its_output_and_has_no_amount() -> None:
    (golden, actual) = ({"y": np.array([1.0, 2.0])}, {"y": np.array([[1]])})
    difference = compare_case(3, golden, actual, GoldenInfo(cases=4, rtol=1, atol=1))
    assert str(difference) == "case 3, output 'y': expected float64 (2,), found int64 (1, 1)"


def test_one_number_has_no_place() -> None:
    assert str(compare(0, "y", np.array(1.0), np.array(3.0), rtol=0, atol=1)).endswith("expected 1.0, found 3.0 (2 times the tolerance)")


def test_of_several_outputs_the_worst_is_named_wherever_it_is() -> None:
    golden = {"a": np.array([1.0]), "b": np.array([1.0]), "c": np.array([1.0]), "d": np.array([7])}
    for worst in "abc":
        actual = {name: value + (9 if name == worst else 1) if name != "d" else value for name, value in golden.items()}
        difference = compare_case(0, golden, actual, INFO)
        assert difference is not None
        assert (difference.output, difference.excess) == (worst, 9)
    other = compare_case(0, golden, golden | {"a": np.array([100.0]), "d": np.array([8])}, INFO)
    assert other is not None
    assert other.output == "d"


def test_an_output_is_compared_by_its_own_tolerance_where_it_has_one() -> None:
    golden = {"boxes": np.array([500.0]), "scores": np.array([0.5])}
    info = GoldenInfo(cases=1, rtol=0, atol=5, output_atol={"scores": 0.01})
    assert getattr(compare_case(0, golden, {"boxes": np.array([504.0]), "scores": np.array([0.505])}, info), "output", None) == "boxes"
    difference = compare_case(0, golden, {"boxes": np.array([504.0]), "scores": np.array([0.6])}, info)
    assert str(difference) == "case 0, output 'scores': expected 0.5, found 0.6 at [0] (10 times the tolerance)"


def test_a_case_whose_outputs_are_all_the_golden_ones_has_no_difference() -> None:
    golden = {"a": np.array([1.0]), "n": np.array([1, 2]), "w": np.array(["x"], dtype=object)}
    assert compare_case(0, golden, {name: value.copy() for name, value in golden.items()}, GoldenInfo(cases=1, rtol=0, atol=0)) is None


def test_without_a_tolerance_any_error_is_beyond_all_that_is_allowed() -> None:
    difference = compare(0, "y", np.array([1.0, 2.0]), np.array([1.0, 2.0 + 1e-12]), rtol=0, atol=0)
    assert difference is not None
    assert difference.excess == INF
    relative = compare(0, "y", np.array([0.0, 2.0]), np.array([1e-30, 2.0]), rtol=0.5, atol=0)
    assert relative is not None
    assert relative.excess == INF


def test_what_is_infinite_on_one_side_alone_is_beyond_all_that_is_allowed() -> None:
    for expected, actual in ((INF, 1.0), (1.0, INF), (NAN, 1.0), (1.0, NAN), (NAN, INF)):
        assert excess(np.array([expected]), np.array([actual])) == INF


def test_float16_is_compared_without_overflow() -> None:
    assert excess(np.array([60000], np.float16), np.array([-60000], np.float16)) > 100
