"""Which columns may be missing, and that a gap in any one of them is answered by the graph as by the model."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer, make_column_transformer
from sklearn.impute import KNNImputer, MissingIndicator, SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)

from sealift_packager.errors import ParityError
from sealift_packager.frameworks.converters import convert_model
from sealift_packager.graph.session import Settings, open_session, run_session
from sealift_packager.parity.check import check_parity
from support.scikit import loaded

RANDOM: Final = np.random.default_rng(1)
TABLE: Final = pd.DataFrame({"a": np.exp(RANDOM.normal(size=120)), "b": np.exp(RANDOM.normal(size=120)), "city": RANDOM.choice(["x", "y"], 120)})
GAPS: Final = TABLE.assign(a=TABLE.a.where(np.arange(120) % 9 > 0))
LABELS: Final = (TABLE.a + TABLE.b > 2).to_numpy().astype(int)
#: Steps that let a gap through to the imputer behind them.
STEPS: Final[dict[str, Any]] = {
    "a power": PowerTransformer,
    "a power as it is": lambda: PowerTransformer(standardize=False),
    "a power of positive numbers": lambda: PowerTransformer("box-cox"),
    "a scaler": StandardScaler,
    "a scaler within bounds": lambda: MinMaxScaler(clip=True),
    "a scaler by size": MaxAbsScaler,
    "a robust scaler": RobustScaler,
    "quantiles": lambda: QuantileTransformer(n_quantiles=20),
    "normal quantiles": lambda: QuantileTransformer(n_quantiles=20, output_distribution="normal"),
    "a logarithm": lambda: FunctionTransformer(np.log),
    "a sign": lambda: FunctionTransformer(np.sign),
    "a cube root": lambda: FunctionTransformer(np.cbrt),
    "an inverse sinh": lambda: FunctionTransformer(np.arcsinh),
}


def requests(table: pd.DataFrame) -> dict[str, Any]:
    return {name: table[[name]].to_numpy(object if name == "city" else np.float32) for name in table}


@pytest.mark.parametrize("name", STEPS)
def test_a_step_before_an_imputer_leaves_a_gap_a_gap(name: str, tmp_path: Path) -> None:
    filled = make_pipeline(STEPS[name](), SimpleImputer(strategy="constant", fill_value=-7.0))
    steps = ColumnTransformer([("filled", filled, ["a"]), ("as it is", "passthrough", ["b"]), ("city", OneHotEncoder(), ["city"])])
    model = make_pipeline(steps, LogisticRegression()).fit(GAPS, LABELS)
    source = loaded(model, tmp_path)
    assert source.takes_nan
    assert source.nullable is not None
    assert source.nullable.columns == {"a": (0,), "b": (), "city": ()}
    converted = convert_model(source)
    assert check_parity(source, converted, None, seed=0) >= 2
    assert check_parity(source, converted, requests(TABLE), seed=0) >= 7
    answer = run_session(open_session(converted.model, Settings(), where="m"), requests(GAPS))
    np.testing.assert_allclose(answer["probabilities"], model.predict_proba(GAPS), atol=1e-5)


@pytest.mark.parametrize("holdout", [None, requests(TABLE)], ids=["without data", "with data that has no gaps"])
def test_a_graph_that_fills_a_gap_with_another_number_is_found(holdout: Any, tmp_path: Path) -> None:
    def model(value: float) -> Any:
        filled = make_pipeline(StandardScaler(), SimpleImputer(strategy="constant", fill_value=value))
        steps = ColumnTransformer([("filled", filled, ["a"]), ("as it is", "passthrough", ["b"]), ("city", OneHotEncoder(), ["city"])])
        return make_pipeline(steps, LogisticRegression())

    fitted = model(-7.0).fit(GAPS, LABELS)
    source = loaded(fitted, tmp_path)
    fitted[0].named_transformers_["filled"][-1].statistics_[:] = 0
    wrong = convert_model(loaded(fitted, tmp_path))
    with pytest.raises(ParityError, match=r"answers differently on missing values in a\[0\]"):
        check_parity(source, wrong, holdout, seed=0)


#: Preprocessing of "a", of which the others need not be there, and whether "a" may be missing.
FIRST: Final[dict[str, tuple[Any, bool]]] = {
    "an imputer": (SimpleImputer(), True),
    "a scaler, then an imputer": (make_pipeline(StandardScaler(), SimpleImputer()), True),
    "a function, then neighbours": (make_pipeline(FunctionTransformer(), KNNImputer()), True),
    "a logarithm, then an imputer": (make_pipeline(FunctionTransformer(np.log), SimpleImputer()), True),
    "marks": (make_union(SimpleImputer(), MissingIndicator()), True),
    "a scaler": (StandardScaler(), False),
    "a square root": (FunctionTransformer(np.sqrt), False),
}


@pytest.mark.parametrize("unknown", ["error", "ignore"])
@pytest.mark.parametrize("name", FIRST)
def test_a_column_may_be_missing_if_the_model_answers_without_it_whatever_encodes_the_text_beside_it(name: str, unknown: Any, tmp_path: Path) -> None:
    first, nullable = FIRST[name]
    steps = make_column_transformer((first, ["a"]), (FunctionTransformer(np.log), ["b"]), (OneHotEncoder(handle_unknown=unknown), ["city"]))
    model = make_pipeline(steps, LogisticRegression()).fit(GAPS if nullable else TABLE, LABELS)
    source = loaded(model, tmp_path)
    assert source.takes_nan == nullable
    assert (source.nullable is not None and source.nullable.columns["a"] == (0,)) == nullable


def test_of_many_columns_those_that_may_be_missing_are_found(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(60, 300))
    filled = [3, 4, 5, 100, 280, 299]
    steps = make_column_transformer((SimpleImputer(), filled), remainder="passthrough")
    source = loaded(make_pipeline(steps, LogisticRegression()).fit(rows, rows[:, 0] > 0), tmp_path)
    assert source.nullable is not None
    assert source.nullable.columns == {"features": tuple(filled)}
    assert source.nullable.rows["features"].shape == (2, 300)
    assert not loaded(LogisticRegression().fit(rows, rows[:, 0] > 0), tmp_path).takes_nan
