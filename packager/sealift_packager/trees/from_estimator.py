"""The ensemble in a fitted estimator of whatever library, by its class."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from sealift_packager.errors import ConversionError
from sealift_packager.trees.ensemble import Ensemble
from sealift_packager.trees.from_catboost import read_catboost
from sealift_packager.trees.from_lightgbm import read_lightgbm
from sealift_packager.trees.from_scikit import read_scikit
from sealift_packager.trees.from_xgboost import read_xgboost


def library_of(model: Any) -> str:
    """The top package that a class comes from, its bases looked through: a subclass of one's own is still what it derives from."""
    libraries = ("xgboost", "lightgbm", "catboost", "sklearn", "torch", "onnx")
    roots = [base.__module__.partition(".")[0] for base in type(model).__mro__]
    return next((root for root in roots if root in libraries), roots[0])


def read_estimator(model: Any) -> Ensemble | None:
    """The ensemble, None for what is none; `ConversionError` for one that has no exact ONNX form."""
    library = library_of(model)
    classes = getattr(model, "classes_", None)
    classes = None if classes is None or not len(classes) else np.asarray(classes)
    if library == "xgboost" and hasattr(model, "get_booster"):
        booster = model.get_booster()
        document = bytes(booster.save_raw("json"))
        return read_xgboost(document, classes=classes, rounds=used_rounds(booster), missing=missing_number(model))
    if library == "lightgbm" and hasattr(model, "booster_"):
        return read_lightgbm(model.booster_.model_to_string(), classes=classes)
    if library == "catboost":
        return read_catboost(catboost_json(model), classes=classes)
    return read_scikit(model) if library == "sklearn" else None


def used_rounds(booster: Any) -> int | None:
    """How many rounds XGBoost's scikit-learn wrapper predicts with: those up to the best one where training stopped early, else None for all."""
    best = booster.attributes().get("best_iteration")
    return None if best is None else int(best) + 1


def missing_number(model: Any) -> float | None:
    """The number that XGBoost's scikit-learn wrapper takes for a missing value, beside NaN; None if there is none. No file of XGBoost's keeps it."""
    missing = getattr(model, "missing", None)
    if missing is None or missing != missing:
        return None
    try:
        return float(np.float32(missing))
    except (TypeError, ValueError) as error:
        raise ConversionError("the missing value isn't a number", where="XGBoost model", expected="a number", found=f"missing={missing!r}") from error


def catboost_json(model: Any) -> dict[str, Any]:
    """CatBoost's own JSON form, which it writes to files only."""
    with tempfile.TemporaryDirectory(prefix="sealift-catboost.") as folder:
        path = Path(folder) / "model.json"
        model.save_model(str(path), format="json")
        document: dict[str, Any] = json.loads(path.read_bytes())
    return document
