"""A column may be called as an output usually is: the column keeps its name, and the output is called otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xgboost
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from sealift_packager.frameworks.converters import convert_model
from sealift_packager.graph.session import Settings, open_session, run_session
from sealift_packager.measure.predictions import judged_outputs, read_prediction
from sealift_packager.model.source import Arrays, SourceModel
from sealift_packager.parity.check import check_parity
from sealift_packager.parity.digits import with_digits
from support.scikit import loaded

RANDOM = np.random.default_rng(0)
NUMBERS = RANDOM.normal(size=(240, 3)).astype(np.float32).astype(np.float64)
WORDS = RANDOM.choice(["x", "y"], 240)
TARGET = ((NUMBERS[:, 0] > 0) ^ (WORDS == "x")).astype(int)


def table_of(*names: str) -> pd.DataFrame:
    return pd.DataFrame(dict(zip(names, NUMBERS.T, strict=True))).assign(word=WORDS)


def mixed(table: pd.DataFrame, final: Any, target: Any) -> Any:
    columns = make_column_transformer((StandardScaler(), [*table.columns[:-1]]), (OneHotEncoder(), ["word"]))
    return make_pipeline(columns, final).fit(table, target)


def asked(source: SourceModel, table: pd.DataFrame) -> Arrays:
    request = {spec.name: table[spec.name].to_numpy(spec.numpy_dtype).reshape(-1, 1) for spec in source.inputs}
    return run_session(open_session(convert_model(source).model, Settings(), where="m"), request)


@pytest.mark.parametrize(
    ("names", "outputs"),
    [
        (("label", "b", "c"), ("label_of_model", "probabilities")),
        (("a", "probabilities", "label"), ("label_of_model", "probabilities_of_model")),
        (("label", "label_of_model", "values"), ("label_of_model_of_model", "probabilities")),
        (("prediction", "scores", "c"), ("label", "probabilities")),
    ],
    ids=str,
)
@pytest.mark.parametrize("final", [LogisticRegression(), DecisionTreeClassifier(max_depth=4)], ids=["lines", "trees"])
def test_a_classifiers_outputs_are_called_otherwise(names: tuple[str, ...], outputs: tuple[str, ...], final: Any, tmp_path: Path) -> None:
    table = table_of(*names)
    model = mixed(table, final, TARGET)
    source = loaded(model, tmp_path)
    answers = asked(source, table)
    assert (tuple(answers), [spec.name for spec in source.inputs]) == (outputs, [*names, "word"])
    assert (answers[outputs[0]] == model.predict(table)).all()
    np.testing.assert_allclose(answers[outputs[1]], model.predict_proba(table), atol=1e-5)
    assert check_parity(source, convert_model(source), None, seed=0) >= 7


def test_a_regressors_output_is_called_otherwise(tmp_path: Path) -> None:
    table = table_of("prediction", "b", "c")
    source = loaded(mixed(table, Ridge(), NUMBERS[:, 0]), tmp_path)
    assert tuple(asked(source, table)) == ("prediction_of_model",)
    assert check_parity(source, convert_model(source), None, seed=0) >= 7


def test_a_regressors_large_answers_are_float64_under_that_name_too(tmp_path: Path) -> None:
    table = table_of("prediction", "b", "c")
    rows = {name: column.to_numpy(object if name == "word" else None).reshape(-1, 1) for name, column in table.items()}
    source = with_digits(loaded(mixed(table, Ridge(alpha=0.1), NUMBERS[:, 0] + 1.7e9), tmp_path), rows)
    assert asked(source, table)["prediction_of_model"].dtype == np.float64


@pytest.mark.parametrize(
    "model",
    [make_pipeline(StandardScaler(), LogisticRegression()), DecisionTreeClassifier(max_depth=4), xgboost.XGBClassifier(n_estimators=3)],
    ids=str,
)
def test_columns_that_become_inputs_for_their_digits_keep_the_name(model: Any, tmp_path: Path) -> None:
    table = table_of("label", "b", "c").drop(columns="word").assign(label=NUMBERS[:, 0] * 1000 + 1.7e9)
    source = loaded(model.fit(table, TARGET), tmp_path)
    assert source.digits is not None
    wide = source.digits.widen(frozenset((0,)))
    assert (asked(wide, table)["label_of_model"] == model.predict(table)).all()
    assert source.outputs == ("label", "probabilities")  # of one array of all columns


def test_it_is_judged_as_the_label_that_it_is() -> None:
    outputs = {"label_of_model": np.array([1, 0]), "probabilities": np.array([[0.2, 0.8], [0.6, 0.4]])}
    prediction = read_prediction(outputs)
    assert judged_outputs(outputs) == ("label_of_model", "probabilities")
    assert prediction.label is not None
    assert prediction.label.tolist() == [1, 0]
    assert prediction.scores is outputs["probabilities"]


def test_the_output_says_why(tmp_path: Path) -> None:
    source = loaded(mixed(table_of("label", "b", "c"), LogisticRegression(), TARGET), tmp_path)
    outputs = convert_model(source).outputs
    said = "The model's label. It is called label_of_model because a column is called label."
    assert [(spec.name, spec.description) for spec in outputs] == [("label_of_model", said), ("probabilities", "")]
