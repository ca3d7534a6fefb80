"""XGBoost's scikit-learn wrapper may take a number for a missing value, beside NaN; its files don't keep that number."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import joblib
import numpy as np
import pandas as pd
import pytest
import xgboost
from sklearn.compose import make_column_transformer
from sklearn.ensemble import VotingRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from sealift_packager.errors import ConversionError
from sealift_packager.frameworks.converters import convert_model
from sealift_packager.frameworks.loaders import load_model
from sealift_packager.graph.session import Settings, open_session, run_session
from sealift_packager.parity.check import check_parity
from sealift_packager.parity.compare import compare
from support.ensembles import TRUST

RANDOM: Final = np.random.default_rng(7)
NUMBERS: Final = RANDOM.normal(size=(400, 3)) * 2
GAPS: Final = RANDOM.random(NUMBERS.shape) < 0.3


def rows_with(missing: float) -> Any:
    return np.where(GAPS, missing, NUMBERS)


def labels() -> Any:
    return (np.where(GAPS, 1, NUMBERS).sum(axis=1) > 1).astype(int)


@pytest.mark.parametrize("missing", [-1, 0, -999.9, 1e30, np.inf])
def test_a_number_counts_as_missing_as_in_the_source(missing: float, tmp_path: Path) -> None:
    rows = rows_with(missing)
    model = xgboost.XGBClassifier(n_estimators=10, missing=missing).fit(rows, labels())
    joblib.dump(model, tmp_path / "m")
    source = load_model(tmp_path / "m", TRUST)
    converted = convert_model(source)

    check_parity(source, converted, {"features": rows.astype(np.float32)} if np.isfinite(missing) else None, seed=0)
    asked = np.concatenate([rows, np.where(GAPS, np.nan, NUMBERS), np.full((1, 3), missing), np.full((1, 3), -1)])
    found = run_session(open_session(converted.model, Settings(), where="m"), {"features": asked.astype(np.float32)})
    assert not compare({"label": model.predict(asked), "probabilities": model.predict_proba(asked)}, found)


def test_boundaries_are_asked_with_that_number_too(tmp_path: Path) -> None:
    joblib.dump(xgboost.XGBClassifier(n_estimators=3, missing=-1).fit(rows_with(-1), labels()), tmp_path / "m")
    source = load_model(tmp_path / "m", TRUST)
    joblib.dump(xgboost.XGBClassifier(n_estimators=3, missing=-1).fit(rows_with(-1), labels()).set_params(missing=np.nan), tmp_path / "other")
    other = convert_model(load_model(tmp_path / "other", TRUST))
    with pytest.raises(Exception, match="differ"):
        check_parity(source, other, None, seed=0)


def test_it_counts_within_other_models(tmp_path: Path) -> None:
    table, target = pd.DataFrame(rows_with(0).astype(np.float32).astype(np.float64), columns=["a", "b", "c"]), NUMBERS[:, 0]
    members = [("one", xgboost.XGBRegressor(n_estimators=5, missing=0)), ("two", xgboost.XGBRegressor(n_estimators=5))]
    for model in (make_pipeline(make_column_transformer((MinMaxScaler(), ["a"]), remainder="passthrough"), members[0][1]), VotingRegressor(members)):
        joblib.dump(model.fit(table, target), tmp_path / "m")
        source = load_model(tmp_path / "m", TRUST)
        rows = {"features": table.to_numpy(np.float32)}
        converted = convert_model(source)
        assert check_parity(source, converted, rows, seed=0) >= 5
        found = run_session(open_session(converted.model, Settings(), where="m"), rows)
        assert not compare({"prediction": model.predict(table).reshape(-1, 1)}, found)


def test_a_file_answers_as_its_library_does_with_the_file(tmp_path: Path) -> None:
    rows = rows_with(-1)
    xgboost.XGBClassifier(n_estimators=10, missing=-1).fit(rows, labels()).save_model(tmp_path / "m.json")
    again = xgboost.XGBClassifier()
    again.load_model(tmp_path / "m.json")
    source = load_model(tmp_path / "m.json", TRUST)
    found = run_session(open_session(convert_model(source).model, Settings(), where="m"), {"features": rows.astype(np.float32)})
    assert not compare({"label": again.predict(rows), "probabilities": again.predict_proba(rows)}, found)


def test_a_number_for_missing_values_beside_categories_is_refused_in_words(tmp_path: Path) -> None:
    table = pd.DataFrame({"zip": pd.Categorical(RANDOM.choice([10, 11], 400)), "v": NUMBERS[:, 0]})
    joblib.dump(xgboost.XGBClassifier(n_estimators=3, missing=0, enable_categorical=True).fit(table, labels()), tmp_path / "m")
    with pytest.raises(ConversionError, match="beside columns of categories"):
        load_model(tmp_path / "m", TRUST)
