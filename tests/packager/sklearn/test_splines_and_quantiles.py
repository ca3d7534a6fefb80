"""Steps whose answer is another formula between any two limits: they are the source's at the limits, between them and far from the data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import NearestCentroid
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, QuantileTransformer, SplineTransformer, StandardScaler

from sealift_packager.errors import ParityError
from sealift_packager.frameworks.converters import convert_model
from sealift_packager.graph.session import Settings, open_session, run_session
from sealift_packager.model.source import Array
from sealift_packager.parity.check import check_parity
from sealift_packager.parity.compare import compare
from sealift_packager.parity.digits import with_digits
from support.scikit import loaded
from support.versions import since

RANDOM = np.random.default_rng(0)
ROWS = (RANDOM.normal(size=(300, 3)) * [1, 5, 30]).astype(np.float32).astype(np.float64)
CLASSES = (ROWS[:, 0] + ROWS[:, 1] / 5 > 0).astype(int) + (ROWS[:, 2] > 20)
LINES = LogisticRegression(max_iter=3000)
FOREST = RandomForestClassifier(5, random_state=0)
FAR = np.concatenate([ROWS[:100], ROWS[:50] * 10, ROWS[:50] * -1000, ROWS[:20] * 1e6, [ROWS.min(axis=0), ROWS.max(axis=0), [0.0, 0, 0]]])
#: Many rows have the same value, as amounts and ages do.
ROUND = np.round(ROWS, 1)


def answered(model: Any, rows: Array, folder: Path, *, kept: Array | None = None) -> int:
    """How many requests of parity agreed; the rows are asked as float32 numbers, and those of ``kept`` as they are."""
    source = loaded(model, folder)
    converted = convert_model(source)
    request = {"features": rows.astype(np.float32)}
    assert compare(source.predict(request), run_session(open_session(converted.model, Settings(), where="m"), request)) == []
    return check_parity(source, converted, request if kept is None else {"features": kept.astype(np.float32)}, seed=0)


@pytest.mark.parametrize("extrapolation", ["constant", "linear", "continue", "periodic"])
@pytest.mark.parametrize("options", [{"knots": "quantile", "n_knots": 7}, {"degree": 1, "include_bias": False}, {"degree": 4}], ids=str)
def test_splines_go_on_beyond_their_knots_as_they_say(extrapolation: str, options: dict[str, Any], tmp_path: Path) -> None:
    model = make_pipeline(SplineTransformer(extrapolation=extrapolation, **options), Ridge()).fit(ROWS, ROWS[:, 0] ** 2)
    assert answered(model, FAR, tmp_path) >= 7


def test_steps_of_splines_may_be_constant_between_knots(tmp_path: Path) -> None:
    model = make_pipeline(SplineTransformer(degree=0, n_knots=8, extrapolation="linear"), Ridge()).fit(ROWS, ROWS[:, 0])
    assert answered(model, FAR, tmp_path) >= 7


def test_splines_that_refuse_what_is_beyond_their_knots_take_the_largest_value_of_training(tmp_path: Path) -> None:
    rows = ROWS / 3  # which float32 rounds
    model = make_pipeline(SplineTransformer(extrapolation="error"), Ridge()).fit(rows, rows[:, 0])
    source = with_digits(loaded(model, tmp_path), None)
    request = {"features": np.array([rows.min(axis=0), rows.max(axis=0)])}
    answer = run_session(open_session(convert_model(source).model, Settings(), where="m"), request)
    assert compare(source.predict(request), answer) == []
    beyond = run_session(open_session(convert_model(source).model, Settings(), where="m"), {"features": rows[:1] * 100})
    assert np.isnan(beyond["prediction"]).all()


@since("scikit-learn", "1.8", "have splines of missing values")
def test_splines_of_a_missing_value_are_zero(tmp_path: Path) -> None:
    rows = np.where(np.arange(len(ROWS))[:, None] % 7, ROWS, np.nan)
    model = make_pipeline(SplineTransformer(handle_missing="zeros"), Ridge()).fit(rows, ROWS[:, 0])
    assert answered(model, rows, tmp_path) >= 7


def test_splines_of_a_table_with_text_pack_without_data(tmp_path: Path) -> None:
    table = pd.DataFrame({"a": ROWS[:, 0], "b": ROWS[:, 1], "word": np.array(["x", "y"])[CLASSES % 2]})
    model = make_pipeline(make_column_transformer((SplineTransformer(), ["a", "b"]), (OneHotEncoder(), ["word"])), LINES).fit(table, CLASSES)
    source = loaded(model, tmp_path)
    assert check_parity(source, convert_model(source), None, seed=0) >= 7


@pytest.mark.parametrize("distribution", ["normal", "uniform"])
@pytest.mark.parametrize("quantiles", [5, 300])
@pytest.mark.parametrize("final", [LINES, FOREST], ids=["lines", "trees"])
def test_quantiles_are_interpolated_from_both_sides(distribution: Any, quantiles: int, final: Any, tmp_path: Path) -> None:
    step = QuantileTransformer(n_quantiles=quantiles, output_distribution=distribution)
    assert answered(make_pipeline(step, final).fit(ROWS, CLASSES), FAR, tmp_path) >= 7


@pytest.mark.parametrize("distribution", ["uniform", "normal"])
def test_values_beyond_ends_that_many_rows_share_have_the_least_or_the_most_rank(distribution: Any, tmp_path: Path) -> None:
    ends = np.clip(ROWS, -0.5, 0.5)  # the first and the last quantiles are equal
    model = make_pipeline(QuantileTransformer(output_distribution=distribution, n_quantiles=30), Ridge()).fit(ends, ROWS[:, 0])
    assert answered(model, FAR, tmp_path) >= 7


@pytest.mark.parametrize("distribution", ["normal", "uniform"])
def test_values_that_many_rows_have_become_float64_for_they_stand_in_the_middle_of_their_rank(distribution: Any, tmp_path: Path) -> None:
    model = make_pipeline(QuantileTransformer(n_quantiles=300, output_distribution=distribution), LINES).fit(ROUND, CLASSES)
    source = with_digits(loaded(model, tmp_path), None)
    request = {"features": np.concatenate([ROUND, [ROUND.min(axis=0), ROUND.max(axis=0)]])}
    assert source.inputs[0].dtype == "float64"
    assert compare(source.predict(request), run_session(open_session(convert_model(source).model, Settings(), where="m"), request)) == []


MODELS: dict[str, Callable[[], Any]] = {
    "equally likely": NearestCentroid,
    "by the sum of distances": lambda: NearestCentroid(metric="manhattan"),
    "behind a scaler": lambda: make_pipeline(StandardScaler(), NearestCentroid()),
    "drawn to the middle": lambda: NearestCentroid(shrink_threshold=0.2),
}


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("name", MODELS)
def test_the_nearest_centroid_is_the_label(name: str, classes: int, tmp_path: Path) -> None:
    labels = np.array(["no", "yes", "maybe"])[np.minimum(CLASSES, classes - 1)]
    assert answered(MODELS[name]().fit(ROWS, labels), FAR, tmp_path) >= 7


@since("scikit-learn", "1.6", "have classes that are not equally likely")
def test_classes_that_are_not_equally_likely_are_chosen_by_score(tmp_path: Path) -> None:
    assert answered(NearestCentroid(priors=[0.2, 0.3, 0.5]).fit(ROWS, CLASSES), FAR, tmp_path) >= 7


def test_a_wrong_table_of_knots_is_found(tmp_path: Path) -> None:
    source = loaded(make_pipeline(SplineTransformer(), Ridge()).fit(ROWS, ROWS[:, 0]), tmp_path)
    converted = convert_model(source)
    table = next(tensor for tensor in converted.model.graph.initializer if "powers_rows" in tensor.name)
    table.raw_data = (np.frombuffer(table.raw_data, np.float64) * 1.01).tobytes()
    with pytest.raises(ParityError, match="answers differently"):
        check_parity(source, converted, {"features": ROWS.astype(np.float32)}, seed=0)
