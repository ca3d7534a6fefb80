"""Numbers that float32 doesn't hold: the model is asked with the user's own, and a bundle takes float64 where their digits decide."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import catboost
import lightgbm
import numpy as np
import pandas as pd
import pytest
import sklearn
import xgboost
from packaging.version import Version
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_iris
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier, VotingClassifier
from sklearn.feature_selection import SelectKBest
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import KBinsDiscretizer, MinMaxScaler, OneHotEncoder, OrdinalEncoder, QuantileTransformer, RobustScaler, StandardScaler
from sklearn.svm import OneClassSVM
from sklearn.tree import DecisionTreeClassifier

from sealift_packager.data.files import read_data
from sealift_packager.data.holdout import Holdout, bind
from sealift_packager.errors import ConversionError, DataError, ParityError
from sealift_packager.frameworks.converters import convert_model
from sealift_packager.graph.session import Settings, open_session, run_session
from sealift_packager.model.source import SourceModel
from sealift_packager.parity.check import prove_parity
from sealift_packager.parity.compare import compare
from sealift_packager.parity.digits import wide_columns, with_digits
from support.scikit import loaded

#: Said since scikit-learn 1.7, which warns of its default.
QUANTILES: Final[dict[str, Any]] = {"quantile_method": "averaged_inverted_cdf"} if Version(sklearn.__version__) >= Version("1.7") else {}

ROWS: Final = 400
RANDOM: Final = np.random.default_rng(0)
SECONDS: Final = 1_700_000_000 + RANDOM.integers(0, 3600, ROWS)
IDS: Final = RANDOM.choice(np.arange(2**24 + 1, 2**24 + 12), ROWS)
DAYS: Final = 20_250_000 + RANDOM.integers(1, 29, ROWS)
AMOUNTS: Final = 5e7 + 10 * RANDOM.random(ROWS)
NOISE: Final = RANDOM.normal(size=ROWS).astype(np.float32).astype(np.float64)  # float32 holds it
WORDS: Final = RANDOM.choice(["a", "b"], ROWS)

EVERY_OTHER_MINUTE: Final = (SECONDS % 120 < 60).astype(int)
ODD_IDS: Final = (IDS % 2).astype(int)
LATE: Final = (DAYS % 7 < 3).astype(int)


BEHIND_GAPS: Final = "amounts behind an imputer that says where gaps were"
CASES: Final[dict[str, tuple[Callable[[], Any], dict[str, Any], Any, set[str]]]] = {
    "seconds, histogram boosting": (lambda: HistGradientBoostingClassifier(max_iter=20), {"at": SECONDS, "noise": NOISE}, EVERY_OTHER_MINUTE, {"at"}),
    "seconds, forest behind a scaler": (
        lambda: make_pipeline(StandardScaler(), RandomForestClassifier(10, random_state=0)),
        {"at": SECONDS, "noise": NOISE},
        EVERY_OTHER_MINUTE,
        {"at"},
    ),
    "seconds, line behind a scaler": (
        lambda: make_pipeline(MinMaxScaler(), LogisticRegression()),
        {"noise": NOISE, "at": SECONDS.astype(float)},
        EVERY_OTHER_MINUTE,
        {"at"},
    ),
    "seconds, bins": (
        lambda: make_pipeline(KBinsDiscretizer(60, encode="onehot-dense", **QUANTILES), LogisticRegression()),
        {"at": SECONDS},
        EVERY_OTHER_MINUTE,
        {"at"},
    ),
    "ids, one-hot": (lambda: make_pipeline(OneHotEncoder(), LogisticRegression()), {"id": IDS}, ODD_IDS, {"id"}),
    "ids beside text": (
        lambda: make_pipeline(make_column_transformer((OneHotEncoder(), ["id", "word"]), remainder="passthrough"), LogisticRegression()),
        {"id": IDS, "word": WORDS, "noise": NOISE},
        ODD_IDS,
        {"id"},
    ),
    "ids, numbered": (lambda: make_pipeline(OrdinalEncoder(), RandomForestClassifier(10, random_state=0)), {"id": IDS}, ODD_IDS, {"id"}),
    "days, gradient boosting of another library": (
        lambda: lightgbm.LGBMClassifier(n_estimators=10, min_child_samples=2, verbose=-1),
        {"day": DAYS, "noise": NOISE},
        LATE,
        {"day"},
    ),
    "amounts that nearly cancel": (
        LinearRegression,
        {"paid": AMOUNTS, "owed": AMOUNTS - np.round(NOISE, 2)},
        np.round(NOISE, 2),
        {"paid", "owed"},
    ),
    BEHIND_GAPS: (
        lambda: make_pipeline(SimpleImputer(add_indicator=True), MinMaxScaler(), LogisticRegression()),
        {"noise": np.where(NOISE > 1, np.nan, NOISE), "paid": AMOUNTS},
        np.median(AMOUNTS) < AMOUNTS,
        {"paid"},
    ),
    "amounts, neighbours": (lambda: KNeighborsRegressor(3), {"paid": AMOUNTS}, AMOUNTS - 5e7, {"paid"}),
}


def read(folder: Path, columns: dict[str, Any], target: Any, source: SourceModel) -> Holdout:
    pd.DataFrame(columns | {"target": target}).to_csv(folder / "data.csv", index=False)
    return bind(read_data(folder / "data.csv"), source, "target")


def fitted_on_names(model: Any, columns: dict[str, Any], target: Any, folder: Path) -> SourceModel:
    pd.DataFrame(columns | {"target": target}).to_csv(folder / "examples.csv", index=False)
    return loaded(model.fit(pd.DataFrame(columns), target), folder, examples=read_data(folder / "examples.csv").arrays)


@pytest.mark.parametrize("case", CASES)
def test_a_column_whose_digits_decide_is_float64(case: str, tmp_path: Path) -> None:
    make, columns, target, wide = CASES[case]
    narrow = fitted_on_names(make(), columns, target, tmp_path)
    assert narrow.digits is not None
    source = narrow.digits.widen(wide_columns(narrow, read(tmp_path, columns, target, narrow).originals))
    assert {spec.name for spec in source.inputs if spec.dtype == "float64"} == wide
    holdout, converted = read(tmp_path, columns, target, source), convert_model(source)
    prove_parity(source, converted, holdout.inputs, seed=0, originals=holdout.originals)

    found = run_session(open_session(converted.model, Settings(), where="test"), holdout.inputs)
    table = pd.DataFrame(columns)
    expected = {"label": source.native.predict(table)} if "label" in found else {"prediction": source.native.predict(table).reshape(-1, 1)}
    assert not compare(expected, found)


def test_that_no_label_of_the_data_changed_says_nothing_of_rows_nearer_to_the_border(tmp_path: Path) -> None:
    paid = 2e7 + np.linspace(0, 1e4, ROWS)
    columns, target = {"paid": paid, "noise": NOISE}, paid > 2e7 + 5e3
    narrow = fitted_on_names(RidgeClassifier(), columns, target, tmp_path)
    assert wide_columns(narrow, read(tmp_path, columns, target, narrow).originals) == {0}


def test_without_their_digits_the_same_model_would_be_refused(tmp_path: Path) -> None:
    make, columns, target, _ = CASES["amounts that nearly cancel"]
    source = fitted_on_names(make(), columns, target, tmp_path)
    holdout = read(tmp_path, columns, target, source)
    with pytest.raises(ParityError, match="differs in .* of 400 rows"):
        prove_parity(source, convert_model(source), holdout.inputs, seed=0, originals=holdout.originals)


def test_numbers_that_float32_rounds_without_harm_stay_float32(tmp_path: Path) -> None:
    columns = {"a": np.round(NOISE, 3), "b": np.round(NOISE * 7, 1)}
    source = fitted_on_names(make_pipeline(StandardScaler(), LogisticRegression()), columns, NOISE > 0, tmp_path)
    assert wide_columns(source, read(tmp_path, columns, NOISE > 0, source).originals) == frozenset()


@pytest.mark.parametrize("scaler", [StandardScaler(), MinMaxScaler(), RobustScaler()])
def test_a_constant_column_needs_no_digits(scaler: Any, tmp_path: Path) -> None:
    columns = {"constant": np.full(ROWS, 7.0), "zero": np.zeros(ROWS), "noise": NOISE}
    source = fitted_on_names(make_pipeline(scaler, LogisticRegression()), columns, NOISE > 0, tmp_path)
    assert wide_columns(source, read(tmp_path, columns, NOISE > 0, source).originals) == frozenset()


def test_a_tree_that_rounds_rows_itself_takes_float32(tmp_path: Path) -> None:
    columns = {"at": SECONDS, "noise": NOISE}
    source = fitted_on_names(DecisionTreeClassifier(), columns, EVERY_OTHER_MINUTE, tmp_path)
    assert wide_columns(source, read(tmp_path, columns, EVERY_OTHER_MINUTE, source).originals) == frozenset()


@pytest.mark.parametrize("growing", ["SymmetricTree", "Lossguide"])
def test_a_booster_that_rounds_rows_itself_takes_float32(growing: str, tmp_path: Path) -> None:
    rows = np.column_stack([SECONDS, NOISE])
    booster = catboost.CatBoostClassifier(iterations=10, grow_policy=growing, verbose=False, allow_writing_files=False)
    source = loaded(booster.fit(rows, EVERY_OTHER_MINUTE), tmp_path)
    assert with_digits(source, {"features": rows}) is source
    wide = source.digits.widen(frozenset((0,))) if source.digits else source
    for taken in (source, wide):
        given = rows.astype(taken.inputs[0].numpy_dtype)
        prove_parity(taken, convert_model(taken), {"features": given}, seed=0, originals={"features": rows})


def test_a_booster_that_rounds_rows_itself_does_so_behind_a_scaler_too(tmp_path: Path) -> None:
    grid = RANDOM.integers(0, 9, (ROWS, 2)) / 2 - 3e6
    booster = catboost.CatBoostRegressor(iterations=10, verbose=False, allow_writing_files=False)
    model = make_pipeline(RobustScaler(), booster).fit(grid, np.cos(grid).sum(axis=1))
    source = loaded(model, tmp_path)
    assert source.digits is not None
    source = source.digits.widen(frozenset((0, 1)))
    between = np.concatenate([np.nextafter(grid + 0.25, side) for side in (-np.inf, np.inf)])  # where borders are
    session = open_session(convert_model(source).model, Settings(), where="test")
    np.testing.assert_allclose(run_session(session, {"features": between})["prediction"].ravel(), model.predict(between), rtol=1e-5)


def test_columns_without_names_are_one_array_of_float64(tmp_path: Path) -> None:
    rows = np.column_stack([SECONDS, NOISE])
    source = loaded(HistGradientBoostingClassifier(max_iter=20).fit(rows, EVERY_OTHER_MINUTE), tmp_path)
    assert source.digits is not None
    wide = source.digits.widen(wide_columns(source, {"features": rows}))
    assert [(spec.name, spec.dtype, spec.shape[1]) for spec in wide.inputs] == [("features", "float64", 2)]
    prove_parity(wide, convert_model(wide), {"features": rows}, seed=0)


def test_one_array_is_split_into_the_columns_that_have_names(tmp_path: Path) -> None:
    source = fitted_on_names(HistGradientBoostingClassifier(max_iter=5), {"at": SECONDS, "noise": NOISE}, EVERY_OTHER_MINUTE, tmp_path)
    assert source.digits is not None
    np.savez(tmp_path / "data.npz", features=np.column_stack([SECONDS, NOISE]), target=EVERY_OTHER_MINUTE)
    holdout = bind(read_data(tmp_path / "data.npz"), source.digits.widen(frozenset((0,))), "target")
    assert (holdout.inputs["at"].ravel() == SECONDS).all()
    assert holdout.inputs["at"].dtype == np.float64


@pytest.mark.parametrize("case", ["ids, one-hot", "seconds, histogram boosting", "seconds, forest behind a scaler", "seconds, bins", BEHIND_GAPS])
def test_what_the_model_itself_shows_needs_no_data(case: str, tmp_path: Path) -> None:
    make, columns, target, wide = CASES[case]
    source = loaded(make().fit(pd.DataFrame(columns), target), tmp_path)
    assert {list(columns)[at] for at in wide_columns(source, None)} == wide


@pytest.mark.parametrize(
    "model",
    [
        LinearDiscriminantAnalysis(),
        GaussianNB(),
        make_pipeline(KNNImputer(), KBinsDiscretizer(30, encode="onehot-dense", **QUANTILES), LogisticRegression()),
        make_pipeline(QuantileTransformer(n_quantiles=50), LogisticRegression()),
    ],
    ids=["class means", "means and variances", "bins behind an imputer of neighbors", "quantiles"],
)
def test_points_that_lie_close_together_far_from_zero_need_digits_without_data(model: Any, tmp_path: Path) -> None:
    source = loaded(model.fit(pd.DataFrame({"at": SECONDS, "noise": NOISE}), SECONDS.mean() < SECONDS), tmp_path)
    assert 0 in wide_columns(source, None)


@pytest.mark.parametrize("name", ["trees_sum", "features", "features_0", "variable", "zero", "classes"])
def test_a_column_may_have_the_name_of_something_inside_the_graph(name: str, tmp_path: Path) -> None:
    columns = {name: SECONDS, "noise": NOISE}
    for model in (HistGradientBoostingClassifier(max_iter=5), make_pipeline(StandardScaler(), LogisticRegression())):
        narrow = fitted_on_names(model, columns, EVERY_OTHER_MINUTE, tmp_path)
        assert narrow.digits is not None
        source = narrow.digits.widen(frozenset((0,)))
        holdout = read(tmp_path, columns, EVERY_OTHER_MINUTE, source)
        prove_parity(source, convert_model(source), holdout.inputs, seed=0, originals=holdout.originals)


TENTHS: Final = load_iris(return_X_y=True)
BOOSTER: Final = xgboost.XGBClassifier(n_estimators=5)
BEHIND: Final[dict[str, Any]] = {
    "a booster behind a scaler": make_pipeline(StandardScaler(), BOOSTER),
    "a forest behind quantiles": make_pipeline(QuantileTransformer(n_quantiles=30), RandomForestClassifier(5, random_state=0)),
    "a booster behind indicators": make_pipeline(SimpleImputer(add_indicator=True), StandardScaler(), BOOSTER),
    "a booster behind a column transformer": make_pipeline(make_column_transformer((MinMaxScaler(), [0, 1, 2, 3])), BOOSTER),
    "a vote of pipelines": VotingClassifier([("scaled", make_pipeline(StandardScaler(), BOOSTER))], voting="soft"),
    "a vote of trees that compare in float64": VotingClassifier([("trees", HistGradientBoostingClassifier(max_iter=5))], voting="soft"),
}


@pytest.mark.parametrize("name", BEHIND)
def test_trees_that_are_given_float64_take_it_until_data_shows_that_they_need_not(name: str, tmp_path: Path) -> None:
    model = BEHIND[name].fit(*TENTHS)
    narrow = loaded(model, tmp_path)
    source = with_digits(narrow, None)
    assert [spec.dtype for spec in source.inputs] == ["float64"]
    session = open_session(convert_model(source).model, Settings(), where="test")
    np.testing.assert_allclose(run_session(session, {"features": TENTHS[0]})["probabilities"], model.predict_proba(TENTHS[0]), atol=1e-5)
    if "quantiles" not in name:  # these need them anyway
        assert with_digits(narrow, {"features": np.round(TENTHS[0])}).inputs[0].dtype == "float32"


@pytest.mark.parametrize(
    "model",
    [
        make_pipeline(SimpleImputer(), BOOSTER),
        make_pipeline(OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), BOOSTER),
        VotingClassifier([("booster", BOOSTER)]),
        make_pipeline(SelectKBest(k=2), BOOSTER),
        make_pipeline(StandardScaler(), LogisticRegression()),
    ],
    ids=["filled", "numbered", "in a vote", "chosen", "no trees"],
)
def test_trees_that_are_given_the_rows_themselves_or_numbers_of_categories_take_float32(model: Any, tmp_path: Path) -> None:
    source = loaded(model.fit(np.round(TENTHS[0]), TENTHS[1]), tmp_path)
    assert with_digits(source, None).inputs[0].dtype == "float32"


@pytest.mark.parametrize("model", [OneClassSVM(), make_pipeline(StandardScaler(), OneClassSVM())], ids=["alone", "behind a scaler"])
def test_a_step_that_has_no_float64_is_named_with_the_columns_and_what_to_do(model: Any, tmp_path: Path) -> None:
    source = loaded(model.fit(TENTHS[0]), tmp_path)
    assert source.digits is not None
    said = "scikit-learn model: OneClassSVM can't be computed in float64, which the digits of the input features need"
    words = rf"^{said}\. Make the column's .*Or use another step"
    with pytest.raises(ConversionError, match=words):
        convert_model(source.digits.widen(frozenset((0,))))


def test_a_whole_number_beyond_float64_is_refused_with_its_column(tmp_path: Path) -> None:
    columns = {"id": 2**53 + np.arange(ROWS), "noise": NOISE}
    source = fitted_on_names(LogisticRegression(), {"id": NOISE, "noise": NOISE}, ODD_IDS, tmp_path)
    with pytest.raises(DataError, match=r"data\.csv: id: .*more digits.*2\^53.*found 9007199254740993 in row 1"):
        read(tmp_path, columns, ODD_IDS, source)


def test_a_value_that_is_a_limit_lies_on_the_side_where_the_model_puts_it(tmp_path: Path) -> None:
    tenths = np.random.default_rng(0).integers(0, 11, size=(400, 2)) / 10
    model = make_pipeline(KBinsDiscretizer(5, strategy="uniform", encode="ordinal"), DecisionTreeClassifier(random_state=0))
    source = loaded(model.fit(tenths, (tenths[:, 0] * 10).round().astype(int) % 2), tmp_path)
    assert wide_columns(source, None) == {0, 1}
    source = with_digits(source, None)
    session = open_session(convert_model(source).model, Settings(), where="test")
    rows = {source.inputs[0].name: tenths}
    np.testing.assert_array_equal(run_session(session, rows)["label"], model.predict(tenths))
