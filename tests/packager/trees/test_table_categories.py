"""Boosters trained on a pandas table's categories take the categories, as the table has them, and not their numbers in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import joblib
import numpy as np
import pandas as pd
import pytest
import xgboost
from sklearn.model_selection import GridSearchCV

from sealift_packager.errors import ConversionError
from sealift_packager.frameworks.converters import convert_model
from sealift_packager.frameworks.loaders import load_model
from sealift_packager.graph.session import Settings, open_session, run_session
from sealift_packager.model.source import LoadOptions
from sealift_packager.parity.check import check_parity
from sealift_packager.parity.compare import compare
from support.versions import since

ROWS: Final = 600
RANDOM: Final = np.random.default_rng(3)
CODES: Final = RANDOM.choice([1001, 1002, 1003, 1010], ROWS)
VALUES: Final = RANDOM.normal(size=ROWS).astype(np.float32)
TARGET: Final = ((CODES % 2 == 1) ^ (VALUES > 0)).astype(int)
TABLE: Final = pd.DataFrame({"zip": pd.Categorical(CODES), "v": VALUES})
TRUST: Final = LoadOptions(trust_pickle=True)

pytestmark = since("xgboost-cpu", "3.1", "keep the categories in the model")


def booster(**options: Any) -> Any:
    return xgboost.XGBClassifier(n_estimators=20, enable_categorical=True, **options)


@pytest.mark.parametrize("most_one_hot", [1, 50])
@pytest.mark.parametrize("form", ["joblib", "file", "search", "dart"])
def test_a_category_is_known_by_its_value(form: str, most_one_hot: int, tmp_path: Path) -> None:
    model = booster(max_cat_to_onehot=most_one_hot, **({"booster": "dart", "rate_drop": 0.3} if form == "dart" else {}))
    if form == "search":
        model = GridSearchCV(model, {"max_depth": [3]}, cv=2)
    model.fit(TABLE, TARGET)
    path = tmp_path / ("m.json" if form == "file" else "m.joblib")
    model.save_model(path) if form == "file" else joblib.dump(model, path)
    source = load_model(path, TRUST)
    converted = convert_model(source)

    rows = np.column_stack([CODES, VALUES]).astype(np.float32)
    rows[:40, 0] = np.resize([1004, np.nan, 0, 3, -5, 1001.5, 1010], 40)  # unknown ones count as missing
    assert check_parity(source, converted, {"features": rows}, seed=0) >= 5
    found = run_session(open_session(converted.model, Settings(), where="m"), {"features": rows[40:]})
    assert not compare({"label": model.predict(TABLE[40:]), "probabilities": model.predict_proba(TABLE[40:])}, found)


def test_categories_of_text_are_refused_with_the_way_to_encode_them(tmp_path: Path) -> None:
    table = TABLE.assign(city=pd.Categorical(RANDOM.choice(["Oslo", "Bern"], ROWS)))
    joblib.dump(booster().fit(table, TARGET), tmp_path / "m.joblib")
    with pytest.raises(ConversionError, match=r"column 2: categories of text.*OrdinalEncoder"):
        load_model(tmp_path / "m.joblib", TRUST)


def test_a_category_that_float32_can_t_hold_is_refused(tmp_path: Path) -> None:
    table = TABLE.assign(zip=pd.Categorical(CODES + 2**24))
    joblib.dump(booster().fit(table, TARGET), tmp_path / "m.joblib")
    with pytest.raises(ConversionError, match=r"column 0: a category that float32 can't hold.*found 16778217"):
        load_model(tmp_path / "m.joblib", TRUST)


@pytest.mark.parametrize("saved_by", ["wrapper", "booster"])
def test_a_saved_file_answers_as_the_library_that_reads_it(saved_by: str, tmp_path: Path) -> None:
    late = RANDOM.permutation(TARGET)
    rows = np.column_stack([CODES, VALUES]).astype(np.float32)
    model = xgboost.XGBClassifier(n_estimators=200, early_stopping_rounds=5).fit(rows, TARGET, eval_set=[(rows, late)], verbose=False)
    assert model.best_iteration + 1 < model.get_booster().num_boosted_rounds()
    path = tmp_path / "m.json"
    if saved_by == "wrapper":
        model.save_model(path)
        again = xgboost.XGBClassifier()
        again.load_model(path)
        expected = again.predict_proba(rows)[:, 1]
    else:
        plain = xgboost.train({"objective": "binary:logistic"}, xgboost.DMatrix(rows, TARGET), 100, evals=[(xgboost.DMatrix(rows, late), "e")],
                              early_stopping_rounds=5, verbose_eval=False)  # fmt: skip
        plain.save_model(path)
        expected = xgboost.Booster(model_file=str(path)).predict(xgboost.DMatrix(rows))
    source = load_model(path, TRUST)
    assert np.allclose(source.predict({"features": rows})["probabilities"][:, 1], expected, rtol=1e-5)
    assert check_parity(source, convert_model(source), {"features": rows}, seed=0) >= 5
