"""Whatever a holdout was like and whatever a device is sent, monitoring raises nothing and keeps every count."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealift_core.bundle.digest import Digest
from sealift_core.drift.baseline import Baseline
from sealift_core.drift.features import KINDS, Feature, count_categories, count_numbers, rare_digest, tally
from sealift_core.drift.statistic import STATISTICS, measure
from sealift_core.schema.documents import canonical_json
from sealift_runtime.monitoring.monitor import ModelMonitor
from support.clocks import ManualClock

Array = np.ndarray[Any, np.dtype[Any]]
BUNDLE = Digest.of(b"bundle")
WORDS = np.array(["a", "b", "", None, b"\xff", 3, 2.5, math.nan, "x" * 300], dtype=object)
#: One for each way in which rows can be odd; each is cut to some length and shape.
ROWS: dict[str, Array] = {
    "ordinary": np.linspace(-3, 3, 120, dtype=np.float32),
    "all missing": np.full(120, np.nan, dtype=np.float32),
    "all infinite": np.full(120, np.inf),
    "both infinities": np.tile([np.inf, -np.inf], 60),
    "half missing": np.tile([np.nan, 1.0], 60).astype(np.float16),
    "one value": np.full(120, 7, dtype=np.int64),
    "zeros": np.zeros(120, dtype=np.float32),
    "largest doubles": np.tile([1.7e308, -1.7e308], 60),
    "smallest doubles": np.full(120, 5e-324),
    "largest integers": np.full(120, 2**64 - 1, dtype=np.uint64),
    "least integers": np.full(120, -(2**63), dtype=np.int64),
    "bytes": np.arange(120, dtype=np.uint8),
    "truth values": np.tile([True, False], 60),
    "one word": np.array(["a"] * 120, dtype=object),
    "words": np.tile(WORDS[:4], 30),
    "no words": np.array([None] * 120, dtype=object),
    "odd words": np.tile(WORDS, 67)[:120],
    "fixed words": np.array(["a", ""] * 60),
    "fixed bytes": np.array([b"a", b""] * 60),
    "many words": np.array([f"w{number}" for number in range(120)], dtype=object),
    "complex numbers": np.full(120, 1 + 2j),
    "dates": np.full(120, "2026-01-01", dtype="datetime64[s]"),
}
SHAPES = ((120,), (120, 1), (40, 3), (20, 2, 3), (120, 1, 1), (1, 120))


@st.composite
def arrays(draw: st.DrawFn) -> Array:
    rows = ROWS[draw(st.sampled_from(sorted(ROWS)))]
    return rows.reshape(draw(st.sampled_from(SHAPES)))[: draw(st.sampled_from([0, 1, 99, 120]))]


NULLS = st.sampled_from([(0.0,) * 6, (5e-324,) * 6, (0.5, 0.3, 0.2, 0.1, 0.01, 0.001), (1e300,) * 6, (0.0, 1e300, 0.0, 5e-324, 1.0, 1e-6)])


@st.composite
def features(draw: st.DrawFn) -> Feature:
    """A feature whose holdout was counted from odd rows, or whose counts are anything that a baseline may hold."""
    kind, statistic, index = draw(st.sampled_from(KINDS)), draw(st.sampled_from(STATISTICS)), draw(st.integers(0, 3))
    edges = draw(st.sampled_from([(), (0.0,), (-1.7e308, 0.0, 5e-324, 1.7e308)])) if kind == "numeric" else ()
    categories = draw(st.sampled_from([(), ("a",), ("b", "0", "7", "true")])) if kind == "category" else ()
    rare = draw(st.sampled_from([None, (), (rare_digest("w1") + rare_digest("w2"), rare_digest("a"))])) if kind == "category" else None
    values = measure(statistic, index, draw(arrays()))
    counted = count_numbers(values, edges) if kind == "numeric" else count_categories(values, categories, rare)
    extreme = list(itertools.islice(itertools.cycle(draw(st.permutations([0, 1, 10**6, 10**14]))), len(counted)))
    return Feature(
        name=f"{draw(st.integers(0, 10**9))}",
        side="input",
        tensor="x",
        statistic=statistic,
        index=index,
        kind=kind,
        edges=edges,
        categories=categories,
        rare=rare,
        counts=tuple(counted.tolist() if draw(st.booleans()) else extreme),
        null_means=draw(NULLS),
        null_deviations=draw(NULLS),
        thresholds=draw(NULLS),
    )


@settings(deadline=None, max_examples=60)
@given(watched=st.lists(features(), max_size=3, unique_by=lambda feature: feature.name), windows=st.lists(st.lists(arrays(), max_size=2), max_size=3))
def test_monitoring_never_raises(watched: list[Feature], windows: list[list[Array]]) -> None:
    baseline = Baseline.parse(Baseline(rows=120, features=tuple(watched)).to_bytes())
    clock = ManualClock()
    monitor = ModelMonitor(baseline, window_s=60, minimum_rows=1, clock=clock)
    for requests in windows:
        for rows in requests:
            monitor.observed({"x": rows}, {"y": rows}, 1.0)
        monitor.drift()
        clock.advance(60)
        window = monitor.close_window("m", "1.0.0", BUNDLE, clock.now())
        assert window is not None
        canonical_json(window.json())  # refuses what isn't finite
        assert window.requests == len(requests)
        assert all(sum(feature.counts) == sum(map(len, requests)) for feature in window.features)
    assert monitor.counters().requests == sum(map(len, windows))


@pytest.mark.parametrize("statistic", STATISTICS)
@pytest.mark.parametrize("rows", ROWS)
def test_every_statistic_of_any_rows_has_a_bin_for_each(rows: str, statistic: str) -> None:
    values = measure(statistic, 0, ROWS[rows].reshape(40, 3))
    assert count_numbers(values, (0.0, 1.0)).sum() == 40
    assert count_categories(values, ("a", "7"), (rare_digest("b"),)).sum() == 40


def test_where_a_tensor_changes_its_dtype_the_values_count_as_missing() -> None:
    numeric = Feature(
        name="x", side="input", tensor="x", statistic="value", kind="numeric", edges=(0.0, 1.0), counts=(0, 9, 0, 0, 0, 0),
        null_means=(0.1,) * 6, null_deviations=(0.1,) * 6, thresholds=(0.1,) * 6,
    )  # fmt: skip
    assert numeric.missing(numeric.count(ROWS["words"])) == 120
    assert np.isnan(measure("length", 0, ROWS["ordinary"])).all()


def test_floats_beyond_the_integers_are_one_category_at_each_end() -> None:
    assert tally(np.array([1e300, 1e19, -1e300])) == {"9223372036854774784": 2, "-9223372036854774784": 1}
