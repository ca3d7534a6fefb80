"""Tables as people have them, and models within models: exact, unseen and missing values too, or refused with what to do instead."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import lightgbm
import numpy as np
import pandas as pd
import pytest
import xgboost
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor, make_column_selector, make_column_transformer
from sklearn.ensemble import (
    BaggingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier, MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PowerTransformer,
    SplineTransformer,
    StandardScaler,
)
from sklearn.tree import DecisionTreeClassifier

from sealift_packager.convert.registry import convert_model
from sealift_packager.errors import ConversionError, SourceModelError
from sealift_packager.load.registry import load_model
from sealift_packager.load.source import Array, LoadOptions, SourceModel
from sealift_packager.parity.check import check_parity
from sealift_packager.parity.compare import compare
from sealift_packager.session import Settings, open_session, run_session

ROWS = 300
RANDOM = np.random.default_rng(0)
NUMBERS, TEXTS = ["age", "income"], ["city", "job"]
IMPUTED = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
HIST = HistGradientBoostingClassifier(max_iter=10)
FOREST = RandomForestClassifier(5, random_state=0)
UNSEEN = {"handle_unknown": "use_encoded_value", "unknown_value": -1}


def table(*, missing: bool = False) -> pd.DataFrame:
    found = pd.DataFrame(
        {
            "age": RANDOM.normal(50, 10, ROWS),
            "income": RANDOM.lognormal(10, 1, ROWS),
            "city": RANDOM.choice(["Rom", "Paris", "Wien", "Köln"], ROWS).astype(object),
            "job": RANDOM.choice(["a", "b", "c"], ROWS, p=[0.9, 0.09, 0.01]).astype(object),
            "member": RANDOM.choice([True, False], ROWS),
        }
    )
    if missing:
        found.loc[::7, "age"] = np.nan
        found.loc[::5, "city"] = np.nan
    return found


def fitted(columns: Any, final: Any, *, missing: bool = False) -> tuple[Any, pd.DataFrame]:
    rows = table(missing=missing)
    label = ((rows["income"] > 22_000) ^ (rows["city"] == "Rom")).astype(int)
    return make_pipeline(columns, final).fit(rows, label), rows


def encoded(encoder: Any, numbers: Any = "passthrough", *more: Any) -> Any:
    return make_column_transformer((numbers, NUMBERS), (encoder, TEXTS), *more)


def one_hot(**options: Any) -> OneHotEncoder:
    return OneHotEncoder(sparse_output=False, **options)


TABLES: dict[str, Callable[[], tuple[Any, pd.DataFrame]]] = {
    "ordinal, unseen": lambda: fitted(encoded(OrdinalEncoder(**UNSEEN), StandardScaler()), LogisticRegression()),
    "ordinal before trees": lambda: fitted(encoded(OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)), HIST),
    "one-hot, unseen ignored": lambda: fitted(encoded(one_hot(handle_unknown="ignore"), StandardScaler()), LogisticRegression()),
    "one-hot, infrequent": lambda: fitted(
        encoded(one_hot(handle_unknown="infrequent_if_exist", min_frequency=0.1), StandardScaler()), LogisticRegression()
    ),
    "one-hot, first dropped": lambda: fitted(encoded(one_hot(handle_unknown="ignore", drop="first"), StandardScaler()), LogisticRegression()),
    "one-hot, sparse": lambda: fitted(encoded(OneHotEncoder(handle_unknown="ignore"), StandardScaler()), LogisticRegression()),
    "booleans": lambda: fitted(
        encoded(one_hot(handle_unknown="ignore"), StandardScaler(), (one_hot(handle_unknown="ignore"), ["member"])), LogisticRegression()
    ),
    "the rest passed through": lambda: fitted(
        make_column_transformer((one_hot(handle_unknown="ignore"), TEXTS), (StandardScaler(), NUMBERS), remainder="passthrough"), LogisticRegression()
    ),
    "numbers and text imputed": lambda: fitted(
        encoded(make_pipeline(SimpleImputer(strategy="most_frequent"), one_hot(handle_unknown="ignore")), IMPUTED),
        LogisticRegression(),
        missing=True,
    ),
    "text imputed by a word": lambda: fitted(
        encoded(make_pipeline(SimpleImputer(strategy="constant", fill_value="?"), one_hot(handle_unknown="ignore")), IMPUTED),
        LogisticRegression(),
        missing=True,
    ),
    "a forest behind imputed numbers": lambda: fitted(encoded(one_hot(handle_unknown="ignore"), IMPUTED), FOREST, missing=True),
    "a forest behind marked gaps": lambda: fitted(
        encoded(one_hot(handle_unknown="ignore"), make_pipeline(SimpleImputer(add_indicator=True), StandardScaler())), FOREST, missing=True
    ),
    "missing text as a category": lambda: fitted(encoded(one_hot(handle_unknown="ignore")), HIST, missing=True),
    "missing text as a number": lambda: fitted(encoded(OrdinalEncoder(**UNSEEN, encoded_missing_value=-2)), HIST, missing=True),
}


def loaded(model: Any, folder: Path, rows: pd.DataFrame | None = None) -> SourceModel:
    joblib.dump(model, folder / "m.joblib")
    examples = {} if rows is None else {name: rows[name].to_numpy() for name in rows}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return load_model(folder / "m.joblib", LoadOptions(trust_pickle=True, examples=examples))


def requests(rows: pd.DataFrame) -> dict[str, Array]:
    """Columns as the graph takes them, missing text as ``""``, an unseen word in each column of text."""
    arrays: dict[str, Array] = {}
    for name in rows:
        values = rows[name].to_numpy()
        if name in TEXTS:
            values = np.array(["" if item != item else item for item in values], dtype=object)
            values[-20:] = "unseen"
        else:
            values = values.astype(np.float32)
        arrays[name] = values.reshape(-1, 1)
    return arrays


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_exact_with_unseen_and_missing_values(name: str, tmp_path: Path) -> None:
    model, rows = TABLES[name]()
    source = loaded(model, tmp_path, rows)
    converted = convert_model(source)
    inputs = requests(rows)
    assert check_parity(source, converted, inputs, seed=0) >= 6
    session = open_session(converted.model, Settings(), where="m")
    assert compare(source.predict(inputs), run_session(session, inputs)) == []


def test_missing_values_reach_the_source_as_it_knows_them(tmp_path: Path) -> None:
    model, rows = TABLES["numbers and text imputed"]()
    found = loaded(model, tmp_path, rows).predict({name: values[:-20] for name, values in requests(rows).items()})
    exact = model.predict_proba(rows.astype({"age": np.float32, "income": np.float32}))[:-20]
    np.testing.assert_allclose(found["probabilities"], exact, atol=1e-6)


def test_pandas_categories_are_text(tmp_path: Path) -> None:
    rows = table().astype({"city": "category", "job": "category"})
    model = make_pipeline(encoded(one_hot(handle_unknown="ignore"), StandardScaler()), LogisticRegression()).fit(rows, rows["member"])
    plain = rows.astype({"city": object, "job": object})
    source = loaded(model, tmp_path, plain)
    assert check_parity(source, convert_model(source), requests(plain), seed=0) >= 6


@pytest.mark.parametrize("final", [LogisticRegression(), HIST, FOREST], ids=lambda row: type(row).__name__)
def test_columns_of_numbers_may_be_taken_by_name(final: Any, tmp_path: Path) -> None:
    rows = table(missing=True)[["age", "income"]]
    columns = make_column_transformer(
        (IMPUTED, ["income"]), (SimpleImputer(strategy="constant", fill_value=40.0), ["age"]), (MinMaxScaler(), ["income"])
    )
    source = loaded(make_pipeline(columns, final).fit(rows, rows["income"] > 22_000), tmp_path, rows)
    assert check_parity(source, convert_model(source), {"features": rows.to_numpy(np.float32)}, seed=0) >= 7


FEATURES = RANDOM.normal(size=(ROWS, 6))
LABELS = (FEATURES[:, 0] + FEATURES[:, 1] ** 2 > 1).astype(int)
CLASSES = LABELS + (FEATURES[:, 2] > 0.5)
VALUES = FEATURES[:, 0] * 2 + FEATURES[:, 1]
MEMBERS = [("linear", LogisticRegression()), ("forest", FOREST), ("hist", HIST)]
NESTED: dict[str, Callable[[], Any]] = {
    "calibrated, sigmoid over scores": lambda: CalibratedClassifierCV(HIST, cv=3).fit(FEATURES, LABELS),
    "calibrated, isotonic over a forest": lambda: CalibratedClassifierCV(FOREST, method="isotonic", cv=3).fit(FEATURES, LABELS),
    "a soft vote": lambda: VotingClassifier(MEMBERS, voting="soft").fit(FEATURES, LABELS),
    "a hard vote": lambda: VotingClassifier(MEMBERS).fit(FEATURES, LABELS),
    "a vote of regressors": lambda: VotingRegressor([("a", RandomForestRegressor(5, random_state=0)), ("b", Ridge())]).fit(FEATURES, VALUES),
    "stacked classifiers": lambda: StackingClassifier([("a", FOREST), ("b", HIST)], cv=3).fit(FEATURES, LABELS),
    "stacked regressors": lambda: StackingRegressor(
        [("a", RandomForestRegressor(5, random_state=0)), ("b", HistGradientBoostingRegressor(max_iter=5))], cv=3
    ).fit(FEATURES, VALUES),
    "one against the rest, linear": lambda: OneVsRestClassifier(LogisticRegression()).fit(FEATURES, CLASSES),
    "one against the rest, trees": lambda: OneVsRestClassifier(HIST).fit(FEATURES, CLASSES),
    "several targets, trees": lambda: MultiOutputRegressor(HistGradientBoostingRegressor(max_iter=5)).fit(FEATURES, FEATURES[:, :2]),
    "bagged trees": lambda: BaggingClassifier(DecisionTreeClassifier(max_depth=4), 5, random_state=0).fit(FEATURES, LABELS),
}


@pytest.mark.parametrize("name", NESTED)
def test_models_within_models_are_exact_and_each_tree_in_them_is_proved(name: str, tmp_path: Path) -> None:
    source = loaded(NESTED[name](), tmp_path)
    assert check_parity(source, convert_model(source), {"features": FEATURES.astype(np.float32)}, seed=0) >= 7
    assert bool(source.inner) == ("linear" not in name)


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (GridSearchCV(Ridge(), {"alpha": [0.1, 1]}, refit=False).fit(FEATURES, VALUES), "Fit it with refit=True"),
        (OneVsRestClassifier(LogisticRegression()).fit(FEATURES, FEATURES[:, :2] > 0), "Pack one classifier for each target"),
        (MultiOutputClassifier(LogisticRegression()).fit(FEATURES, FEATURES[:, :2] > 0), "Pack one classifier for each target"),
    ],
    ids=["a search that kept nothing", "any number of labels", "a classifier of several targets"],
)
def test_what_does_not_pack_says_what_to_do_instead(model: Any, said: str, tmp_path: Path) -> None:
    with pytest.raises(SourceModelError) as caught:
        loaded(model, tmp_path)
    assert said in str(caught.value)


BINS = KBinsDiscretizer(encode="ordinal", strategy="uniform")
LOG = {"func": np.log1p, "inverse_func": np.expm1}
POSITIVE = np.exp(VALUES / 4)
WRAPPED: dict[str, Callable[[], Any]] = {
    "a target on a log scale": lambda: TransformedTargetRegressor(Ridge(), **LOG).fit(FEATURES, POSITIVE),
    "a forest's target on a log scale": lambda: TransformedTargetRegressor(RandomForestRegressor(5, random_state=0), **LOG).fit(FEATURES, POSITIVE),
    "a scaled target": lambda: TransformedTargetRegressor(make_pipeline(StandardScaler(), Ridge()), transformer=MinMaxScaler()).fit(FEATURES, VALUES),
    "two scaled targets": lambda: TransformedTargetRegressor(Ridge(), transformer=StandardScaler()).fit(FEATURES, FEATURES[:, :2]),
    "rows on another scale": lambda: make_pipeline(FunctionTransformer(np.square), Ridge()).fit(FEATURES, VALUES),
    "a search": lambda: GridSearchCV(make_pipeline(StandardScaler(), LogisticRegression()), {"logisticregression__C": [0.1, 1]}).fit(
        FEATURES, LABELS
    ),
    "a search for trees": lambda: RandomizedSearchCV(FOREST, {"max_depth": [2, 3]}, n_iter=2).fit(FEATURES, LABELS),
    "a search behind a scaler": lambda: make_pipeline(StandardScaler(), RandomizedSearchCV(Ridge(), {"alpha": [1, 2]}, n_iter=2)).fit(
        FEATURES, VALUES
    ),
    "a search around a target": lambda: GridSearchCV(TransformedTargetRegressor(Ridge(), **LOG), {"regressor__alpha": [1]}).fit(FEATURES, POSITIVE),
    "bins": lambda: make_pipeline(KBinsDiscretizer(strategy="uniform"), Ridge()).fit(FEATURES, VALUES),
    "bins by number behind a scaler": lambda: make_pipeline(StandardScaler(), BINS, FOREST).fit(FEATURES, LABELS),
    "one against one": lambda: OneVsOneClassifier(LogisticRegression()).fit(FEATURES, CLASSES),
}


@pytest.mark.parametrize("name", WRAPPED)
def test_what_is_wrapped_around_a_model_goes_or_is_computed_too(name: str, tmp_path: Path) -> None:
    source = loaded(WRAPPED[name](), tmp_path)
    assert check_parity(source, convert_model(source), {"features": FEATURES.astype(np.float32)}, seed=0) >= 7


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (TransformedTargetRegressor(Ridge(), func=np.log, inverse_func=np.sinh, check_inverse=False), "inverse_func: .*found sinh"),
        (TransformedTargetRegressor(Ridge(), transformer=PowerTransformer()), "transformer: .*StandardScaler.*found PowerTransformer"),
        (make_pipeline(FunctionTransformer(np.nan_to_num), Ridge()), "FunctionTransformer: func: .*found nan_to_num"),
        (make_pipeline(SplineTransformer(), Ridge()), "can't convert SplineTransformer"),
    ],
    ids=["a way back", "a transformer of the target", "a function", "a step"],
)
def test_a_step_without_an_onnx_form_is_named(model: Any, said: str, tmp_path: Path) -> None:
    source = loaded(model.fit(FEATURES, POSITIVE), tmp_path)
    with pytest.raises(ConversionError, match=said):
        convert_model(source)


def test_trees_that_encode_categories_themselves_name_the_step_and_the_encoder_to_use(tmp_path: Path) -> None:
    rows = table().astype({"city": "category", "job": "category"})
    model = HistGradientBoostingClassifier(max_iter=3, categorical_features="from_dtype").fit(rows, rows["member"])
    with pytest.raises(SourceModelError, match=r"HistGradientBoostingClassifier: .*categorical_features='from_dtype'\. Put OrdinalEncoder"):
        loaded(model, tmp_path, table())


@pytest.mark.parametrize(
    "booster",
    [xgboost.XGBClassifier(n_estimators=3), lightgbm.LGBMClassifier(n_estimators=3, verbose=-1)],
    ids=lambda booster: type(booster).__name__,
)
def test_a_booster_that_a_search_found_is_proved_as_one_that_was_given(booster: Any, tmp_path: Path) -> None:
    source = loaded(GridSearchCV(booster, {"max_depth": [2, 3]}, cv=2).fit(FEATURES, LABELS), tmp_path)
    assert source.kind == loaded(booster.fit(FEATURES, LABELS), tmp_path).kind != "scikit-learn"
    assert source.trees is not None
    assert check_parity(source, convert_model(source), {source.inputs[0].name: FEATURES.astype(np.float32)}, seed=0) >= 7


@pytest.mark.parametrize("none", [[], make_column_selector(dtype_include="datetime"), [False, False]], ids=["list", "selector", "mask"])
def test_a_part_of_no_columns_packs(none: Any, tmp_path: Path) -> None:
    numbers = table()[NUMBERS]
    columns = make_column_transformer((one_hot(handle_unknown="ignore"), none), (StandardScaler(), NUMBERS))
    model = make_pipeline(columns, LogisticRegression()).fit(numbers, numbers["age"] > 50)
    source = loaded(model, tmp_path, numbers)
    assert check_parity(source, convert_model(source), {"features": numbers.to_numpy(np.float32)}, seed=0) >= 7


@pytest.mark.parametrize("steps", [("passthrough",), ("passthrough", StandardScaler()), (None,)], ids=["alone", "before a scaler", "None"])
def test_a_pipeline_may_begin_with_a_step_that_passes_rows_on(steps: Any, tmp_path: Path) -> None:
    source = loaded(make_pipeline(*steps, LogisticRegression()).fit(FEATURES, LABELS), tmp_path)
    assert check_parity(source, convert_model(source), {"features": FEATURES.astype(np.float32)}, seed=0) >= 7
