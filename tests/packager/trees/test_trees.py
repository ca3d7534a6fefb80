"""Trees of every library answer like their source, on random rows and on both sides of every threshold."""

from __future__ import annotations

import warnings
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
from sklearn.ensemble import (
    BaggingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from sealift_packager.boosters.load import READERS
from sealift_packager.errors import ConversionError, ParityError, UntrustedPickleError
from sealift_packager.frameworks.converters import convert_model
from sealift_packager.frameworks.loaders import load_model
from sealift_packager.model.source import LoadOptions
from sealift_packager.parity.check import check_parity
from sealift_packager.trees.boundaries import boundary_rows
from sealift_packager.trees.thresholds import before, round_down
from sealift_packager.trees.within import fitted_parts
from support.ensembles import ALL, CANCER, DIABETES, IRIS, QUIET, TRUST, XGBOOST, assert_exact, trained, with_categories


def test_thresholds_are_rounded_to_the_float32_that_decides_alike() -> None:
    exact = np.random.default_rng(0).normal(size=1000) * 10.0 ** np.random.default_rng(1).integers(-44, 38, 1000)
    exact = np.concatenate([exact, [0.0, -0.0, np.inf, -np.inf, 1e300, -1e300, 0.1, np.float64(np.float32(0.1))]])
    down, below = round_down(exact), before(exact)
    below[exact == -np.inf] = np.nan  # nothing is below, and no library writes it
    with np.errstate(over="ignore"):
        near = np.concatenate([np.nextafter(exact.astype(np.float32), np.float32(side)) for side in (-np.inf, np.inf)] + [exact.astype(np.float32)])
    for thresholds, decide in ((down, np.less_equal), (below, np.less)):
        for neighbors in near.reshape(3, -1):
            assert (np.less_equal(neighbors, thresholds) == decide(neighbors.astype(np.float64), exact)).all()


@pytest.mark.parametrize(("library", "name"), ALL)
def test_trees_are_exact(library: str, name: str, tmp_path: Path) -> None:
    assert_exact(*trained(library, name, tmp_path))


@pytest.mark.parametrize("name", XGBOOST)
def test_xgboost_s_binary_files_are_exact_too(name: str, tmp_path: Path) -> None:
    model, data = XGBOOST[name]()
    model.save_model(tmp_path / "m.ubj")
    assert_exact(READERS["xgboost"](tmp_path / "m.ubj"), data)


def test_labels_alone_are_those_of_the_best_round_where_training_stopped_early(tmp_path: Path) -> None:
    rows, label = IRIS[0] + np.random.default_rng(0).normal(0, 1.5, IRIS[0].shape), IRIS[1]
    model = xgboost.XGBClassifier(objective="multi:softmax", n_estimators=50, early_stopping_rounds=3, learning_rate=0.5)
    model.fit(rows[::2], label[::2], eval_set=[(rows[1::2], label[1::2])], verbose=False)
    joblib.dump(model, tmp_path / "m.joblib")
    source = load_model(tmp_path / "m.joblib", TRUST)
    np.testing.assert_array_equal(source.predict({"features": rows.astype(np.float32)})["label"], model.predict(rows))
    assert_exact(source, rows)


def test_xgboost_s_categories_are_exact(tmp_path: Path) -> None:
    rows, label = with_categories()
    table = xgboost.DMatrix(rows, label, feature_types=["q", "c", "q", "c"], enable_categorical=True)
    xgboost.train({"objective": "multi:softprob", "num_class": 4, "max_cat_to_onehot": 1}, table, 10).save_model(tmp_path / "m.json")
    assert_exact(READERS["xgboost"](tmp_path / "m.json"), np.abs(rows))


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
    values = next(attribute for attribute in converted.model.graph.node[0].attribute if attribute.name == "nodes_values").floats
    at = next(index for index, value in enumerate(values) if value)
    values[at] = float(np.nextafter(np.float32(values[at]), np.float32(np.inf)))
    with pytest.raises(ParityError, match="near a threshold"):
        check_parity(source, converted, None, seed=0)


@pytest.mark.parametrize(
    "final",
    [
        HistGradientBoostingClassifier(max_iter=20),
        RandomForestClassifier(10, random_state=0),
        xgboost.XGBClassifier(n_estimators=10),
        lightgbm.LGBMClassifier(n_estimators=10, verbose=-1),
    ],
    ids=lambda value: type(value).__name__,
)
def test_trees_behind_a_scaler_are_computed_in_float64_and_exact(final: Any, tmp_path: Path) -> None:
    model = make_pipeline(StandardScaler(), final).fit(*CANCER)
    joblib.dump(model, tmp_path / "m")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # lightgbm's wrapper remembers names that a scaler doesn't give
        assert_exact(load_model(tmp_path / "m", TRUST), CANCER[0])


@pytest.mark.parametrize(
    "final",
    [
        xgboost.XGBRegressor(n_estimators=5),
        xgboost.XGBRegressor(n_estimators=5, objective="count:poisson", base_score=150.0),  # which older versions don't estimate
        lightgbm.LGBMRegressor(n_estimators=5, verbose=-1),
        catboost.CatBoostRegressor(iterations=5, verbose=False, allow_writing_files=False),
    ],
    ids=lambda value: f"{type(value).__name__} {getattr(value, 'objective', '')}",
)
def test_boosted_regressors_behind_a_scaler_are_exact(final: Any, tmp_path: Path) -> None:
    joblib.dump(make_pipeline(StandardScaler(), final).fit(*DIABETES), tmp_path / "m")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as above
        assert_exact(load_model(tmp_path / "m", TRUST), DIABETES[0])


def test_a_booster_that_others_were_fitted_from_is_no_fitted_part() -> None:
    booster = catboost.CatBoostClassifier(iterations=3, verbose=False, allow_writing_files=False)
    model = BaggingClassifier(booster, n_estimators=2, random_state=0).fit(*IRIS)
    assert [type(part).__name__ for part in fitted_parts(model)].count("CatBoostClassifier") == 2


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
    assert_exact(load_model(tmp_path / "m.skops", LoadOptions()), IRIS[0], random_rows=1000)


class Mine(DecisionTreeClassifier):  # type: ignore[misc]
    """A type that nobody vouches for."""


def test_a_skops_file_with_foreign_types_is_refused_and_names_them(tmp_path: Path) -> None:
    skops.io.dump(Mine().fit(*IRIS), tmp_path / "m.skops")
    with pytest.raises(UntrustedPickleError, match=r"test_trees\.Mine"):
        load_model(tmp_path / "m.skops", LoadOptions())


def test_what_has_no_exact_form_says_what_and_what_to_do(tmp_path: Path) -> None:
    model = catboost.CatBoostClassifier(cat_features=[0], **QUIET).fit([[str(number % 7), number] for number in range(50)], [0, 1] * 25)
    model.save_model(str(tmp_path / "m.cbm"))
    with pytest.raises(ConversionError, match="Encode categories before CatBoost"):
        load_model(tmp_path / "m.cbm", LoadOptions())
    xgboost.XGBRegressor(booster="gblinear", n_estimators=2).fit(*DIABETES).save_model(tmp_path / "m.json")
    with pytest.raises(ConversionError, match="gbtree or dart"):
        load_model(tmp_path / "m.json", LoadOptions())


def test_a_catboost_classifier_by_cross_entropy_has_labels(tmp_path: Path) -> None:
    source, rows = trained("catboost", "cross entropy", tmp_path)
    assert source.outputs == ("label", "probabilities")
    assert set(source.predict({"features": rows})["label"].tolist()) == {0, 1}
