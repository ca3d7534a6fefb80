"""Trees of every library answer like their source, on random rows and on both sides of every threshold."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import catboost
import joblib
import lightgbm
import numpy as np
import pandas as pd
import pytest
import skops.io
import xgboost
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from sealift_packager.convert.registry import convert_model
from sealift_packager.errors import ConversionError, ParityError, SourceModelError, UntrustedPickleError
from sealift_packager.load.registry import load_model
from sealift_packager.load.source import Array, LoadOptions, SourceModel
from sealift_packager.parity.check import check_parity
from sealift_packager.parity.compare import compare
from sealift_packager.session import Settings, open_session, run_session
from sealift_packager.trees.boundaries import boundary_rows
from sealift_packager.trees.thresholds import before, round_down

CANCER, IRIS, DIABETES = (load(return_X_y=True) for load in (load_breast_cancer, load_iris, load_diabetes))
TRUST = LoadOptions(trust_pickle=True)


def with_holes(rows: Array, value: float = np.nan) -> Array:
    copy = rows.astype(np.float64)
    copy[np.random.default_rng(1).uniform(size=rows.shape) < 0.1] = value
    return copy


def with_categories() -> tuple[Array, Array]:
    random = np.random.default_rng(0)
    rows, label = CANCER[0][:, :4].copy(), CANCER[1].copy()
    rows[:, 1], rows[:, 3] = random.integers(0, 30, len(rows)), random.integers(0, 9, len(rows))
    label += (rows[:, 1] % 3 == 1) + (rows[:, 3] % 2 == 1)
    rows[:50, 1] = np.nan
    return rows, label


def proved(source: SourceModel, data: Array, *, random_rows: int = 5_000) -> None:
    """Parity, then random rows far and wide."""
    converted = convert_model(source)
    assert check_parity(source, converted, {"features": data.astype(np.float32)}, seed=0) >= 5
    random = np.random.default_rng(0)
    rows = np.nanmean(data, axis=0) + np.nanstd(data, axis=0) * random.standard_normal((random_rows, data.shape[1]))
    if source.takes_nan:
        rows[random.uniform(size=rows.shape) < 0.05] = np.nan
        rows[random.uniform(size=rows.shape) < 0.05] = 0
    inputs = {"features": rows.astype(np.float32)}
    assert compare(source.predict(inputs), run_session(open_session(converted.model, Settings(), where="m"), inputs), rtol=1e-5) == []


def test_thresholds_are_rounded_to_the_float32_that_decides_alike() -> None:
    exact = np.random.default_rng(0).normal(size=1000) * 10.0 ** np.random.default_rng(1).integers(-44, 38, 1000)
    exact = np.concatenate([exact, [0.0, -0.0, np.inf, -np.inf, 1e300, -1e300, 0.1, np.float64(np.float32(0.1))]])
    down, below = round_down(exact), before(exact)
    below[exact == -np.inf] = np.nan  # nothing is below, and no library writes it
    with np.errstate(over="ignore"):
        near = np.concatenate([np.nextafter(exact.astype(np.float32), np.float32(side)) for side in (-np.inf, np.inf)] + [exact.astype(np.float32)])
    for thresholds, decide in ((down, np.less_equal), (below, np.less)):
        for row in near.reshape(3, -1):
            assert (np.less_equal(row, thresholds) == decide(row.astype(np.float64), exact)).all()


SCIKIT: dict[str, Callable[[], tuple[Any, Array]]] = {
    "tree": lambda: (DecisionTreeClassifier(random_state=0).fit(*IRIS), IRIS[0]),
    "forest": lambda: (RandomForestClassifier(20, random_state=0).fit(*CANCER), CANCER[0]),
    "forest with missing values": lambda: (RandomForestClassifier(20, random_state=0).fit(with_holes(CANCER[0]), CANCER[1]), with_holes(CANCER[0])),
    "forest regressor": lambda: (RandomForestRegressor(10, random_state=0).fit(*DIABETES), DIABETES[0]),
    "extra trees": lambda: (ExtraTreesClassifier(20, min_samples_leaf=3, random_state=0).fit(*IRIS), IRIS[0]),
    "gradient boosting": lambda: (GradientBoostingClassifier(n_estimators=30).fit(*CANCER), CANCER[0]),
    "gradient boosting, exponential": lambda: (GradientBoostingClassifier(n_estimators=20, loss="exponential", init="zero").fit(*CANCER), CANCER[0]),
    "gradient boosting, three classes": lambda: (GradientBoostingClassifier(n_estimators=10).fit(*IRIS), IRIS[0]),
    "gradient boosting regressor": lambda: (GradientBoostingRegressor(n_estimators=30, loss="huber").fit(*DIABETES), DIABETES[0]),
    "histogram": lambda: (HistGradientBoostingClassifier().fit(*CANCER), CANCER[0]),
    "histogram with missing values": lambda: (HistGradientBoostingClassifier(max_iter=30).fit(with_holes(CANCER[0]), CANCER[1]), CANCER[0]),
    "histogram, three classes": lambda: (HistGradientBoostingClassifier(max_iter=10).fit(*IRIS), IRIS[0]),
    "histogram regressor": lambda: (HistGradientBoostingRegressor(max_iter=30).fit(*DIABETES), DIABETES[0]),
    "histogram, poisson": lambda: (HistGradientBoostingRegressor(loss="poisson", max_iter=20).fit(*DIABETES), DIABETES[0]),
    "histogram with categories": lambda: (
        HistGradientBoostingClassifier(categorical_features=[1, 3], max_iter=10).fit(*with_categories()),
        with_categories()[0],
    ),
}


@pytest.mark.parametrize("name", SCIKIT)
def test_scikit_learn_s_trees_are_exact(name: str, tmp_path: Path) -> None:
    model, data = SCIKIT[name]()
    joblib.dump(model, tmp_path / "m")
    proved(load_model(tmp_path / "m", TRUST), data)


XGBOOST: dict[str, Callable[[], tuple[Any, Array]]] = {
    "missing values": lambda: (xgboost.XGBClassifier(n_estimators=50).fit(with_holes(CANCER[0]), CANCER[1]), with_holes(CANCER[0])),
    "base score": lambda: (xgboost.XGBClassifier(n_estimators=10, base_score=0.3).fit(*CANCER), CANCER[0]),
    "three classes": lambda: (xgboost.XGBClassifier(n_estimators=10).fit(*IRIS), IRIS[0]),
    "dart": lambda: (xgboost.XGBClassifier(n_estimators=10, booster="dart", rate_drop=0.3).fit(*CANCER), CANCER[0]),
    "regression": lambda: (xgboost.XGBRegressor(n_estimators=30, base_score=100).fit(*DIABETES), DIABETES[0]),
    "tweedie": lambda: (xgboost.XGBRegressor(n_estimators=20, objective="reg:tweedie").fit(*DIABETES), DIABETES[0]),
}


@pytest.mark.parametrize("suffix", ["json", "ubj"])
@pytest.mark.parametrize("name", XGBOOST)
def test_xgboost_files_are_exact(name: str, suffix: str, tmp_path: Path) -> None:
    model, data = XGBOOST[name]()
    model.save_model(tmp_path / f"m.{suffix}")
    proved(load_model(tmp_path / f"m.{suffix}", LoadOptions()), data)


def test_xgboost_s_categories_are_exact(tmp_path: Path) -> None:
    rows, label = with_categories()
    table = xgboost.DMatrix(rows, label, feature_types=["q", "c", "q", "c"], enable_categorical=True)
    xgboost.train({"objective": "multi:softprob", "num_class": 4, "max_cat_to_onehot": 1}, table, 10).save_model(tmp_path / "m.json")
    proved(load_model(tmp_path / "m.json", LoadOptions()), np.abs(rows))


LIGHTGBM: dict[str, Callable[[], tuple[Any, Array]]] = {
    "missing values": lambda: (lightgbm.LGBMClassifier(n_estimators=50, verbose=-1).fit(with_holes(CANCER[0]), CANCER[1]), with_holes(CANCER[0])),
    "no missing values": lambda: (lightgbm.LGBMClassifier(n_estimators=20, verbose=-1).fit(*CANCER), CANCER[0]),
    "zero as missing": lambda: (
        lightgbm.LGBMClassifier(n_estimators=20, verbose=-1, zero_as_missing=True).fit(with_holes(CANCER[0] - CANCER[0].mean(0), 0), CANCER[1]),
        CANCER[0] - CANCER[0].mean(0),
    ),
    "three classes": lambda: (lightgbm.LGBMClassifier(n_estimators=10, verbose=-1).fit(*IRIS), IRIS[0]),
    "one against all": lambda: (lightgbm.LGBMClassifier(n_estimators=10, verbose=-1, objective="multiclassova").fit(*IRIS), IRIS[0]),
    "random forest": lambda: (
        lightgbm.LGBMClassifier(n_estimators=10, verbose=-1, boosting_type="rf", bagging_freq=1, bagging_fraction=0.5).fit(*IRIS),
        IRIS[0],
    ),
    "categories": lambda: (
        lightgbm.LGBMClassifier(n_estimators=10, verbose=-1, min_data_per_group=2, cat_smooth=1).fit(*with_categories(), categorical_feature=[1, 3]),
        with_categories()[0],
    ),
    "regression": lambda: (lightgbm.LGBMRegressor(n_estimators=20, verbose=-1).fit(*DIABETES), DIABETES[0]),
    "square root": lambda: (lightgbm.LGBMRegressor(n_estimators=20, verbose=-1, reg_sqrt=True).fit(*DIABETES), DIABETES[0]),
    "poisson": lambda: (lightgbm.LGBMRegressor(n_estimators=20, verbose=-1, objective="poisson").fit(*DIABETES), DIABETES[0]),
}


@pytest.mark.parametrize("name", LIGHTGBM)
def test_lightgbm_files_are_exact(name: str, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model, data = LIGHTGBM[name]()
    model.booster_.save_model(tmp_path / "m.txt")
    proved(load_model(tmp_path / "m.txt", LoadOptions()), data)


QUIET = {"verbose": 0, "allow_writing_files": False, "iterations": 30}
CATBOOST: dict[str, Callable[[], tuple[Any, Array]]] = {
    "missing values": lambda: (catboost.CatBoostClassifier(**QUIET).fit(with_holes(CANCER[0]), CANCER[1]), with_holes(CANCER[0])),
    "missing values as largest": lambda: (catboost.CatBoostClassifier(nan_mode="Max", **QUIET).fit(with_holes(CANCER[0]), CANCER[1]), CANCER[0]),
    "three classes": lambda: (catboost.CatBoostClassifier(**QUIET).fit(*IRIS), IRIS[0]),
    "text labels": lambda: (catboost.CatBoostClassifier(**QUIET).fit(IRIS[0], np.array(["a", "b", "c"])[IRIS[1]]), IRIS[0]),
    "one against all": lambda: (catboost.CatBoostClassifier(loss_function="MultiClassOneVsAll", **QUIET).fit(*IRIS), IRIS[0]),
    "lossguide": lambda: (catboost.CatBoostClassifier(grow_policy="Lossguide", **QUIET).fit(*CANCER), CANCER[0]),
    "regression": lambda: (catboost.CatBoostRegressor(**QUIET).fit(*DIABETES), DIABETES[0]),
    "poisson": lambda: (catboost.CatBoostRegressor(loss_function="Poisson", **QUIET).fit(*DIABETES), DIABETES[0]),
}


@pytest.mark.parametrize("name", CATBOOST)
def test_catboost_files_are_exact(name: str, tmp_path: Path) -> None:
    model, data = CATBOOST[name]()
    model.save_model(str(tmp_path / "m.cbm"))
    proved(load_model(tmp_path / "m.cbm", LoadOptions()), data)


def test_every_threshold_is_visited_on_both_sides() -> None:
    model = DecisionTreeClassifier(random_state=0, max_depth=3).fit(*IRIS)
    rows = np.concatenate(list(boundary_rows(source_trees(model), IRIS[0], takes_nan=False)))
    for feature, threshold in zip(model.tree_.feature, model.tree_.threshold, strict=True):
        if feature >= 0:
            beside = {float(round_down(threshold)), float(np.nextafter(np.float32(round_down(threshold)), np.float32(np.inf)))}
            assert beside <= set(rows[:, feature].astype(np.float64).tolist())


def source_trees(model: Any) -> Any:
    from sealift_packager.trees.from_scikit import read_scikit

    return read_scikit(model)


def test_a_threshold_that_is_one_float_off_stops_the_build(tmp_path: Path) -> None:
    joblib.dump(HistGradientBoostingClassifier(max_iter=20).fit(*CANCER), tmp_path / "m")
    source = load_model(tmp_path / "m", TRUST)
    converted = convert_model(source)
    values = next(row for row in converted.model.graph.node[0].attribute if row.name == "nodes_values").floats
    at = next(index for index, value in enumerate(values) if value)
    values[at] = float(np.nextafter(np.float32(values[at]), np.float32(np.inf)))
    with pytest.raises(ParityError, match="beside a threshold"):
        check_parity(source, converted, None, seed=0)


@pytest.mark.parametrize(
    "final",
    [
        HistGradientBoostingClassifier(max_iter=20),
        RandomForestClassifier(10, random_state=0),
        xgboost.XGBClassifier(n_estimators=10),
        lightgbm.LGBMClassifier(n_estimators=10, verbose=-1),
    ],
    ids=lambda row: type(row).__name__,
)
def test_trees_behind_a_scaler_are_computed_in_float64_and_exact(final: Any, tmp_path: Path) -> None:
    model = make_pipeline(StandardScaler(), final).fit(*CANCER)
    joblib.dump(model, tmp_path / "m")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # lightgbm's wrapper remembers names that a scaler doesn't give
        proved(load_model(tmp_path / "m", TRUST), CANCER[0])


def test_trees_behind_text_and_numbers_convert(tmp_path: Path) -> None:
    table = pd.DataFrame({"age": np.arange(80.0), "city": ["Rom", "Paris", "Wien", "Köln"] * 20})
    columns = make_column_transformer((StandardScaler(), ["age"]), (OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["city"]))
    joblib.dump(make_pipeline(columns, HistGradientBoostingClassifier(max_iter=5)).fit(table, [0, 1] * 40), tmp_path / "m")
    examples = {name: table[name].to_numpy(object if name == "city" else None) for name in table}
    source = load_model(tmp_path / "m", LoadOptions(trust_pickle=True, examples=examples))
    rows = {"age": np.arange(80, dtype=np.float32).reshape(-1, 1), "city": table[["city"]].to_numpy(object)}
    assert check_parity(source, convert_model(source), rows, seed=0) >= 4


def test_a_skops_file_is_read_without_trusting_a_pickle(tmp_path: Path) -> None:
    skops.io.dump(RandomForestClassifier(5, random_state=0).fit(*IRIS), tmp_path / "m.skops")
    proved(load_model(tmp_path / "m.skops", LoadOptions()), IRIS[0], random_rows=1000)


class Mine(DecisionTreeClassifier):  # type: ignore[misc]
    """A type that nobody vouches for."""


def test_a_skops_file_with_foreign_types_is_refused_and_names_them(tmp_path: Path) -> None:
    skops.io.dump(Mine().fit(*IRIS), tmp_path / "m.skops")
    with pytest.raises(UntrustedPickleError, match=r"test_trees\.Mine"):
        load_model(tmp_path / "m.skops", LoadOptions())


def test_what_has_no_exact_form_says_what_and_what_to_do(tmp_path: Path) -> None:
    model = catboost.CatBoostClassifier(cat_features=[0], **QUIET).fit([[str(row % 7), row] for row in range(50)], [0, 1] * 25)
    model.save_model(str(tmp_path / "m.cbm"))
    with pytest.raises(ConversionError, match="Encode categories before CatBoost"):
        load_model(tmp_path / "m.cbm", LoadOptions())
    xgboost.XGBRegressor(booster="gblinear", n_estimators=2).fit(*DIABETES).save_model(tmp_path / "m.json")
    with pytest.raises(ConversionError, match="gbtree or dart"):
        load_model(tmp_path / "m.json", LoadOptions())
    joblib.dump(xgboost.XGBClassifier(n_estimators=2, missing=-1).fit(*IRIS), tmp_path / "m")
    with pytest.raises(ConversionError, match="Put NaN there"):
        load_model(tmp_path / "m", TRUST)


def test_truncated_boosters_are_refused(tmp_path: Path) -> None:
    xgboost.XGBClassifier(n_estimators=2).fit(*IRIS).save_model(tmp_path / "m.json")
    xgboost.XGBClassifier(n_estimators=2).fit(*IRIS).save_model(tmp_path / "m.ubj")
    lightgbm.LGBMClassifier(n_estimators=2, verbose=-1).fit(*IRIS).booster_.save_model(tmp_path / "m.txt")
    catboost.CatBoostClassifier(**QUIET).fit(*IRIS).save_model(str(tmp_path / "m.cbm"))
    for name in ("m.json", "m.ubj", "m.txt", "m.cbm"):
        data = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(data[: len(data) // 2])
        with pytest.raises(SourceModelError, match="whole"):
            load_model(tmp_path / name, LoadOptions())
