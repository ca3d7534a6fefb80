"""scikit-learn classifiers and regressors, and pipelines that end in one, from joblib or pickle."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

from sealift_packager.archives import check_packed
from sealift_packager.errors import SourceModelError, UntrustedPickleError
from sealift_packager.load import detect
from sealift_packager.load.boosters import catboost_source, lightgbm_source, xgboost_source
from sealift_packager.load.categories import known_categories
from sealift_packager.load.memory import bounded_memory
from sealift_packager.load.missing_text import knows_missing_text
from sealift_packager.load.source import Array, Arrays, LoadOptions, SourceModel
from sealift_packager.quiet import quiet
from sealift_packager.trees.from_estimator import library_of
from sealift_packager.trees.from_scikit import read_scikit
from sealift_packager.trees.within import fitted_parts, is_trees
from sealift_runtime.bundle.digest import Digest
from sealift_runtime.bundle.tensors import TensorSpec

FEATURES: Final = "features"
#: Their types in a skops file are numbers and settings; what they read back is their own model format.
SAFE_PACKAGES: Final = ("sklearn", "numpy", "scipy", "xgboost", "lightgbm", "catboost", "builtins", "collections")
_ELSEWHERE: Final = "What is neither (an outlier detector, a clustering, a transformer) can be converted with skl2onnx and given as ONNX."
#: Estimators of these libraries, whatever file or pipeline they come in.
WRAPPERS: Final[dict[str, Callable[[Any, Digest], SourceModel]]] = {
    "xgboost": xgboost_source,
    "lightgbm": lightgbm_source,
    "catboost": catboost_source,
}


def load_scikit(path: Path, options: LoadOptions) -> SourceModel:
    """Unpickle a fitted estimator; refused unless the pickle is trusted, for that runs code.

    Its input is one float32 tensor ``features`` [batch, columns]; where the data has columns of text, each column is
    an input [batch, 1] of its own. A classifier gives ``label`` and ``probabilities`` [batch, classes] (only ``label`` if it
    has no probabilities), a regressor ``prediction`` [batch, targets].
    """
    if not options.trust_pickle:
        raise UntrustedPickleError(
            "reading a joblib or pickle file runs code that is in it",
            where=str(path),
            advice="If you know where the file comes from, give --trust-pickle.",
        )
    return estimator_source(_unpickle(path), Digest.of_file(path), options, str(path))


def load_skops(path: Path, options: LoadOptions) -> SourceModel:
    """Read a skops file, which names the types in it before it makes any: unknown ones are refused and listed."""
    try:
        import skops.io
    except ImportError as error:
        raise SourceModelError("skops is not installed", where=str(path), advice="pip install 'sealift-packager[skops]'") from error
    try:
        foreign = [name for name in skops.io.get_untrusted_types(file=path) if name.partition(".")[0] not in SAFE_PACKAGES]
        if foreign and not options.trust_pickle:
            raise UntrustedPickleError(
                "types that are not known to be safe",
                where=str(path),
                expected=f"types of {', '.join(SAFE_PACKAGES)}",
                found=", ".join(foreign[:20]) + (f", … ({len(foreign)} in all)" if len(foreign) > 20 else ""),
                advice="If you know these types and where the file comes from, give --trust-pickle.",
            )
        with bounded_memory(path):
            model = skops.io.load(path, trusted=skops.io.get_untrusted_types(file=path))
    except SourceModelError:
        raise
    except Exception as error:  # skops and the types' own __setstate__ raise anything
        detail = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise SourceModelError(f"can't be read as skops ({detail:.300})", where=str(path), expected="a whole .skops file") from error
    return estimator_source(model, Digest.of_file(path), options, str(path))


def estimator_source(model: Any, digest: Digest, options: LoadOptions, where: str) -> SourceModel:
    """A fitted estimator; those of XGBoost, LightGBM and CatBoost are asked and converted as their own files are."""
    booster = WRAPPERS.get(library_of(model))
    if booster is not None:
        return booster(model, digest)
    version = _check_estimator(model, where)
    names = tuple(str(name) for name in getattr(model, "feature_names_in_", ()))
    inputs = _inputs(model, names, options)
    trees = read_scikit(model)
    missing_text = knows_missing_text(model)
    return SourceModel(
        kind=detect.SCIKIT,
        framework=f"scikit-learn {version}",
        digest=digest,
        native=model,
        predict=lambda arrays: _predict(model, names, arrays, missing_text=missing_text),
        inputs=inputs,
        outputs=_outputs(model),
        columns={FEATURES: names} if names and len(inputs) == 1 and inputs[0].name == FEATURES else {},
        takes_nan=_takes_nan(model, names, inputs),
        categories=known_categories(model, names, inputs),
        trees=trees if len(inputs) == 1 and inputs[0].name == FEATURES else None,
        inner=_inner_trees(model, digest) if trees is None else (),
    )


def _inner_trees(model: Any, digest: Digest) -> tuple[SourceModel, ...]:
    """The trees within a model, each as a model of its own: their thresholds lie behind the steps before, where no row of data can aim."""
    found = []
    for part in fitted_parts(model):
        if part is model or not is_trees(part):
            continue
        if library_of(part) in WRAPPERS:
            found.append(WRAPPERS[library_of(part)](part, digest))
        elif read_scikit(part) is not None:
            found.append(estimator_source(part, digest, LoadOptions(), f"{type(part).__name__} in the model"))
    return tuple(dataclasses.replace(source, columns={}) for source in found)


def _unpickle(path: Path) -> Any:
    try:
        import joblib
        import sklearn  # noqa: F401  (most pickles need it, and its absence has its own message)
    except ImportError as error:
        raise SourceModelError(f"{error.name} is not installed", where=str(path), advice="pip install 'sealift-packager[sklearn]'") from error
    check_packed(path)
    try:
        with bounded_memory(path):
            return joblib.load(path)
    except SourceModelError:
        raise
    except Exception as error:  # a pickle can raise anything
        raise SourceModelError(
            f"can't be unpickled ({type(error).__name__}: {error})",
            where=str(path),
            expected="a whole joblib or pickle file",
            advice="Is it cut off, or does it need a package that is not installed here?",
        ) from error


def _check_estimator(model: Any, where: str) -> str:
    import sklearn
    from sklearn.base import BaseEstimator, is_classifier, is_regressor
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    expected = "a fitted scikit-learn classifier or regressor, or a pipeline that ends in one"
    if not isinstance(model, BaseEstimator) or not (is_classifier(model) or is_regressor(model)):
        advice = _ELSEWHERE if isinstance(model, BaseEstimator) else None
        found = f"{type(model).__module__}.{type(model).__qualname__}"
        raise SourceModelError("not a model", where=where, expected=expected, found=found, advice=advice)
    try:
        check_is_fitted(model)
    except NotFittedError as error:
        raise SourceModelError("the model is not fitted", where=where, expected=expected, advice="Save it after fit().") from error
    if np.ndim(getattr(model, "classes_", [0])[0]) or (isinstance(getattr(model, "classes_", None), list)):
        advice = "Pack one classifier for each target."
        raise SourceModelError("several targets at once are not supported", where=where, expected="a classifier of one target", advice=advice)
    for part in fitted_parts(model):
        if _encodes_text(part):
            raise SourceModelError(
                "trees that encode categories of a pandas table themselves",
                where=f"{where}: {type(part).__name__}",
                expected="numbers",
                found=f"categorical_features={part.categorical_features!r}",
                advice="Put OrdinalEncoder(handle_unknown='use_encoded_value', unknown_value=np.nan) before it, and name the columns by number.",
            )
    return str(sklearn.__version__)


def _encodes_text(part: Any) -> bool:
    own = getattr(part, "_preprocessor", None)  # of histogram gradient boosting, which has categories of its own
    steps = fitted_parts(own) if own is not None else ()
    return any(np.asarray(row).dtype.kind not in "biuf" for step in steps for row in getattr(step, "categories_", ()))


def _inputs(model: Any, names: tuple[str, ...], options: LoadOptions) -> tuple[TensorSpec, ...]:
    columns = names or tuple(name for name in options.examples if name != options.target)
    texts = [name for name in columns if name in options.examples and options.examples[name].dtype.kind in "OUST"]
    if names and texts:
        return tuple(TensorSpec(name=name, dtype="string" if name in texts else "float32", shape=("batch", 1)) for name in names)
    description = "columns: " + ", ".join(names) if names else ""
    return (TensorSpec(name=FEATURES, dtype="float32", shape=("batch", int(model.n_features_in_)), description=description),)


def _outputs(model: Any) -> tuple[str, ...]:
    from sklearn.base import is_classifier

    if not is_classifier(model):
        return ("prediction",)
    return ("label", "probabilities") if hasattr(model, "predict_proba") else ("label",)


def _predict(model: Any, names: tuple[str, ...], arrays: Arrays, *, missing_text: bool) -> dict[str, Array]:
    table = _table(names, arrays, missing_text=missing_text)
    with quiet():  # an encoder warns of what it was told to ignore
        found = np.asarray(model.predict(table))
        shares = np.asarray(model.predict_proba(table), np.float32) if hasattr(model, "classes_") and hasattr(model, "predict_proba") else None
    if not hasattr(model, "classes_"):
        return {"prediction": found.reshape(len(found), -1).astype(np.float32)}
    label = {"label": found.astype(object) if found.dtype.kind in "UO" else found.astype(np.int64)}
    return label if shares is None else label | {"probabilities": shares}


def _table(names: tuple[str, ...], arrays: Arrays, *, missing_text: bool) -> Any:
    import pandas as pd

    if FEATURES in arrays and len(arrays) == 1:
        values = arrays[FEATURES].astype(np.float64)
        return pd.DataFrame(values, columns=list(names)) if names else values
    columns = {name: values.reshape(-1) for name, values in arrays.items()}
    if missing_text:
        columns = {name: np.where(values == "", np.nan, values) if values.dtype == object else values for name, values in columns.items()}
    return pd.DataFrame(columns)


def _takes_nan(model: Any, names: tuple[str, ...], inputs: tuple[TensorSpec, ...]) -> bool:
    """Whether a number may be missing: as the model says, or as it shows, for a table's imputers stand in single columns."""
    from sklearn.utils import get_tags

    if get_tags(model).input_tags.allow_nan:
        return True
    return any(_answers_nan(model, names, inputs, spec.name) for spec in inputs if spec.numpy_dtype.kind == "f")


def _answers_nan(model: Any, names: tuple[str, ...], inputs: tuple[TensorSpec, ...], missing: str) -> bool:
    arrays = {spec.name: np.full((1, int(spec.shape[1])), "" if spec.dtype == "string" else 0, spec.numpy_dtype) for spec in inputs}
    arrays[missing] = np.full_like(arrays[missing], np.nan)
    try:
        with quiet():
            model.predict(_table(names, arrays, missing_text=True))
    except Exception:  # noqa: BLE001  # whatever it says, it is a no
        return False
    return True
