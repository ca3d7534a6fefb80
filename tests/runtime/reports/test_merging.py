from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealift_core.errors import ReportError
from sealift_core.messages.report import Window
from sealift_runtime.reports.merging import merge, merge_windows
from support.windows import make_feature, make_window


def test_counts_add_up_and_the_time_spans_both() -> None:
    merged = merge(make_window(1), make_window(4, failures={"shape": 1, "memory": 3}))
    assert (merged.start, merged.end) == (make_window(1).start, make_window(4).end)
    assert (merged.requests, merged.rows, merged.failures) == (20, 200, {"shape": 2, "memory": 3})
    assert sum(merged.latency_counts) == 20
    assert merged.features[0].counts == (20, 40, 60, 80)


def test_the_verdict_of_the_worse_window_and_the_mean_rate_of_missing_values_are_kept() -> None:
    calm = make_window(0, features=(make_feature("x", missing=0.0),))
    worse = make_window(1, features=(make_feature("x", counts=(0, 0, 0, 300), distance=0.9, psi=4.0, threshold=0.1, missing=1.0, alarm=True),))
    for merged in (merge(calm, worse), merge(worse, calm)):
        feature = merged.features[0]
        assert (feature.distance, feature.psi, feature.threshold, feature.missing, feature.alarm) == (0.9, 4.0, 0.1, 0.75, True)


def test_a_window_without_a_verdict_takes_that_of_the_other() -> None:
    assert merge(make_window(0, rows=0, features=()), make_window(1)).features == make_window(1).features
    assert merge(make_window(0), make_window(1, rows=0, features=())).features == make_window(0).features


def test_only_windows_of_one_bundle_are_merged() -> None:
    merged = merge_windows([make_window(0), make_window(1, version="2.0.0"), make_window(2)])
    assert [(window.version, window.requests) for window in merged] == [("1.2.0", 20), ("2.0.0", 10)]
    with pytest.raises(ReportError, match="different bundles"):
        merge(make_window(0), make_window(1, model="other"))


def test_other_bins_can_not_be_added() -> None:
    with pytest.raises(ReportError, match=r"x\[0\]: bins differ"):
        merge(make_window(0), make_window(1, features=(make_feature("x[0]", counts=(1, 2)),)))


@given(order=st.permutations(range(5)))
def test_merging_in_any_order_gives_the_same_counts(order: list[int]) -> None:
    def window(number: int) -> Window:
        return make_window(number, requests=number, features=(make_feature("x", counts=(number, 1, 2, 3), alarm=number == 3),))

    merged = merge_windows(window(number) for number in order)[0]
    assert (merged.requests, merged.features[0].counts, merged.features[0].alarm) == (10, (10, 5, 10, 15), True)
