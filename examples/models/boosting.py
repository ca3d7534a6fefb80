"""XGBoost, LightGBM and CatBoost in their own file formats."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from catalog import Made, example
from sklearn import datasets
from sklearn.model_selection import train_test_split


def _split(load: Any) -> tuple[Any, Any, Any, Any]:
    table, target = load(return_X_y=True)
    parts: tuple[Any, Any, Any, Any] = tuple(train_test_split(table, target, random_state=0))
    return parts


def _data(folder: Path, table: Any, target: Any) -> Path:
    columns = {f"column_{at}": table[:, at] for at in range(table.shape[1])}
    np.savez(folder / "holdout.npz", **columns, target=target)
    return folder / "holdout.npz"


@example("xgboost-classifier", "XGBoost")
def xgboost_classifier(folder: Path) -> Made:
    import xgboost

    train, held_out, train_target, held_out_target = _split(datasets.load_breast_cancer)
    train = np.where(np.random.default_rng(0).random(train.shape) < 0.05, np.nan, train)
    model = xgboost.XGBClassifier(n_estimators=100, max_depth=5, base_score=0.3, random_state=0, n_jobs=1).fit(train, train_target)
    model.save_model(folder / "model.ubj")
    return Made(model=folder / "model.ubj", data=_data(folder, held_out, held_out_target))


@example("xgboost-regressor", "XGBoost")
def xgboost_regressor(folder: Path) -> Made:
    import xgboost

    train, held_out, train_target, held_out_target = _split(datasets.load_diabetes)
    xgboost.XGBRegressor(n_estimators=100, max_depth=4, random_state=0, n_jobs=1).fit(train, train_target).save_model(folder / "model.json")
    return Made(model=folder / "model.json", data=_data(folder, held_out, held_out_target))


@example("lightgbm-classifier", "LightGBM")
def lightgbm_classifier(folder: Path) -> Made:
    import lightgbm

    train, held_out, train_target, held_out_target = _split(datasets.load_wine)
    model = lightgbm.LGBMClassifier(n_estimators=50, random_state=0, n_jobs=1, verbose=-1).fit(train, train_target)
    model.booster_.save_model(folder / "model.txt")
    return Made(model=folder / "model.txt", data=_data(folder, held_out, held_out_target))


@example("lightgbm-regressor", "LightGBM")
def lightgbm_regressor(folder: Path) -> Made:
    import lightgbm

    train, held_out, train_target, held_out_target = _split(datasets.load_diabetes)
    lightgbm.LGBMRegressor(n_estimators=100, random_state=0, n_jobs=1, verbose=-1).fit(train, train_target).booster_.save_model(folder / "model.txt")
    return Made(model=folder / "model.txt", data=_data(folder, held_out, held_out_target))


@example("catboost-classifier", "CatBoost")
def catboost_classifier(folder: Path) -> Made:
    import catboost

    train, held_out, train_target, held_out_target = _split(datasets.load_breast_cancer)
    model = catboost.CatBoostClassifier(iterations=100, depth=5, random_seed=0, verbose=False, thread_count=1, allow_writing_files=False)
    model.fit(train, train_target).save_model(str(folder / "model.cbm"))
    return Made(model=folder / "model.cbm", data=_data(folder, held_out, held_out_target))
