"""Truth values with gaps are text in a file and objects in pandas: the model's encoder decides, so that the graph answers as the model did."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

from sealift_packager.data.files import read_data
from sealift_packager.data.holdout import bind
from sealift_packager.errors import DataError
from sealift_packager.frameworks.converters import convert_model
from sealift_packager.graph.session import Settings, open_session, run_session
from sealift_packager.parity.check import prove_parity
from support.scikit import loaded

ROWS: Final = 60
GAPS: Final = np.arange(ROWS) % 7 == 3
FLAGS: Final = np.arange(ROWS) % 3 == 0
COLUMNS: Final[dict[str, Any]] = {
    "nullable": pd.Series(FLAGS).astype("boolean").mask(GAPS),
    "a category": pd.Series(FLAGS).astype(pd.CategoricalDtype([False, True])).mask(GAPS),
    "objects and NaN": pd.Series([np.nan if gap else bool(flag) for flag, gap in zip(FLAGS, GAPS, strict=True)], dtype=object),
    "objects and None": pd.Series([None if gap else bool(flag) for flag, gap in zip(FLAGS, GAPS, strict=True)], dtype=object),
}
ENCODERS: Final[dict[str, Any]] = {
    "one-hot": lambda: OneHotEncoder(handle_unknown="ignore"),
    "numbered": lambda: OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2),
}


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("kept_as", COLUMNS)
def test_the_graph_answers_as_the_model_on_the_user_s_own_table(kept_as: str, encoder: str, tmp_path: Path) -> None:
    table = pd.DataFrame({"member": COLUMNS[kept_as], "city": ["Oslo", "Bern"] * (ROWS // 2), "age": np.linspace(18, 80, ROWS)})
    target = (FLAGS | GAPS).astype(int)
    steps = make_column_transformer((ENCODERS[encoder](), ["member", "city"]), remainder="passthrough")
    model = make_pipeline(steps, LogisticRegression(C=100, max_iter=1000)).fit(table, target)
    table.assign(target=target).to_csv(tmp_path / "data.csv", index=False)

    data: Any = read_data(tmp_path / "data.csv")
    source = loaded(model, tmp_path, examples=data.arrays)
    holdout = bind(data, source, "target")
    assert {spec.name: spec.dtype for spec in source.inputs} == {"member": "float32", "city": "string", "age": "float32"}
    assert np.array_equal(holdout.inputs["member"].ravel(), np.where(GAPS, np.nan, FLAGS.astype(np.float32)), equal_nan=True)

    converted = convert_model(source)
    prove_parity(source, converted, holdout.inputs, seed=0, originals=holdout.originals)
    found = run_session(open_session(converted.model, Settings(), where="m"), holdout.inputs)
    assert np.allclose(found["probabilities"], model.predict_proba(table), atol=1e-5)


def test_a_gap_that_an_imputer_fills_is_filled_in_the_graph_too(tmp_path: Path) -> None:
    table = pd.DataFrame({"member": COLUMNS["objects and NaN"]})
    steps = SimpleImputer(strategy="most_frequent"), OneHotEncoder()
    model = make_pipeline(*steps, LogisticRegression()).fit(table, FLAGS.astype(int))
    source = loaded(model, tmp_path, examples={"member": np.array(["True", "False", ""], dtype=object)})
    given = {source.inputs[0].name: np.where(GAPS, np.nan, FLAGS).astype(np.float32).reshape(-1, 1)}
    assert np.allclose(source.predict(given)["probabilities"], model.predict_proba(table))


def test_a_word_among_truth_values_is_refused_with_its_column(tmp_path: Path) -> None:
    table = pd.DataFrame({"member": COLUMNS["nullable"], "city": ["Oslo", "Bern"] * (ROWS // 2)})
    model = make_pipeline(OneHotEncoder(handle_unknown="ignore"), LogisticRegression()).fit(table, FLAGS.astype(int))
    (tmp_path / "data.csv").write_text("member,city,target\nTrue,Oslo,0\nyes,Bern,1\n")
    data: Any = read_data(tmp_path / "data.csv")
    with pytest.raises(DataError, match=r"member: wrong type: expected numbers \(float32\), found text"):
        bind(data, loaded(model, tmp_path, examples=data.arrays), "target")


def test_a_gap_that_an_encoder_knows_is_taken_beside_a_number_that_may_not_be_missing(tmp_path: Path) -> None:
    table = pd.DataFrame({"smoker": COLUMNS["objects and NaN"], "age": np.linspace(20, 60, ROWS)})
    steps = make_column_transformer((ENCODERS["one-hot"](), ["smoker"]), remainder="passthrough")
    model = make_pipeline(steps, LogisticRegression(max_iter=500)).fit(table, GAPS.astype(int))
    table.assign(target=GAPS.astype(int)).to_csv(tmp_path / "data.csv", index=False)
    data: Any = read_data(tmp_path / "data.csv")
    source = loaded(model, tmp_path, examples=data.arrays)
    holdout = bind(data, source, "target")
    converted = convert_model(source)
    prove_parity(source, converted, holdout.inputs, seed=0, originals=holdout.originals)
    found = run_session(open_session(converted.model, Settings(), where="m"), holdout.inputs)
    assert np.array_equal(found["label"].ravel(), model.predict(table))
    assert np.allclose(found["probabilities"], model.predict_proba(table), atol=1e-5)
