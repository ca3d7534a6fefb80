"""Regressors of a transformed target, and of several targets: exact far from the data, and without data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.ensemble import GradientBoostingRegressor, VotingRegressor
from sklearn.linear_model import Ridge
from sklearn.multioutput import MultiOutputRegressor, RegressorChain
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, OneHotEncoder, PowerTransformer, QuantileTransformer, StandardScaler

from sealift_packager.errors import ConversionError
from sealift_packager.frameworks.converters import convert_model
from sealift_packager.parity.check import check_parity
from support.scikit import loaded

RANDOM = np.random.default_rng(0)
ROWS = RANDOM.normal(size=(300, 3))
TARGET = np.exp(ROWS[:, 0] / 2 + RANDOM.normal(size=300) / 10)
FAR = np.concatenate([ROWS[:100], ROWS[:50] * 10, ROWS[:50] * 100]).astype(np.float32)
TREES = GradientBoostingRegressor(n_estimators=5)
TRANSFORMERS: dict[str, Callable[[], Any]] = {
    "a power": PowerTransformer,
    "a power as it is": lambda: PowerTransformer(standardize=False),
    "a power of positive numbers": lambda: PowerTransformer(method="box-cox"),
    "quantiles of a normal distribution": lambda: QuantileTransformer(n_quantiles=50, output_distribution="normal"),
    "quantiles": lambda: QuantileTransformer(n_quantiles=300),
    "a pipeline": lambda: make_pipeline(FunctionTransformer(np.log1p, np.expm1), StandardScaler()),
    "a range that is clipped on the way there": lambda: MinMaxScaler(clip=True),
}
FUNCTIONS = {"sqrt": np.square, "log": np.exp, "log2": np.exp2, "arcsinh": np.sinh, "sinh": np.arcsinh, "reciprocal": np.reciprocal, "exp": np.log}


@pytest.mark.parametrize("regressor", [Ridge(), TREES], ids=["a line", "trees"])
@pytest.mark.parametrize("name", TRANSFORMERS)
def test_a_target_is_transformed_back(name: str, regressor: Any, tmp_path: Path) -> None:
    source = loaded(TransformedTargetRegressor(regressor, transformer=TRANSFORMERS[name]()).fit(ROWS, TARGET), tmp_path)
    assert check_parity(source, convert_model(source), {"features": FAR}, seed=0) >= 7


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_target_is_transformed_back_by_numpys_functions(name: str, tmp_path: Path) -> None:
    model = TransformedTargetRegressor(TREES, func=getattr(np, name), inverse_func=FUNCTIONS[name], check_inverse=False)
    source = loaded(model.fit(ROWS, TARGET), tmp_path)
    assert check_parity(source, convert_model(source), {"features": FAR}, seed=0) >= 7


def test_a_table_with_text_is_known_from_the_regressor_within(tmp_path: Path) -> None:
    table = pd.DataFrame({"a": ROWS[:, 0], "word": np.array(["x", "y"])[(ROWS[:, 1] > 0).astype(int)]})
    columns = make_column_transformer((StandardScaler(), ["a"]), (OneHotEncoder(), ["word"]))
    source = loaded(TransformedTargetRegressor(make_pipeline(columns, Ridge()), transformer=PowerTransformer()).fit(table, TARGET), tmp_path)
    assert check_parity(source, convert_model(source), None, seed=0) >= 7


def test_arguments_of_the_way_back_are_refused(tmp_path: Path) -> None:
    back = FunctionTransformer(np.log1p, np.expm1, inv_kw_args={"where": True})
    source = loaded(TransformedTargetRegressor(Ridge(), transformer=back, check_inverse=False).fit(ROWS, TARGET), tmp_path)
    with pytest.raises(ConversionError, match="TransformedTargetRegressor: inverse_func: arguments of a function"):
        convert_model(source)


TARGETS = np.stack([TARGET, ROWS[:, 1] * 2, ROWS[:, 2] - ROWS[:, 0]], axis=1)
SEVERAL: dict[str, Callable[[], Any]] = {
    "one after the other": lambda: RegressorChain(Ridge()),
    "in another order": lambda: RegressorChain(Ridge(), order=[2, 0, 1]),
    "trees one after the other": lambda: RegressorChain(TREES, order="random", random_state=3),
    "pipelines one after the other": lambda: RegressorChain(make_pipeline(StandardScaler(), Ridge())),
    "one after the other behind a scaler": lambda: make_pipeline(StandardScaler(), RegressorChain(TREES)),
    "each for itself": lambda: MultiOutputRegressor(make_pipeline(StandardScaler(), TREES)),
}


@pytest.mark.parametrize("name", SEVERAL)
def test_each_target_has_its_column(name: str, tmp_path: Path) -> None:
    source = loaded(SEVERAL[name]().fit(ROWS, TARGETS), tmp_path)
    assert check_parity(source, convert_model(source), {"features": FAR}, seed=0) >= 7


def test_several_targets_of_a_table_with_text_have_a_column_each(tmp_path: Path) -> None:
    table = pd.DataFrame({"a": ROWS[:, 0], "word": np.array(["x", "y"])[(ROWS[:, 1] > 0).astype(int)]})
    columns = make_column_transformer((StandardScaler(), ["a"]), (OneHotEncoder(), ["word"]))
    source = loaded(MultiOutputRegressor(make_pipeline(columns, Ridge())).fit(table, TARGETS), tmp_path)
    assert check_parity(source, convert_model(source), None, seed=0) >= 7


def test_a_vote_of_regressors_counts_by_weight(tmp_path: Path) -> None:
    table = pd.DataFrame({"a": ROWS[:, 0], "word": np.array(["x", "y"])[(ROWS[:, 1] > 0).astype(int)]})
    columns = make_column_transformer((StandardScaler(), ["a"]), (OneHotEncoder(), ["word"]))
    members = [("line", make_pipeline(columns, Ridge())), ("trees", make_pipeline(columns, TREES)), ("gone", "drop")]
    source = loaded(VotingRegressor(members, weights=[1, 5, 2]).fit(table, TARGET), tmp_path)
    assert check_parity(source, convert_model(source), None, seed=0) >= 7
