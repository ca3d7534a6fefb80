"""Boosters by every way of saving: the library's own files, joblib and skops; early stopping, categories, objectives, labels."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from answers import of_estimator, sizes
from boosting import FileOfLightGBM
from catalog import Made, example
from hostile import HELD_OUT, ROWS, classes, signal

FAMILIES = {"xgboost": "XGBoost", "lightgbm": "LightGBM", "catboost": "CatBoost"}
XGBOOST = {"n_estimators": 40, "max_depth": 4, "random_state": 0, "n_jobs": 1}
LIGHTGBM = {"n_estimators": 40, "num_leaves": 15, "random_state": 0, "n_jobs": 1, "verbose": -1}
CATBOOST = {"iterations": 40, "depth": 4, "random_seed": 0, "thread_count": 1, "verbose": False, "allow_writing_files": False}
DEFAULTS = {"xgboost": XGBOOST, "lightgbm": LIGHTGBM, "catboost": CATBOOST}


def customers(random: np.random.Generator) -> pd.DataFrame:
    """Numbers around zero and far from it, counts, gaps."""
    table = pd.DataFrame({"score": random.normal(0, 1, ROWS), "income": random.lognormal(10, 1, ROWS).round(2), "visits": random.poisson(3, ROWS)})
    return table.assign(score=table["score"].mask(random.random(ROWS) < 0.1))


def with_zip(random: np.random.Generator) -> pd.DataFrame:
    """A column of categories that are numbers."""
    return customers(random).assign(zip=pd.Categorical(random.choice([10115, 20095, 50667, 80331, 1067], ROWS)))


def with_shop(random: np.random.Generator) -> pd.DataFrame:
    """A column of numbers that stand for shops."""
    return customers(random).assign(shop=random.integers(0, 12, ROWS))


def with_plan(random: np.random.Generator) -> pd.DataFrame:
    """A column of text, for CatBoost."""
    return customers(random).assign(plan=random.choice(["basic", "plus", "pro"], ROWS))


def with_plan_category(random: np.random.Generator) -> pd.DataFrame:
    """A column of categories that are text."""
    return with_plan(random).assign(plan=lambda table: table["plan"].astype("category"))


def _stops(library: str, options: dict[str, Any], table: pd.DataFrame, target: Any) -> dict[str, Any]:
    """What `fit` takes to stop early on the last of the training rows."""
    if options.get("early_stopping_rounds") is None:
        return {}
    more = {"verbose": False} if library == "xgboost" else {}
    return {"eval_set": [(table[-HELD_OUT:], target[-HELD_OUT:])], **more}


def _write(library: str, model: Any, path: Path) -> Any:
    """Save the model, and read it again with its own library."""
    if path.suffix == ".joblib":
        joblib.dump(model, path)
        return joblib.load(path)
    if path.suffix == ".skops":
        import skops.io

        skops.io.dump(model, path)
        return skops.io.load(path, trusted=skops.io.get_untrusted_types(file=path))
    if library == "lightgbm":
        model.booster_.save_model(path)
        return FileOfLightGBM(path) if hasattr(model, "classes_") else importlib.import_module("lightgbm").Booster(model_file=path)
    model.save_model(str(path))
    reader = type(model)()
    reader.load_model(str(path))
    return reader


def _case(
    name: str, kind: str, suffix: str, draw: Callable[[np.random.Generator], pd.DataFrame], names: Any, fit: Any = None, **options: Any
) -> None:
    library = name.partition("-")[0]

    @example(name, FAMILIES[library])
    def build(folder: Path) -> Made:
        random = np.random.default_rng(0)
        table = draw(random)
        target = signal(table, random).clip(0) if names is None else classes(table, random, names)
        model = getattr(importlib.import_module(library), kind)(**(DEFAULTS[library] | options))
        train, train_target, rest, rest_target = table[:-HELD_OUT], target[:-HELD_OUT], table[-HELD_OUT:], target[-HELD_OUT:]
        model.fit(train, train_target, **(fit or {}), **_stops(library, options, train, train_target))
        reader = _write(library, model, folder / f"model{suffix}")
        if isinstance(reader, FileOfLightGBM) and names is not None:
            rest_target = np.searchsorted(np.sort(np.array(names)), rest_target)  # the file knows the classes by number
        rest.assign(target=rest_target).to_csv(folder / "holdout.csv", index=False)
        trusted = {"trust_pickle": True} if suffix == ".joblib" else {}
        path = folder / f"model{suffix}"
        return Made(model=path, data=folder / "holdout.csv", options=trusted, requests=sizes(rest), answers=of_estimator(reader))


STOPS = {"early_stopping_rounds": 3, "learning_rate": 0.5}
for _suffix in (".json", ".ubj", ".joblib", ".skops"):
    _case(f"xgboost-early-stopping-{_suffix[1:]}", "XGBClassifier", _suffix, customers, (0, 1), **STOPS, objective="binary:logistic")
for _suffix in (".json", ".ubj", ".joblib"):
    _case(f"xgboost-categories-{_suffix[1:]}", "XGBClassifier", _suffix, with_zip, (0, 1, 2), enable_categorical=True)
_case("xgboost-text-categories", "XGBClassifier", ".json", with_plan_category, (0, 1), enable_categorical=True)
_case("xgboost-multiclass-early-stopping", "XGBClassifier", ".json", customers, (0, 1, 2), **STOPS)
_case("xgboost-poisson", "XGBRegressor", ".ubj", customers, None, objective="count:poisson")
_case("xgboost-tweedie", "XGBRegressor", ".json", customers, None, objective="reg:tweedie", tweedie_variance_power=1.3)
_case("xgboost-quantile", "XGBRegressor", ".json", customers, None, objective="reg:quantileerror", quantile_alpha=0.9)
_case("xgboost-missing-minus-one", "XGBRegressor", ".joblib", lambda draw: customers(draw).fillna({"score": -1.0}), None, missing=-1.0)
_case("xgboost-monotone", "XGBRegressor", ".ubj", customers, None, monotone_constraints=(1, 0, 1))
_case("xgboost-dart", "XGBClassifier", ".json", customers, (0, 1), booster="dart", rate_drop=0.2)
_case("xgboost-forest", "XGBRFClassifier", ".joblib", customers, (0, 1, 2))
for _suffix in (".txt", ".joblib", ".skops"):
    _case(f"lightgbm-early-stopping-{_suffix[1:]}", "LGBMClassifier", _suffix, customers, (0, 1), **STOPS)
for _suffix in (".txt", ".joblib"):
    _case(f"lightgbm-categorical-{_suffix[1:]}", "LGBMClassifier", _suffix, with_shop, (0, 1, 2), {"categorical_feature": ["shop"]})
_case("lightgbm-pandas-categories", "LGBMClassifier", ".joblib", with_zip, (0, 1))
_case("lightgbm-monotone", "LGBMRegressor", ".txt", customers, None, monotone_constraints=[1, 0, 1])
_case("lightgbm-poisson", "LGBMRegressor", ".txt", customers, None, objective="poisson")
_case("lightgbm-tweedie", "LGBMRegressor", ".joblib", customers, None, objective="tweedie")
_case("lightgbm-quantile", "LGBMRegressor", ".txt", customers, None, objective="quantile", alpha=0.9)
_case("lightgbm-text-labels", "LGBMClassifier", ".joblib", customers, ("0", "True", "no"))
_case("lightgbm-names-with-spaces", "LGBMClassifier", ".txt", lambda draw: customers(draw).rename(columns={"score": "net score"}), (0, 1))
for _suffix in (".cbm", ".joblib"):
    _case(f"catboost-early-stopping-{_suffix[1:]}", "CatBoostClassifier", _suffix, customers, (0, 1), **STOPS)
    _case(f"catboost-text-labels-{_suffix[1:]}", "CatBoostClassifier", _suffix, customers, ("0", "True", "no"))
    _case(f"catboost-cat-features-{_suffix[1:]}", "CatBoostClassifier", _suffix, with_plan, (0, 1), {"cat_features": ["plan"]})
_case("catboost-integer-cat-features", "CatBoostClassifier", ".cbm", with_shop, (0, 1), {"cat_features": ["shop"]}, one_hot_max_size=20)
_case("catboost-poisson", "CatBoostRegressor", ".cbm", customers, None, loss_function="Poisson")
_case("catboost-tweedie", "CatBoostRegressor", ".joblib", customers, None, loss_function="Tweedie:variance_power=1.5")
_case("catboost-quantile", "CatBoostRegressor", ".cbm", customers, None, loss_function="Quantile:alpha=0.9")
