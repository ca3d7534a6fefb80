"""XGBoost (``.json``, ``.ubj``), LightGBM (``.txt``) and CatBoost (``.cbm``): files that hold trees and no code, and fitted objects.

Their input is one float32 tensor ``features`` [batch, columns], NaN where a value is missing. A classifier gives ``label`` and
``probabilities`` [batch, classes], everything else ``prediction`` [batch, outputs].
"""

from __future__ import annotations

import collections
import functools
import importlib
import json
import re
from collections.abc import Callable, Container, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from sealift_core.bundle.digest import Digest
from sealift_packager.archives.memory_limit import bounded_memory
from sealift_packager.errors import SourceModelError, first_line
from sealift_packager.model import detect
from sealift_packager.model.columns import FEATURES, RULED, column_inputs, joined, spread
from sealift_packager.model.output_names import with_free_names
from sealift_packager.model.source import Arrangement, Array, Digits, LoadOptions, SourceModel
from sealift_packager.progress.quiet import quiet
from sealift_packager.sandbox.isolated_read import try_reading
from sealift_packager.trees.ensemble import Ensemble
from sealift_packager.trees.from_catboost import read_catboost
from sealift_packager.trees.from_estimator import catboost_json, missing_number, used_rounds
from sealift_packager.trees.from_lightgbm import feature_names, read_lightgbm
from sealift_packager.trees.from_xgboost import read_xgboost, stored_categories
from sealift_packager.trees.thresholds import features_with_digits
from sealift_packager.trees.validity import check_ensemble

#: Time and line of source that XGBoost and CatBoost put before what they say.
_CPP_PLACE: Final = re.compile(r"^(\[[\d:]+\] )?\S+\.(cc|cpp|h):\d+: ")
#: How an XGBoost file ends: its version, as JSON and as UBJSON have it.
_JSON_VERSION: Final = re.compile(rb'"version": *\[ *(\d+) *, *(\d+) *, *\d+ *\] *\} *$')
_UBJ_VERSION: Final = re.compile(rb"version\[#L\x00{7}\x03i(.)i(.)i.\}$", re.DOTALL)
#: So many bytes at the end of a file have its version.
_VERSION_BYTES: Final = 100
#: A library's answer to rows [rows, features] of any number type.
Ask = Callable[[Array], Array]


def load_booster(model_format: str, path: Path, options: LoadOptions) -> SourceModel:
    """A model that the library's ``save_model`` wrote, read in a process of its own first; ``model_format`` is a key of `READERS`."""
    import_library(model_format, str(path))
    try_reading(model_format, path, reader=__name__)
    if model_format == detect.LIGHTGBM:
        return _read_lightgbm(path, tuple(options.examples))
    return READERS[model_format](path)


def _read_xgboost(path: Path) -> SourceModel:
    xgboost = import_library("xgboost", str(path))
    _refuse_newer(path, xgboost.__version__)
    booster = _read(lambda: xgboost.Booster(model_file=str(path)), path, "an XGBoost model (.json or .ubj)")
    return xgboost_source(booster, Digest.of_file(path), str(path))


def _refuse_newer(path: Path, installed: str) -> None:
    """XGBoost reads a file of a newer version without a word, but drops what it doesn't know: 2.1 loses the base score of 3.1, so all rows differ."""
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - _VERSION_BYTES, 0))
        end = file.read().rstrip()
    text, binary = _JSON_VERSION.search(end), _UBJ_VERSION.search(end)
    made_with = tuple(int(part) for part in text.groups()) if text else tuple(ord(part) for part in binary.groups()) if binary else (0, 0)
    if made_with > tuple(int(part) for part in installed.split(".")[:2]):
        newer = ".".join(map(str, made_with))
        raise SourceModelError(
            "the model was saved by a newer XGBoost, which this one may read wrongly",
            where=str(path),
            expected=f"a model of XGBoost {installed} or older",
            found=f"XGBoost {newer}",
            advice=f"Pack it where XGBoost {newer} or newer is installed.",
        )


def _read_lightgbm(path: Path, data_columns: Sequence[str] = ()) -> SourceModel:
    lightgbm = import_library("lightgbm", str(path))
    text = path.read_text(errors="replace")
    if "\nend of parameters" not in text:  # what stands behind the trees
        raise SourceModelError("the model is cut off", where=str(path), expected="a complete LightGBM text model", found="no 'end of parameters'")
    booster = _read(lambda: lightgbm.Booster(model_str=text), path, "a LightGBM text model")
    return lightgbm_source(booster, Digest.of_file(path), str(path), data_columns)


def _read_catboost(path: Path) -> SourceModel:
    catboost = import_library("catboost", str(path))
    model = _read(lambda: catboost.CatBoost().load_model(str(path)), path, "a CatBoost model (.cbm)")
    return catboost_source(model, Digest.of_file(path), str(path))


#: Format → what reads a file of ``save_model`` in this process at once, as the one that tries it does.
READERS: Final[dict[str, Callable[[Path], SourceModel]]] = {
    detect.XGBOOST: _read_xgboost,
    detect.LIGHTGBM: _read_lightgbm,
    detect.CATBOOST: _read_catboost,
}


def import_library(name: str, where: str) -> Any:
    """A library that is an extra; `SourceModelError` names it."""
    try:
        with quiet():
            return importlib.import_module(name)
    except ImportError as error:
        raise SourceModelError(f"{name} is not installed", where=where, advice=f"pip install {name}") from error


def _read(action: Callable[[], Any], path: Path, expected: str) -> Any:
    try:
        with quiet(), bounded_memory(path):
            return action()
    except SourceModelError:
        raise
    except Exception as error:  # each library has errors of its own
        detail = _CPP_PLACE.sub("", str(error).strip()).splitlines()[0] if str(error).strip() else type(error).__name__
        raise SourceModelError(f"can't be read (caused by: {detail:.200})", where=str(path), expected=f"a complete file of {expected}") from error


def _ensemble(read: Callable[[], Ensemble], where: str) -> Ensemble:
    """What a reader makes of a library's own form, checked; `SourceModelError` where that form lacks or contradicts something."""
    try:
        ensemble = read()
    except (KeyError, IndexError, ValueError, TypeError, OverflowError) as error:
        detail = f"{type(error).__name__}: {first_line(error)}"
        raise SourceModelError(
            f"its trees contradict themselves (caused by: {detail:.200})",
            where=where,
            expected="a complete model",
            advice="The file is damaged: save the model again.",
        ) from error
    check_ensemble(ensemble, where=where)
    return ensemble


def xgboost_source(model: Any, digest: Digest, where: str = "XGBoost model") -> SourceModel:
    """A Booster, or the scikit-learn wrapper around one."""
    xgboost = import_library("xgboost", "XGBoost model")
    wrapped = hasattr(model, "get_booster")
    booster = model.get_booster() if wrapped else model
    # A wrapper predicts with the rounds up to the best one, also when it reads its own file; a Booster predicts with all of them.
    rounds = used_rounds(booster) if wrapped or "scikit_learn" in booster.attributes() else None
    labels = np.asarray(model.classes_) if wrapped and hasattr(model, "classes_") else None
    missing = missing_number(model) if wrapped else None
    ensemble = _ensemble(lambda: read_xgboost(bytes(booster.save_raw("json")), classes=labels, rounds=rounds, missing=missing), where)
    names, types = booster.feature_names, booster.feature_types
    categories = _categories(booster) if "c" in (types or ()) else {}

    def ask(rows: Array) -> Array:
        if categories:
            table = xgboost.DMatrix(with_categories(rows, names, categories), enable_categorical=True)
        else:
            table = xgboost.DMatrix(rows, missing=missing, feature_names=names, feature_types=types, enable_categorical=True)
        used = (0, rounds or 0)
        predicted: Array = booster.predict(table, iteration_range=used)
        if ensemble.outputs == 1 or predicted.ndim == 2:
            return predicted
        return _from_margin(booster.predict(table, iteration_range=used, output_margin=True))

    return _source(detect.XGBOOST, f"XGBoost {xgboost.__version__}", digest, model, ensemble, ask, tuple(names or ()))


def _categories(booster: Any) -> dict[int, list[int]]:
    gradient_booster = json.loads(bytes(booster.save_raw("json")))["learner"]["gradient_booster"]
    return stored_categories(gradient_booster.get("gbtree", gradient_booster)["model"])  # dart has trees inside


def with_categories(rows: Array, names: Sequence[str], categories: Mapping[int, Sequence[int]]) -> Any:
    """Rows as the pandas table that a booster was trained on: these columns hold categories, and NaN where a number is none of them."""
    import pandas as pd

    columns = {name: rows[:, at] for at, name in enumerate(names)}
    return pd.DataFrame({name: pd.Categorical(v, categories[at]) if at in categories else v for at, (name, v) in enumerate(columns.items())})


def _from_margin(margin: Array) -> Array:
    """multi:softmax gives the label alone; its probabilities are the softmax of what it was chosen by."""
    powers = np.exp(margin - margin.max(axis=1, keepdims=True))
    shares: Array = powers / powers.sum(axis=1, keepdims=True)
    return shares


def lightgbm_source(model: Any, digest: Digest, where: str = "LightGBM model", data_columns: Sequence[str] = ()) -> SourceModel:
    """A Booster, or the scikit-learn wrapper around one.

    LightGBM writes ``_`` for a space in a column's name. Where the data has the name with its spaces, that one is taken.
    """
    lightgbm = import_library("lightgbm", "LightGBM model")
    wrapped = hasattr(model, "booster_")
    booster = model.booster_ if wrapped else model
    text = booster.model_to_string()
    if any(booster.pandas_categorical or ()):
        raise SourceModelError(
            "categories of a pandas table",
            where="LightGBM model",
            expected="numbers",
            advice="Encode them before LightGBM (OrdinalEncoder) and name the columns with categorical_feature.",
        )
    labels = np.asarray(model.classes_) if wrapped and hasattr(model, "classes_") else None
    ensemble = _ensemble(lambda: read_lightgbm(text, classes=labels), where)
    spelled = {name.replace(" ", "_"): name for name in data_columns}
    names = feature_names(text)
    names = tuple(spelled.get(name, name) for name in names) if len(spelled) == len(data_columns) else names
    named = () if all(name == f"Column_{at}" for at, name in enumerate(names)) else names
    return _source(detect.LIGHTGBM, f"LightGBM {lightgbm.__version__}", digest, model, ensemble, booster.predict, named)


def catboost_source(model: Any, digest: Digest, where: str = "CatBoost model") -> SourceModel:
    """A CatBoost model of any class."""
    catboost = import_library("catboost", "CatBoost model")
    labels = np.asarray(model.classes_) if len(model.classes_) else None
    ensemble = _ensemble(lambda: read_catboost(catboost_json(model), classes=labels), where)
    prediction_type = "Probability" if ensemble.classes is not None else "RawFormulaVal"
    if ensemble.classes is None and ensemble.link == "exp":
        prediction_type = "Exponent"
    if ensemble.classes is None and ensemble.link == "sigmoid":
        prediction_type = "Probability"

    def ask(rows: Array) -> Array:
        predicted = np.asarray(model.predict(rows, prediction_type=prediction_type))
        return predicted[:, 1] if prediction_type == "Probability" and ensemble.outputs == 1 else predicted

    names = tuple(str(name) for name in model.feature_names_)
    named = () if all(name == str(at) for at, name in enumerate(names)) else names
    return _source(detect.CATBOOST, f"CatBoost {catboost.__version__}", digest, model, ensemble, ask, named)


def _source(model_format: str, framework: str, digest: Digest, native: Any, ensemble: Ensemble, ask: Ask, names: tuple[str, ...]) -> SourceModel:
    twice = next((name for name, count in collections.Counter(names).items() if count > 1), None)
    if twice is not None:
        advice = "Train it with another name for each column."
        raise SourceModelError("two columns have the same name", where=f"{model_format} model", found=repr(twice)[:200], advice=advice)

    def with_inputs(
        wide: frozenset[int], wide_outputs: frozenset[str] = frozenset(), arranged: Arrangement | None = None, *, before: Arrangement = RULED
    ) -> SourceModel:
        """The model with float64 inputs for these columns, and float64 for these outputs; arranged as before, unless that is said too."""
        arrangement = arranged or before
        inputs = column_inputs(names, ensemble.features, wide, arrangement)
        source = SourceModel(
            format=model_format,
            framework=framework,
            digest=digest,
            native=native,
            predict=lambda arrays: answers(ensemble, ask, joined(arrays, inputs), wide_outputs),
            inputs=inputs,
            outputs=("label", "probabilities") if ensemble.classes is not None else ("prediction",),
            columns={FEATURES: names} if names and [spec.name for spec in inputs] == [FEATURES] else {},
            takes_nan=True,
            trees=ensemble,
            classes=ensemble.classes,
            digits=Digits(needed=features_with_digits(ensemble), widen=functools.partial(with_inputs, before=arrangement)),
            wide_outputs=wide_outputs,
        )
        return with_free_names(source)

    return with_inputs(frozenset())


def answers(ensemble: Ensemble, ask: Ask, rows: Array, wide: Container[str] = ()) -> dict[str, Array]:
    """The library's numbers for rows [rows, features], of any type, in the form of the graph's outputs, of which some may be ``wide``: float64."""
    with quiet():
        predicted = np.asarray(ask(rows))
    predicted = predicted.reshape(len(rows), -1)
    if ensemble.classes is None:
        return {"prediction": predicted.astype(np.float64 if "prediction" in wide else np.float32)}
    both = np.column_stack([1 - predicted, predicted]) if predicted.shape[1] == 1 else predicted
    best = ensemble.classes[both.argmax(axis=1)]
    label = best.astype(object) if best.dtype.kind in "UO" else best.astype(np.int64)
    return {"label": label, "probabilities": both.astype(np.float32)}


def read_once(model_format: str, path: Path) -> None:
    """Read a model and ask it once, in a process that may break at it (`sealift_packager.sandbox.isolated_read`)."""
    library = import_library(model_format, str(path))  # what a library takes to be there doesn't count
    if model_format == detect.CATBOOST:
        library.Pool([[0.0], [1.0]])  # its allocator sets 1 GiB aside for the first object
    with bounded_memory(path):
        source = READERS[model_format](path)
        spec = source.inputs[0]
        source.predict(spread(np.zeros((2, int(spec.shape[1]))), source.inputs))
