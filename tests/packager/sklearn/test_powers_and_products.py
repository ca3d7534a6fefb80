"""Steps that make powers and products of columns, in float64: tiny and large numbers, every case of their formulas, before trees and text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import catboost
import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, PolynomialFeatures, PowerTransformer, TargetEncoder

from sealift_packager.frameworks.converters import convert_model
from sealift_packager.graph.session import Settings, open_session, run_session
from sealift_packager.model.source import Array
from sealift_packager.parity.check import check_parity
from support.scikit import loaded
from support.versions import since

RANDOM = np.random.default_rng(0)
SCALES = np.array([1.0, 1e-10, 1e-40, 1e9, 50.0])
ROWS = RANDOM.normal(size=(200, 5)) * SCALES


def values_of(step: Any, rows: Array, folder: Path) -> tuple[Array, Array]:
    """What a fitted step makes of rows, and what its graph does, as far as sums of single columns show it."""
    width = step.transform(rows[:1]).shape[1]
    last = LinearRegression()
    last.coef_, last.intercept_ = np.eye(width), np.zeros(width)
    last.n_features_in_ = width
    source = loaded(make_pipeline(step, last), folder)
    assert source.digits is not None
    source = source.digits.widen(frozenset(range(rows.shape[1])), frozenset(source.outputs))
    found = run_session(open_session(convert_model(source).model, Settings(), where="test"), {"features": rows})["prediction"]
    return step.transform(rows), found


@since("scikit-learn", "1.7", "computes powers of small and large numbers to the last digit")
@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("exponent", [None, 0.0, 1.0, 2.0, -1.5, 2.5])
def test_powers_are_the_steps_own_at_every_size_and_exponent(exponent: float | None, standardize: bool, tmp_path: Path) -> None:
    step = PowerTransformer(standardize=standardize).fit(ROWS)
    step.lambdas_ = step.lambdas_ if exponent is None else np.full(5, exponent)
    expected, found = values_of(step, np.concatenate([ROWS, np.zeros((1, 5)), 10 * ROWS[:20]]), tmp_path)
    finite = np.isfinite(expected)
    np.testing.assert_allclose(found[finite], expected[finite], rtol=1e-9, atol=1e-300)


def test_powers_of_positive_numbers_are_the_steps_own(tmp_path: Path) -> None:
    step = PowerTransformer("box-cox").fit(np.exp(ROWS[:, [0, 0]] * [1, 3]) * [1, 1e-6])
    step.lambdas_[0] = 0.0
    expected, found = values_of(step, np.exp(ROWS[:, [0, 0]] * [2, 6]) * [1, 1e-6], tmp_path)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize(
    "step", [PolynomialFeatures(3), PolynomialFeatures(2, include_bias=False), PolynomialFeatures((2, 3), interaction_only=True)]
)
def test_products_are_the_steps_own(step: PolynomialFeatures, tmp_path: Path) -> None:
    expected, found = values_of(step.fit(ROWS), ROWS, tmp_path)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("step", [PowerTransformer(), PolynomialFeatures(), MinMaxScaler(clip=True)], ids=lambda step: type(step).__name__)
@pytest.mark.parametrize("texts", [TargetEncoder(cv=2), OneHotEncoder()], ids=lambda step: type(step).__name__)
def test_numbers_with_digits_beside_text_have_them_behind_a_step(step: Any, texts: Any, tmp_path: Path) -> None:
    table = pd.DataFrame({"amount": 1e8 * RANDOM.random(200), "rate": ROWS[:, 0], "city": RANDOM.choice(["Bern", "Oslo"], 200)})
    numbers = make_pipeline(SimpleImputer(add_indicator=True), step)
    columns = make_column_transformer((numbers, ["amount", "rate"]), (texts, ["city"]), sparse_threshold=0)
    model = make_pipeline(columns, LinearRegression()).fit(table, ROWS[:, 0])
    source = loaded(model, tmp_path)
    assert source.digits is not None
    source = source.digits.widen(frozenset((0, 1)))
    rows = {name: table[[name]].to_numpy(object if name == "city" else np.float64) for name in table}
    assert check_parity(source, convert_model(source), rows, seed=0) >= 3


@pytest.mark.parametrize("classes", [2, 3])
def test_a_catboost_classifier_ends_a_pipeline(classes: int, tmp_path: Path) -> None:
    names = np.array(["no", "yes", "maybe"])[np.digitize(ROWS[:, 0], [0, 1][: classes - 1])]
    booster = catboost.CatBoostClassifier(iterations=5, verbose=False, allow_writing_files=False)
    model = make_pipeline(make_column_transformer((MinMaxScaler(), [0, 4])), booster).fit(ROWS, names)
    source = loaded(model, tmp_path)
    assert source.outputs == ("label", "probabilities")
    assert check_parity(source, convert_model(source), {"features": ROWS.astype(np.float32)}, seed=0) >= 3
