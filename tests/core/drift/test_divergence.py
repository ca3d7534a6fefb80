from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealift_core.drift.divergence import beta_binomial_tail, gamma_quantile, gamma_tail, js_distance, js_divergence, psi

Array = np.ndarray[Any, np.dtype[Any]]
COUNTS = st.lists(st.integers(0, 1000), min_size=4, max_size=4).map(np.array)


def test_the_distance_of_equal_shapes_is_zero_and_of_disjoint_ones_is_one() -> None:
    assert js_distance(np.array([1, 2, 3]), np.array([10, 20, 30])) == pytest.approx(0, abs=1e-7)
    assert js_distance(np.array([5, 0]), np.array([0, 9])) == 1.0


def test_the_divergence_of_a_known_pair_is_the_textbook_value() -> None:
    # p = (1/2, 1/2), q = (1, 0): H(3/4, 1/4) - H(1/2, 1/2)/2 = 0.811278 - 0.5
    assert float(js_divergence(np.array([1, 1]), np.array([3, 0]))) == pytest.approx(0.311278, abs=1e-6)


def test_an_empty_side_has_no_distance() -> None:
    assert js_distance(np.array([1, 2]), np.array([0, 0])) == 0.0


def test_rounding_makes_no_distance_of_counts_that_are_nearly_alike_imaginary() -> None:
    random = np.random.default_rng(2)
    for _ in range(50):
        counts = random.integers(1, 1_000_000, size=33)
        assert js_distance(counts, counts * 500 + random.integers(0, 2, size=33)) < 1e-3


@given(first=COUNTS, second=COUNTS, third=COUNTS)
def test_the_distance_is_a_metric_between_zero_and_one(first: Array, second: Array, third: Array) -> None:
    assert 0 <= js_distance(first, second) <= 1
    assert js_distance(first, second) == pytest.approx(js_distance(second, first), abs=1e-7)
    if first.sum() and second.sum() and third.sum():
        assert js_distance(first, third) <= js_distance(first, second) + js_distance(second, third) + 1e-6


def test_psi_of_a_known_pair_is_the_textbook_value() -> None:
    expected, actual = np.array([500_000, 500_000]), np.array([600_000, 400_000])
    assert psi(expected, actual) == pytest.approx(0.1 * math.log(1.2) - 0.1 * math.log(0.8), rel=1e-4)


def test_psi_is_finite_where_a_bin_is_empty() -> None:
    assert 0 < psi(np.array([100, 0]), np.array([0, 100])) < 20


@pytest.mark.parametrize(("value", "tail"), [(18.307, 0.05), (29.588, 0.001), (3.940, 0.95)])
def test_the_gamma_tail_agrees_with_chi_square_tables(value: float, tail: float) -> None:
    assert gamma_tail(value, 10, math.sqrt(20)) == pytest.approx(tail, rel=0.1)  # chi-square with 10 degrees of freedom


@given(tail=st.floats(1e-9, 0.5), mean=st.floats(1e-6, 1), relative=st.floats(0.05, 1))
def test_the_gamma_quantile_is_the_inverse_of_the_tail(tail: float, mean: float, relative: float) -> None:
    assert gamma_tail(gamma_quantile(tail, mean, mean * relative), mean, mean * relative) == pytest.approx(tail, rel=1e-3)


def test_a_null_without_any_deviation_is_a_step() -> None:
    assert (gamma_tail(0.1, 0.0, 0.0), gamma_tail(0.0, 0.0, 0.0)) == (0.0, 1.0)


def test_the_beta_binomial_tail_is_exact_in_small_cases() -> None:
    # Beta(1, 1) makes every number of successes equally likely.
    assert [beta_binomial_tail(k, 4, 1, 1) for k in range(5)] == pytest.approx([1, 0.8, 0.6, 0.4, 0.2])
    assert beta_binomial_tail(1, 1, 2, 6) == pytest.approx(0.25)


def test_the_beta_binomial_tail_holds_far_out_and_for_many_trials() -> None:
    simulated = np.random.default_rng(0)
    rates = simulated.beta(0.5, 1000.5, 200_000)
    rate = (simulated.binomial(100_000, rates) >= 250).mean()
    assert beta_binomial_tail(250, 100_000, 0.5, 1000.5) == pytest.approx(rate, rel=0.1)
    assert 0 < beta_binomial_tail(5_000, 100_000, 0.5, 1000.5) < 1e-20
