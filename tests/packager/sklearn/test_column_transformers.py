"""Tables as people have them: columns of any name, and column transformers in every place and of every form."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.feature_selection import RFE
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from sealift_packager.errors import ConversionError
from sealift_packager.frameworks.converters import convert_model
from sealift_packager.graph.session import Settings, open_session, run_session
from sealift_packager.parity.check import check_parity
from support.scikit import loaded

ROWS: Final = 240
RANDOM: Final = np.random.default_rng(3)
TABLE: Final = pd.DataFrame(RANDOM.normal(size=(ROWS, 5)) * [1, 2, 5, 0.1, 30], columns=list("abcde")).assign(f=RANDOM.choice(["x", "y", "z"], ROWS))
TARGET: Final = ((TABLE.a + TABLE.b > 0) ^ (TABLE.f == "x")).astype(int).to_numpy()
NAMES: Final = ("hours-per-week", "x y", "a.b", "e/e:0", "1st", "größe 日本", "\"q'", "a\nb", "a\\b", "variable", "features", "input_1", "x" * 450)


def _coded() -> Any:
    steps = [("n", StandardScaler(), ["c", "a"]), ("t", OneHotEncoder(handle_unknown="ignore"), ["f"])]
    return make_pipeline(ColumnTransformer(steps, remainder="passthrough"), LogisticRegression())


def _ending(*steps: Any) -> Any:
    return make_pipeline(*steps, LogisticRegression())


_NESTED: Final = ColumnTransformer([("i", StandardScaler(), ["b"]), ("t", OneHotEncoder(), ["f"])], remainder=MinMaxScaler())
_PANDAS: Final = ColumnTransformer(
    [("n", StandardScaler(), ["a", "c"]), ("t", OneHotEncoder(sparse_output=False), ["f"])], remainder="passthrough", verbose_feature_names_out=False
).set_output(transform="pandas")
_FILLED: Final = ColumnTransformer(
    [("n", SimpleImputer(), ["a", "b"]), ("t", SimpleImputer(strategy="most_frequent"), ["f"])], verbose_feature_names_out=False
).set_output(transform="pandas")
_UNION: Final = FeatureUnion([("s", StandardScaler()), ("p", "passthrough"), ("m", MinMaxScaler()), ("d", "drop")], transformer_weights={"s": 2})
_IDLE: Final = Pipeline([("a", "passthrough"), ("s", StandardScaler()), ("z", None)])
_BY_PLACE: Final[list[Any]] = [
    ("a", StandardScaler(), [0, -2]),
    ("b", MinMaxScaler(), [False, True, False, False, False, False]),
    ("c", MaxAbsScaler(), slice("b", "d")),
    ("d", OneHotEncoder(), make_column_selector(dtype_exclude="number")),
]
MODELS: Final[dict[str, Any]] = {
    "columns in another order than the table's": _ending(ColumnTransformer([("n", StandardScaler(), ["e", "c", "a", "b", "d"])])),
    "columns by negative number, mask, slice of names and function": _ending(ColumnTransformer(_BY_PLACE)),
    "by name behind another one": _ending(_PANDAS, ColumnTransformer([("m", MinMaxScaler(), ["b", "a"])], remainder="passthrough")),
    "in another one": _ending(ColumnTransformer([("o", _NESTED, ["f", "b", "a"])])),
    "text and numbers handed on": _ending(_FILLED, ColumnTransformer([("o", OneHotEncoder(), ["f"]), ("s", StandardScaler(), ["b"])])),
    "a union in it": _ending(ColumnTransformer([("u", _UNION, ["b", "a"]), ("o", OneHotEncoder(), ["f"])])),
    "a pipeline of steps that do nothing in it": _ending(
        ColumnTransformer([("u", _IDLE, ["b", "a"]), ("q", Pipeline([("p", "passthrough")]), ["c"])])
    ),
    "dropped and passed columns, and an estimator for the rest": _ending(
        ColumnTransformer([("a", "passthrough", ["b", "a"]), ("x", "drop", ["c"]), ("d", OneHotEncoder(), ["f"])], remainder=StandardScaler())
    ),
    "a chosen part of its columns": _ending(
        ColumnTransformer([("n", StandardScaler(), ["c", "a", "b"])]), RFE(LogisticRegression(), n_features_to_select=2)
    ),
    "calibrated by a sigmoid": CalibratedClassifierCV(_coded(), cv=2),
    "calibrated by steps": CalibratedClassifierCV(_coded(), cv=2, method="isotonic"),
    "one against the rest": OneVsRestClassifier(_coded()),
    "stacked": StackingClassifier([("a", _coded()), ("b", _coded())], cv=2),
    "voting with weights, one dropped": VotingClassifier([("a", _coded()), ("b", _coded()), ("d", "drop")], voting="soft", weights=[1, 5, 2]),
}


def _answers(model: Any, table: pd.DataFrame, folder: Path) -> dict[str, Any]:
    """What the graph gives for the table's columns, each under its own name, once parity is proven."""
    texts = {name: table[name].to_numpy(dtype=object) for name in table.columns if table[name].dtype.kind == "O" or str(table[name].dtype) == "str"}
    source = loaded(model, folder, examples={name: texts.get(name, table[name].to_numpy()) for name in table.columns})
    given = {name: texts[name].reshape(-1, 1) if name in texts else table[name].to_numpy(np.float32).reshape(-1, 1) for name in table.columns}
    if len(source.inputs) == 1:
        given = {source.inputs[0].name: table[list(model.feature_names_in_)].to_numpy(np.float32)}
    given = {spec.name: given[spec.name] for spec in source.inputs}
    converted = convert_model(source)
    check_parity(source, converted, given, seed=0)
    return run_session(open_session(converted.model, Settings(), where="m"), given)


@pytest.mark.parametrize("name", MODELS)
def test_a_column_transformer_is_exact_wherever_it_stands(name: str, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = MODELS[name]
        table = TABLE if "another order" not in name else TABLE.drop(columns="f")
        model.fit(table, TARGET)
        found = _answers(model, table.astype(dict.fromkeys("abcde", np.float32)).astype(dict.fromkeys("abcde", float)), tmp_path)
    np.testing.assert_allclose(found["probabilities"], model.predict_proba(table), rtol=1e-3, atol=1e-5)


def test_columns_keep_the_names_that_the_user_gave_them(tmp_path: Path) -> None:
    columns = {name: RANDOM.normal(size=ROWS).astype(np.float32) for name in (*NAMES, "a b", "a_b", "a-b")}
    table = pd.DataFrame(columns).assign(text=TABLE.f)
    steps = ColumnTransformer([("n", StandardScaler(), ["a-b", "a b", *NAMES]), ("t", OneHotEncoder(), ["text"])], remainder="passthrough")
    model = make_pipeline(steps, DecisionTreeClassifier(max_depth=4)).fit(table, TARGET)
    assert (_answers(model, table, tmp_path)["label"] == model.predict(table)).all()


def test_an_empty_name_is_refused_in_words(tmp_path: Path) -> None:
    table = TABLE.rename(columns={"b": ""})
    with pytest.raises(ConversionError, match="a column has an empty name"):
        _answers(_coded().fit(table, TARGET), table, tmp_path)
