"""Without data, parity asks with rows like those that the model itself shows it was fitted on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import BaggingRegressor
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.linear_model import LinearRegression
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from sealift_packager.errors import ParityError
from sealift_packager.frameworks.converters import convert_model
from sealift_packager.graph.session import Settings, open_session, run_session
from sealift_packager.parity.check import prove_parity
from sealift_packager.parity.digits import with_digits
from sealift_packager.sklearn.fitted_rows import fitted_rows
from support.scikit import loaded

RANDOM = np.random.default_rng(0)
ROWS = RANDOM.normal([1e9, 5.0, -2e6], [3e3, 0.1, 40.0], size=(60, 3))


@pytest.mark.parametrize(
    ("model", "columns"),
    [
        (KNeighborsRegressor(), {0, 1, 2}),
        (GaussianProcessRegressor(optimizer=None), {0, 1, 2}),
        (BaggingRegressor(GaussianProcessRegressor(optimizer=None), n_estimators=2), {0, 1, 2}),
        (make_pipeline(StandardScaler(), LinearRegression()), {0, 1, 2}),
        (make_pipeline(make_column_transformer((MinMaxScaler(), [2]), ("drop", [0]), remainder="passthrough"), LinearRegression()), {2}),
    ],
    ids=["neighbours", "gaussian process", "bag", "scaler", "one column's scaler"],
)
def test_they_lie_where_the_model_s_own_rows_lie(model: Any, columns: set[int]) -> None:
    rows = fitted_rows(model.fit(ROWS, ROWS[:, 1]), ())
    assert rows is not None
    middle, spread = ROWS.mean(axis=0), ROWS.std(axis=0)
    near = np.abs(rows.mean(axis=0) - middle) < 3 * spread
    assert {at for at in range(3) if near[at]} == columns
    assert (rows.std(axis=0)[sorted(columns)] > 0.3 * spread[sorted(columns)]).all()


def test_of_a_model_that_shows_none_nothing_is_made_up() -> None:
    assert fitted_rows(LinearRegression().fit(ROWS, ROWS[:, 1]), ()) is None


@pytest.mark.parametrize("seed", range(4))
def test_a_bag_of_gaussian_processes_far_from_zero_is_right_or_refused(tmp_path: Path, seed: int) -> None:
    random = np.random.default_rng(seed)
    rows = np.column_stack([random.normal(1e9, 1, 80), random.poisson(3, 80)]).astype(np.float32)
    model = BaggingRegressor(GaussianProcessRegressor(optimizer=None), n_estimators=2, random_state=0).fit(rows, random.normal(size=80) * 1e5)
    source = with_digits(loaded(model, tmp_path), None)
    converted = convert_model(source)
    try:
        prove_parity(source, converted, None, seed=0)
    except ParityError:
        return
    inputs = {"features": rows.astype(source.inputs[0].numpy_dtype)}
    answers = run_session(open_session(converted.model, Settings(), where="test"), inputs)["prediction"]
    np.testing.assert_allclose(answers[:, 0], model.predict(rows), rtol=1e-3, atol=1)
