"""Encoders and imputers of category_encoders and feature_engine: known, unknown and missing categories become what their source makes of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sealift_packager.errors import ConversionError, SourceModelError
from sealift_packager.frameworks.converters import convert_model
from sealift_packager.graph.session import Settings, open_session, run_session
from sealift_packager.parity.check import check_parity
from support.scikit import loaded

encoders = pytest.importorskip("category_encoders", reason="category_encoders is not installed")
engine = pytest.importorskip("feature_engine.encoding", reason="feature_engine is not installed")
imputers = pytest.importorskip("feature_engine.imputation", reason="feature_engine is not installed")

#: Both libraries use what pandas is about to drop.
pytestmark = pytest.mark.filterwarnings("ignore")
RANDOM = np.random.default_rng(0)
ROWS = 300
TABLE = pd.DataFrame(
    {
        "a": RANDOM.normal(size=ROWS),
        "city": RANDOM.choice(["Rom", "Paris", "Wien", "Oslo", "Bern"], ROWS, p=[0.5, 0.3, 0.15, 0.03, 0.02]),
        "b": RANDOM.normal(size=ROWS) * 30,
        "zip": RANDOM.choice([1000, 2000, 3500], ROWS),
    }
)
TARGET = ((TABLE.a > 0) ^ (TABLE.city == "Rom")).astype(int).to_numpy()
GAPS = TABLE.assign(city=TABLE.city.where(np.arange(ROWS) % 11 > 0), a=TABLE.a.where(np.arange(ROWS) % 13 > 0))
FRESH = TABLE.assign(city=[*TABLE.city[3:], "Rom", "nowhere", ""], zip=[*TABLE.zip[1:], 9999])
LINES = LogisticRegression(max_iter=3000)
OF_CATEGORIES = ("Binary", "CatBoost", "Count", "LeaveOneOut", "OneHot", "Ordinal", "Target", "WOE")


def agreed(model: Any, table: pd.DataFrame, fresh: pd.DataFrame, folder: Path) -> None:
    """Asked with the table's rows and fresh ones, and by parity without data, from which the text is known."""
    source = loaded(model.fit(table, TARGET), folder)
    converted = convert_model(source)
    session = open_session(converted.model, Settings(), where="m")
    for rows in (table, fresh):
        filled = {spec.name: rows[spec.name].fillna("") if spec.dtype == "string" else rows[spec.name] for spec in source.inputs}
        request = {spec.name: filled[spec.name].to_numpy(spec.numpy_dtype).reshape(-1, 1) for spec in source.inputs}
        answer = run_session(session, request)
        known = rows.assign(city=rows.city.where(rows.city != "", None if rows.city.isna().any() else np.nan))
        np.testing.assert_array_equal(answer["label"], model.predict(known.astype({"city": object})))
        np.testing.assert_allclose(answer["probabilities"], model.predict_proba(known.astype({"city": object})), atol=1e-5)
    assert check_parity(source, converted, None, seed=0) >= 7


@pytest.mark.parametrize("name", OF_CATEGORIES)
def test_categories_become_what_category_encoders_makes_of_them(name: str, tmp_path: Path) -> None:
    agreed(make_pipeline(getattr(encoders, f"{name}Encoder")(cols=["city", "zip"]), StandardScaler(), LINES), TABLE, FRESH, tmp_path)


@pytest.mark.parametrize("name", ["Count", "OneHot", "Ordinal", "Target"])
def test_missing_categories_are_the_encoders_own(name: str, tmp_path: Path) -> None:
    model = make_pipeline(getattr(encoders, f"{name}Encoder")(cols=["city"]), SimpleImputer(), GradientBoostingClassifier(n_estimators=5))
    agreed(model, GAPS, FRESH, tmp_path)


UNSEEN_IS_NAN: dict[str, Any] = {"cols": ["city"], "handle_unknown": "return_nan"}
RARE: dict[str, Any] = {"tol": 0.06, "n_categories": 2, "variables": ["city"]}
MODELS: dict[str, Callable[[], Any]] = {
    "in a column transformer": lambda: make_pipeline(
        make_column_transformer((encoders.TargetEncoder(), ["zip", "city"]), (StandardScaler(), ["b"])), LINES
    ),
    "calibrated": lambda: CalibratedClassifierCV(make_pipeline(encoders.TargetEncoder(cols=["city"]), LINES), cv=2),
    "unknown ones are not a number": lambda: make_pipeline(encoders.OrdinalEncoder(**UNSEEN_IS_NAN), SimpleImputer(), LINES),
    "of arrays": lambda: make_pipeline(encoders.OrdinalEncoder(cols=["city"], return_df=False), LINES),
    "by their mean": lambda: make_pipeline(engine.MeanEncoder(variables=["city"], unseen="encode"), LINES),
    "by their number": lambda: make_pipeline(engine.CountFrequencyEncoder(variables=["city"], unseen="encode"), LINES),
    "rare ones by their weight": lambda: make_pipeline(engine.RareLabelEncoder(**RARE), engine.WoEEncoder(variables=["city"]), LINES),
    "ordered": lambda: make_pipeline(engine.OrdinalEncoder(variables=["city"], unseen="encode"), LINES),
    "a column each": lambda: make_pipeline(engine.OneHotEncoder(variables=["city"]), LINES),
    "rare ones together": lambda: make_pipeline(engine.RareLabelEncoder(**RARE), engine.OneHotEncoder(variables=["city"]), LINES),
    "rare ones by their mean": lambda: make_pipeline(engine.RareLabelEncoder(**RARE), engine.MeanEncoder(variables=["city"], unseen="encode"), LINES),
}


@pytest.mark.parametrize("name", MODELS)
def test_encoders_stand_wherever_steps_do(name: str, tmp_path: Path) -> None:
    refuses = any(word in name for word in ("rare", "by their", "ordered", "a column each"))  # missing ones
    agreed(MODELS[name](), TABLE, FRESH[FRESH.city != ""] if refuses else FRESH, tmp_path)


FILLED: dict[str, Callable[[], list[Any]]] = {
    "a word": lambda: [imputers.MeanMedianImputer(imputation_method="mean", variables=["a"]), imputers.CategoricalImputer(variables=["city"])],
    "the usual word": lambda: [
        imputers.ArbitraryNumberImputer(variables=["a"]),
        imputers.CategoricalImputer(imputation_method="frequent", variables=["city"]),
    ],
    "with marks": lambda: [
        imputers.AddMissingIndicator(variables=["a", "city"]),
        imputers.EndTailImputer(variables=["a"]),
        imputers.CategoricalImputer(variables=["city"]),
    ],
}


@pytest.mark.parametrize("name", FILLED)
def test_missing_values_are_filled_by_feature_engine(name: str, tmp_path: Path) -> None:
    agreed(make_pipeline(*FILLED[name](), engine.OrdinalEncoder(variables=["city"], unseen="encode"), LINES), GAPS, FRESH, tmp_path)


def test_an_encoder_that_hashes_is_refused_by_name(tmp_path: Path) -> None:
    model = make_pipeline(encoders.HashingEncoder(cols=["city"]), LINES).fit(TABLE, TARGET)
    source = loaded(model, tmp_path, {name: TABLE[name].to_numpy(object if name == "city" else None) for name in TABLE})
    with pytest.raises(ConversionError, match="HashingEncoder"):
        convert_model(source)


def test_text_that_the_model_does_not_show_is_asked_for(tmp_path: Path) -> None:
    table = TABLE.assign(word=RANDOM.choice(["x", "y"], ROWS))
    hidden = make_column_transformer((OneHotEncoder(), [4]), remainder="passthrough")
    source = loaded(make_pipeline(encoders.OrdinalEncoder(cols=["city"]), hidden, LINES).fit(table, TARGET), tmp_path)
    with pytest.raises(ConversionError, match="OneHotEncoder takes text, and the model doesn't show which.*Pass --data"):
        convert_model(source)


def test_empty_text_among_the_categories_is_refused_since_a_request_has_it_for_missing_text(tmp_path: Path) -> None:
    table = TABLE.assign(city=TABLE.city.where(np.arange(ROWS) % 9 > 0, ""))
    model = make_pipeline(encoders.OrdinalEncoder(cols=["city"]), LINES).fit(table, TARGET)
    with pytest.raises(SourceModelError, match="city: the model takes empty text for a category"):
        loaded(model, tmp_path)


BEHIND_MARKS: dict[str, Callable[[], Any]] = {
    "by name": lambda: make_column_transformer((StandardScaler(), ["a", "b", "a_na"]), (OneHotEncoder(), ["city"])),
    "the mark alone": lambda: make_column_transformer(("passthrough", ["a", "b"]), (SimpleImputer(), ["a_na"]), (OneHotEncoder(), ["city"])),
    "beside text": lambda: make_column_transformer(("passthrough", ["a"]), (OneHotEncoder(), ["city", "a_na"])),
    "the rest": lambda: make_column_transformer((OneHotEncoder(), ["city"]), remainder="passthrough"),
}


@pytest.mark.parametrize("name", BEHIND_MARKS)
def test_a_column_transformer_takes_the_marks_that_a_step_before_it_adds(name: str, tmp_path: Path) -> None:
    table = GAPS.assign(city=TABLE.city)
    steps = imputers.AddMissingIndicator(variables=["a"]), imputers.MeanMedianImputer(variables=["a"])
    model = make_pipeline(*steps, BEHIND_MARKS[name](), StandardScaler(with_mean=False), LINES).fit(table, TARGET)
    source = loaded(model, tmp_path)
    assert [(spec.name, spec.dtype) for spec in source.inputs][:2] == [("a", "float32"), ("city", "string")]
    assert source.takes_nan
    converted = convert_model(source)
    assert check_parity(source, converted, None, seed=0) >= 3
    request = {spec.name: table[[spec.name]].to_numpy(spec.numpy_dtype) for spec in source.inputs}
    answer = run_session(open_session(converted.model, Settings(), where="m"), request)
    np.testing.assert_allclose(answer["probabilities"], model.predict_proba(table), atol=1e-5)
