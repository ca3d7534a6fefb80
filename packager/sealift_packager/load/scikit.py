"""scikit-learn classifiers and regressors, and pipelines that end in one, from joblib or pickle."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np

from sealift_packager.errors import SourceModelError, UntrustedPickleError
from sealift_packager.load import detect
from sealift_packager.load.source import Array, Arrays, LoadOptions, SourceModel
from sealift_runtime.bundle.digest import Digest
from sealift_runtime.bundle.tensors import TensorSpec

FEATURES: Final = "features"


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
    model = _unpickle(path)
    version = _check_estimator(model, path)
    names = tuple(str(name) for name in getattr(model, "feature_names_in_", ()))
    inputs = _inputs(model, names, options)
    return SourceModel(
        kind=detect.SCIKIT,
        framework=f"scikit-learn {version}",
        digest=Digest.of_file(path),
        native=model,
        predict=lambda arrays: _predict(model, names, arrays),
        inputs=inputs,
        outputs=_outputs(model),
        columns={FEATURES: names} if names and len(inputs) == 1 and inputs[0].name == FEATURES else {},
        takes_nan=_takes_nan(model),
    )


def _unpickle(path: Path) -> Any:
    try:
        import joblib
        import sklearn  # noqa: F401  (most pickles need it, and its absence has its own message)
    except ImportError as error:
        raise SourceModelError(f"{error.name} is not installed", where=str(path), advice="pip install 'sealift-packager[sklearn]'") from error
    try:
        return joblib.load(path)
    except Exception as error:  # a pickle can raise anything
        raise SourceModelError(
            f"can't be unpickled ({type(error).__name__}: {error})",
            where=str(path),
            expected="a whole joblib or pickle file",
            advice="Is it cut off, or does it need a package that is not installed here?",
        ) from error


def _check_estimator(model: Any, path: Path) -> str:
    import sklearn
    from sklearn.base import BaseEstimator, is_classifier, is_regressor
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    expected = "a fitted scikit-learn classifier or regressor, or a pipeline that ends in one"
    if not isinstance(model, BaseEstimator) or not (is_classifier(model) or is_regressor(model)):
        raise SourceModelError("not a model", where=str(path), expected=expected, found=f"{type(model).__module__}.{type(model).__qualname__}")
    try:
        check_is_fitted(model)
    except NotFittedError as error:
        raise SourceModelError("the model is not fitted", where=str(path), expected=expected, advice="Save it after fit().") from error
    if np.ndim(getattr(model, "classes_", [0])[0]) or (isinstance(getattr(model, "classes_", None), list)):
        raise SourceModelError("several targets at once are not supported", where=str(path), expected="a classifier of one target")
    return str(sklearn.__version__)


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


def _predict(model: Any, names: tuple[str, ...], arrays: Arrays) -> dict[str, Array]:
    table = _table(names, arrays)
    found = np.asarray(model.predict(table))
    if not hasattr(model, "classes_"):
        return {"prediction": found.reshape(len(found), -1).astype(np.float32)}
    label = {"label": found.astype(object) if found.dtype.kind in "UO" else found.astype(np.int64)}
    if not hasattr(model, "predict_proba"):
        return label
    return label | {"probabilities": np.asarray(model.predict_proba(table), np.float32)}


def _table(names: tuple[str, ...], arrays: Arrays) -> Any:
    import pandas as pd

    if FEATURES in arrays and len(arrays) == 1:
        values = arrays[FEATURES].astype(np.float64)
        return pd.DataFrame(values, columns=list(names)) if names else values
    return pd.DataFrame({name: values.reshape(-1) for name, values in arrays.items()})


def _takes_nan(model: Any) -> bool:
    from sklearn.utils import get_tags

    return bool(get_tags(model).input_tags.allow_nan)
