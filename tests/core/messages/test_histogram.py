from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from sealift_core.messages.histogram import BOUNDS_MS, BUCKETS, bucket, quantile_ms

LATENCIES = st.lists(st.floats(BOUNDS_MS[0], BOUNDS_MS[-1]), min_size=1, max_size=200)


def count(latencies: list[float]) -> list[int]:
    counts = [0] * BUCKETS
    for latency in latencies:
        counts[bucket(latency)] += 1
    return counts


@given(latencies=LATENCIES, fraction=st.floats(0.01, 1))
def test_a_quantile_is_at_most_one_bucket_above_the_exact_one(latencies: list[float], fraction: float) -> None:
    exact = sorted(latencies)[max(0, math.ceil(fraction * len(latencies)) - 1)]
    bound = quantile_ms(count(latencies), fraction)
    assert bound is not None
    assert exact <= bound <= exact * 10**0.25 * 1.0001


@given(first=LATENCIES, second=LATENCIES)
def test_histograms_of_two_devices_add_up_to_that_of_both(first: list[float], second: list[float]) -> None:
    assert [a + b for a, b in zip(count(first), count(second), strict=True)] == count(first + second)


def test_what_is_slower_than_every_bound_is_counted_last_and_nothing_has_no_quantile() -> None:
    assert bucket(1e9) == BUCKETS - 1
    assert bucket(0.0) == 0
    assert quantile_ms(count([1e9]), 0.5) == BOUNDS_MS[-1]
    assert quantile_ms([0] * BUCKETS, 0.5) is None
