"""XGBoost, LightGBM and CatBoost in their own file formats."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from answers import of_estimator, sizes
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


def _made(path: Path, reader: Any, table: Any, target: Any) -> Made:
    """The answers are the library's own, with the file that it wrote."""
    return Made(model=path, data=_data(path.parent, table, target), requests=sizes(table), answers=of_estimator(reader))


class FileOfLightGBM:
    """A classifier's file, whose booster gives probabilities: the label is the number of the likeliest class, for the file has no other names."""

    def __init__(self, path: Path) -> None:
        import lightgbm

        self.booster = lightgbm.Booster(model_file=path)

    def predict_proba(self, rows: Any) -> Any:
        """Probabilities [rows, classes]."""
        given = np.asarray(self.booster.predict(rows))
        return np.column_stack([1 - given, given]) if given.ndim == 1 else given

    def predict(self, rows: Any) -> Any:
        """Labels [rows]."""
        return self.predict_proba(rows).argmax(axis=1)


@example("xgboost-classifier", "XGBoost")
def xgboost_classifier(folder: Path) -> Made:
    import xgboost

    train, held_out, train_target, held_out_target = _split(datasets.load_breast_cancer)
    train = np.where(np.random.default_rng(0).random(train.shape) < 0.05, np.nan, train)
    model = xgboost.XGBClassifier(n_estimators=100, max_depth=5, base_score=0.3, random_state=0, n_jobs=1).fit(train, train_target)
    model.save_model(folder / "model.ubj")
    reader = xgboost.XGBClassifier()
    reader.load_model(folder / "model.ubj")
    return _made(folder / "model.ubj", reader, held_out, held_out_target)


@example("xgboost-regressor", "XGBoost")
def xgboost_regressor(folder: Path) -> Made:
    import xgboost

    train, held_out, train_target, held_out_target = _split(datasets.load_diabetes)
    xgboost.XGBRegressor(n_estimators=100, max_depth=4, random_state=0, n_jobs=1).fit(train, train_target).save_model(folder / "model.json")
    reader = xgboost.XGBRegressor()
    reader.load_model(folder / "model.json")
    return _made(folder / "model.json", reader, held_out, held_out_target)


@example("lightgbm-classifier", "LightGBM")
def lightgbm_classifier(folder: Path) -> Made:
    import lightgbm

    train, held_out, train_target, held_out_target = _split(datasets.load_wine)
    model = lightgbm.LGBMClassifier(n_estimators=50, random_state=0, n_jobs=1, verbose=-1).fit(train, train_target)
    model.booster_.save_model(folder / "model.txt")
    return _made(folder / "model.txt", FileOfLightGBM(folder / "model.txt"), held_out, held_out_target)


@example("lightgbm-regressor", "LightGBM")
def lightgbm_regressor(folder: Path) -> Made:
    import lightgbm

    train, held_out, train_target, held_out_target = _split(datasets.load_diabetes)
    lightgbm.LGBMRegressor(n_estimators=100, random_state=0, n_jobs=1, verbose=-1).fit(train, train_target).booster_.save_model(folder / "model.txt")
    return _made(folder / "model.txt", lightgbm.Booster(model_file=folder / "model.txt"), held_out, held_out_target)


@example("catboost-classifier", "CatBoost")
def catboost_classifier(folder: Path) -> Made:
    import catboost

    train, held_out, train_target, held_out_target = _split(datasets.load_breast_cancer)
    model = catboost.CatBoostClassifier(iterations=100, depth=5, random_seed=0, verbose=False, thread_count=1, allow_writing_files=False)
    model.fit(train, train_target).save_model(str(folder / "model.cbm"))
    reader = catboost.CatBoostClassifier().load_model(str(folder / "model.cbm"))
    return _made(folder / "model.cbm", reader, held_out, held_out_target)
