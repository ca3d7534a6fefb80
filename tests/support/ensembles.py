"""Tree ensembles of every library with the rows they learned from, and the proof that a graph answers like them.

``SEALIFT_RANDOM_ROWS`` says on how many random rows each is proved; ``make acceptance`` gives 100,000.
"""

from __future__ import annotations

import dataclasses
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import catboost
import joblib
import lightgbm
import numpy as np
import sklearn
import xgboost
from packaging.version import Version
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
from sklearn.tree import DecisionTreeClassifier

from sealift_packager.boosters.load import READERS
from sealift_packager.frameworks.converters import convert_model
from sealift_packager.frameworks.loaders import load_model
from sealift_packager.graph.session import Settings, open_session, run_session
from sealift_packager.model.source import Array, LoadOptions, SourceModel
from sealift_packager.parity.check import TREE_RTOL, check_parity
from sealift_packager.parity.compare import compare
from sealift_packager.trees.boundaries import boundary_rows

RANDOM_ROWS: Final = int(os.environ.get("SEALIFT_RANDOM_ROWS", "5000"))
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


SCIKIT: Final[dict[str, Callable[[], tuple[Any, Array]]]] = {
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
if Version(sklearn.__version__) < Version("1.4"):
    del SCIKIT["forest with missing values"]  # which forests take from then on

XGBOOST: Final[dict[str, Callable[[], tuple[Any, Array]]]] = {
    "missing values": lambda: (xgboost.XGBClassifier(n_estimators=50).fit(with_holes(CANCER[0]), CANCER[1]), with_holes(CANCER[0])),
    "base score": lambda: (xgboost.XGBClassifier(n_estimators=10, base_score=0.3).fit(*CANCER), CANCER[0]),
    "three classes": lambda: (xgboost.XGBClassifier(n_estimators=10).fit(*IRIS), IRIS[0]),
    "dart": lambda: (xgboost.XGBClassifier(n_estimators=10, booster="dart", rate_drop=0.3).fit(*CANCER), CANCER[0]),
    "regression": lambda: (xgboost.XGBRegressor(n_estimators=30, base_score=100).fit(*DIABETES), DIABETES[0]),
    "tweedie": lambda: (xgboost.XGBRegressor(n_estimators=20, objective="reg:tweedie").fit(*DIABETES), DIABETES[0]),
}

LIGHTGBM: Final[dict[str, Callable[[], tuple[Any, Array]]]] = {
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

QUIET: Final = {"verbose": 0, "allow_writing_files": False, "iterations": 30}
CATBOOST: Final[dict[str, Callable[[], tuple[Any, Array]]]] = {
    "missing values": lambda: (catboost.CatBoostClassifier(**QUIET).fit(with_holes(CANCER[0]), CANCER[1]), with_holes(CANCER[0])),
    "missing values as largest": lambda: (catboost.CatBoostClassifier(nan_mode="Max", **QUIET).fit(with_holes(CANCER[0]), CANCER[1]), CANCER[0]),
    "three classes": lambda: (catboost.CatBoostClassifier(**QUIET).fit(*IRIS), IRIS[0]),
    "text labels": lambda: (catboost.CatBoostClassifier(**QUIET).fit(IRIS[0], np.array(["a", "b", "c"])[IRIS[1]]), IRIS[0]),
    "one against all": lambda: (catboost.CatBoostClassifier(loss_function="MultiClassOneVsAll", **QUIET).fit(*IRIS), IRIS[0]),
    "cross entropy": lambda: (catboost.CatBoostClassifier(loss_function="CrossEntropy", **QUIET).fit(*CANCER), CANCER[0]),
    "lossguide": lambda: (catboost.CatBoostClassifier(grow_policy="Lossguide", **QUIET).fit(*CANCER), CANCER[0]),
    "regression": lambda: (catboost.CatBoostRegressor(**QUIET).fit(*DIABETES), DIABETES[0]),
    "poisson": lambda: (catboost.CatBoostRegressor(loss_function="Poisson", **QUIET).fit(*DIABETES), DIABETES[0]),
}


def _save_scikit(model: Any, folder: Path) -> Path:
    joblib.dump(model, folder / "m.joblib")
    return folder / "m.joblib"


def _save_xgboost(model: Any, folder: Path) -> Path:
    model.save_model(folder / "m.json")
    return folder / "m.json"


def _save_lightgbm(model: Any, folder: Path) -> Path:
    model.booster_.save_model(folder / "m.txt")
    return folder / "m.txt"


def _save_catboost(model: Any, folder: Path) -> Path:
    model.save_model(str(folder / "m.cbm"))
    return folder / "m.cbm"


LIBRARIES: Final[dict[str, tuple[dict[str, Callable[[], tuple[Any, Array]]], Callable[[Any, Path], Path]]]] = {
    "scikit-learn": (SCIKIT, _save_scikit),
    "xgboost": (XGBOOST, _save_xgboost),
    "lightgbm": (LIGHTGBM, _save_lightgbm),
    "catboost": (CATBOOST, _save_catboost),
}
#: (library, name of the ensemble), as tests are parametrized.
ALL: Final = [(library, name) for library, (cases, _) in LIBRARIES.items() for name in cases]


def trained(library: str, name: str, folder: Path) -> tuple[SourceModel, Array]:
    """The ensemble, saved and loaded again, with its rows."""
    cases, save = LIBRARIES[library]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # lightgbm speaks of its parameters
        model, data = cases[name]()
    path = save(model, folder)
    return READERS[library](path) if library in READERS else load_model(path, TRUST), data  # no trial: the file is whole


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What was asked of source and graph.

    ``worst`` is the largest difference, as a share of the largest number; ``labels`` says how many labels differ at all.
    """

    random_rows: int
    beside_thresholds: int
    worst: float
    labels: int


def assert_exact(source: SourceModel, data: Array, *, random_rows: int = RANDOM_ROWS) -> Proof:
    """Parity (with it both sides of every threshold), then random rows far and wide."""
    converted = convert_model(source)
    assert check_parity(source, converted, {"features": data.astype(np.float32)}, seed=0) >= 5
    session = open_session(converted.model, Settings(), where="m")
    rows = _random_rows(source, data, random_rows)
    expected, answers = source.predict({"features": rows}), run_session(session, {"features": rows})
    assert compare(expected, answers, rtol=TREE_RTOL) == []
    numbers = next(name for name, values in expected.items() if values.dtype.kind == "f")
    beside = sum(len(chunk) for chunk in boundary_rows(source.trees, data, takes_nan=source.takes_nan)) if source.trees else 0
    return Proof(
        random_rows=random_rows,
        beside_thresholds=beside,
        worst=float(np.abs(expected[numbers] - answers[numbers]).max() / np.abs(expected[numbers]).max()),
        labels=int((expected["label"] != answers["label"]).sum()) if "label" in expected else 0,
    )


def _random_rows(source: SourceModel, data: Array, count: int) -> Array:
    random = np.random.default_rng(0)
    rows = np.nanmean(data, axis=0) + np.nanstd(data, axis=0) * random.standard_normal((count, data.shape[1]))
    if source.takes_nan:
        rows[random.uniform(size=rows.shape) < 0.05] = np.nan
        rows[random.uniform(size=rows.shape) < 0.05] = 0
    narrow: Array = rows.astype(np.float32)
    return narrow
