from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealift_core.drift.baseline import Baseline, at_size
from sealift_core.drift.features import WINDOW_SIZES, rare_digest
from sealift_core.errors import DocumentError, UnsupportedSchemaError
from support.baselines import baseline_of, category_feature, column_baseline

BASELINE = column_baseline(np.random.default_rng(0).normal(size=(500, 3)))


def test_a_baseline_survives_the_round_trip_byte_by_byte() -> None:
    words = category_feature("w", "w", np.array(["é", "b"], dtype=object))
    for baseline in (BASELINE, baseline_of([words], rows=2), Baseline.empty()):
        assert Baseline.parse(baseline.to_bytes()) == baseline
        assert Baseline.parse(baseline.to_bytes()).to_bytes() == baseline.to_bytes()


def test_two_features_of_one_name_are_refused() -> None:
    baseline = baseline_of([*BASELINE.features, BASELINE.features[0]], rows=500)
    with pytest.raises(DocumentError, match=r"two features have one name: found 'x\[0\]'"):
        Baseline.parse(baseline.to_bytes())


def test_another_major_schema_is_refused_with_what_to_do() -> None:
    fields = json.loads(BASELINE.to_bytes()) | {"schema": "sealift.baseline/3"}
    with pytest.raises(UnsupportedSchemaError, match="Use the version of Sealift that wrote it"):
        Baseline.parse(json.dumps(fields).encode())


def test_only_a_baseline_with_rare_values_is_of_the_second_version() -> None:
    words = category_feature("w", "w", np.array(["a", "b"], dtype=object))
    rare = dataclasses.replace(words, counts=(1, 1, 0, 0, 0), rare=(rare_digest("c"),))
    for feature, schema in ((words, "sealift.baseline/1"), (rare, "sealift.baseline/2")):
        baseline = baseline_of([feature], rows=2)
        assert json.loads(baseline.to_bytes())["schema"] == schema
        assert Baseline.parse(baseline.to_bytes()) == baseline


def test_fields_of_a_newer_minor_version_are_ignored() -> None:
    fields = json.loads(BASELINE.to_bytes()) | {"season": "summer"}
    assert Baseline.parse(json.dumps(fields).encode()) == BASELINE


def test_other_window_sizes_are_refused() -> None:
    fields = json.loads(BASELINE.to_bytes()) | {"window_sizes": [1, 2]}
    with pytest.raises(DocumentError, match="window_sizes: the window sizes differ"):
        Baseline.parse(json.dumps(fields).encode())


def test_what_is_given_at_window_sizes_is_met_there() -> None:
    values = (0.9, 0.5, 0.3, 0.2, 0.15, 0.12)
    assert [at_size(values, size) for size in WINDOW_SIZES] == pytest.approx(values)


@given(rows=st.integers(1, 10**9))
def test_between_and_beyond_window_sizes_it_is_linear_in_the_inverse(rows: int) -> None:
    values = tuple(3.0 + 200.0 / size for size in WINDOW_SIZES)
    assert at_size(values, rows) == pytest.approx(3.0 + 200.0 / rows)
