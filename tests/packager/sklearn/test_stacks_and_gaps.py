"""Votes and stacks of pipelines that take text, stacked regressors of tables, indicators of gaps; and what has no ONNX form, in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestRegressor, StackingClassifier, StackingRegressor, VotingClassifier, VotingRegressor
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import IterativeImputer, MissingIndicator, SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.multiclass import OutputCodeClassifier
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sealift_packager.errors import ConversionError
from sealift_packager.frameworks.converters import convert_model
from sealift_packager.graph.session import Settings, open_session, run_session
from sealift_packager.parity.check import check_parity
from sealift_packager.parity.compare import compare
from support.scikit import loaded

RANDOM: Final = np.random.default_rng(0)
NUMBERS: Final = RANDOM.normal(size=(120, 3))
GAPPED: Final = np.where(RANDOM.random((120, 3)) < [0.2, 0.2, 0], np.nan, NUMBERS)
TEXTS: Final = [" ".join(words) for words in RANDOM.choice(["red", "green", "cat", "dog", "sun"], (120, 3))]
AMOUNTS: Final = np.array([text.count("e") + text.count("a") / 2 for text in TEXTS])
LABELS: Final = (AMOUNTS > 2).astype(int)
TABLE: Final = pd.DataFrame({"a": NUMBERS[:, 0], "city": np.resize(np.array(["Oslo", "Bern", "Rome"], dtype=object), 120)})
FOREST: Final = RandomForestRegressor(5, random_state=0)


def of_text(final: Any) -> Any:
    return make_pipeline(TfidfVectorizer(), final)


def of_table(final: Any) -> Any:
    columns = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["city"]), (StandardScaler(), ["a"]))
    return make_pipeline(columns, final)


def assert_alike(model: Any, rows: dict[str, Any], table: Any, folder: Path) -> None:
    source = loaded(model, folder)
    converted = convert_model(source)
    assert check_parity(source, converted, rows, seed=0) >= 5
    found = run_session(open_session(converted.model, Settings(), where="m"), rows)
    if "prediction" in found:
        assert not compare({"prediction": model.predict(table).reshape(-1, 1)}, found)
    else:
        assert found["label"].tolist() == model.predict(table).tolist()


MODELS: Final = {
    "a stack of regressors": (StackingRegressor([("a", of_text(Ridge())), ("b", of_text(FOREST))], final_estimator=FOREST), AMOUNTS),
    "a vote of regressors": (VotingRegressor([("a", of_text(Ridge())), ("b", of_text(FOREST))]), AMOUNTS),
    "a stack of classifiers": (StackingClassifier([("a", of_text(LogisticRegression())), ("b", of_text(LogisticRegression(C=9)))]), LABELS),
    "a vote of classifiers": (VotingClassifier([("a", of_text(LogisticRegression())), ("b", of_text(LogisticRegression(C=9)))]), LABELS),
}


@pytest.mark.parametrize("name", MODELS)
def test_members_may_take_text(name: str, tmp_path: Path) -> None:
    model, target = MODELS[name]
    assert_alike(model.fit(TEXTS, target), {"text": np.array(TEXTS, dtype=object).reshape(-1, 1)}, TEXTS, tmp_path)


def test_members_of_a_stacked_regressor_may_take_a_table(tmp_path: Path) -> None:
    rows = {"a": TABLE[["a"]].to_numpy(np.float32), "city": TABLE[["city"]].to_numpy(object)}
    model = StackingRegressor([("a", of_table(Ridge())), ("b", of_table(Ridge(9)))], final_estimator=Ridge()).fit(TABLE, NUMBERS[:, 1])
    assert_alike(model, rows, TABLE, tmp_path)


def test_rows_that_pass_through_a_stack_stand_behind_the_predictions(tmp_path: Path) -> None:
    model = StackingRegressor([("a", Ridge()), ("b", FOREST)], final_estimator=Ridge(), passthrough=True).fit(NUMBERS, AMOUNTS)
    assert_alike(model, {"features": NUMBERS.astype(np.float32)}, NUMBERS, tmp_path)


@pytest.mark.parametrize("options", [{}, {"features": "all"}, {"missing_values": -1, "error_on_new": False}], ids=str)
def test_gaps_become_columns(options: dict[str, Any], tmp_path: Path) -> None:
    missing = options.get("missing_values", np.nan)
    rows = np.where(np.isnan(GAPPED), missing, NUMBERS)
    model = make_pipeline(make_union(SimpleImputer(missing_values=missing), MissingIndicator(**options)), LogisticRegression())
    assert_alike(model.fit(rows, np.isnan(GAPPED[:, 0]).astype(int)), {"features": rows.astype(np.float32)}, rows, tmp_path)


@pytest.mark.parametrize(
    ("model", "error"),
    [
        (make_pipeline(IterativeImputer(max_iter=2), LogisticRegression()), "IterativeImputer has no ONNX form: .*Use SimpleImputer or KNNImputer"),
        (OutputCodeClassifier(LogisticRegression(), random_state=0), "OutputCodeClassifier has no ONNX form: .*Use OneVsRestClassifier"),
    ],
    ids=["IterativeImputer", "OutputCodeClassifier"],
)
def test_what_has_no_onnx_form_is_named_with_what_to_use(model: Any, error: str, tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match=error):
        convert_model(loaded(model.fit(NUMBERS, np.resize([0, 1, 2], 120)), tmp_path))
