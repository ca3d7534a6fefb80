"""Models that skl2onnx by itself gives other answers, other shapes or none: as their source has them."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, Final

import joblib
import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier, SGDClassifier, SGDOneClassSVM
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.naive_bayes import BernoulliNB
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Binarizer, MinMaxScaler, StandardScaler
from sklearn.svm import SVC, LinearSVC, NuSVC

from sealift_packager.convert.registry import convert_model
from sealift_packager.load.registry import load_model
from sealift_packager.parity.check import check_parity
from sealift_packager.session import Settings, open_session, run_session
from support.ensembles import TRUST

WINE, CANCER = load_wine(return_X_y=True), load_breast_cancer(return_X_y=True)
SETS: Final = {"two classes": (CANCER[0], np.array(["benign", "malign"])[CANCER[1]]), "three classes": WINE}


def scaled(model: Any) -> Any:
    return make_pipeline(StandardScaler(), model)


def proved(model: Any, data: tuple[Any, Any], folder: Path) -> tuple[tuple[Any, ...], ...]:
    """The shapes of what the graph gives, which is held against its source on rows that this wasn't fitted on."""
    rows = data[0].astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        joblib.dump(model.fit(rows[::2], data[1][::2]), folder / "m")
    source = load_model(folder / "m", TRUST)
    converted = convert_model(source)
    assert check_parity(source, converted, {"features": rows[1::2]}, seed=0) >= 6
    return tuple(spec.shape for spec in converted.outputs)


CLASSIFIERS: Final[dict[str, Any]] = {
    "one against the rest, by support vectors": OneVsRestClassifier(SVC()),
    "one against the rest, by nu": OneVsRestClassifier(NuSVC(nu=0.1)),
    "one against the rest, by lines": OneVsRestClassifier(LinearSVC(random_state=0)),
    "one against the rest, by lines through zero": OneVsRestClassifier(LinearSVC(fit_intercept=False, random_state=0)),
    "one against the rest, by ridges": OneVsRestClassifier(RidgeClassifier()),
    "one against the rest, by gradients": OneVsRestClassifier(SGDClassifier(random_state=0)),
    "one against the rest, by regressors": OneVsRestClassifier(LinearRegression()),
    "one against the rest, by pipelines": OneVsRestClassifier(make_pipeline(MinMaxScaler(), SVC())),
    "one against the rest, by pipelines of lines": OneVsRestClassifier(make_pipeline(MinMaxScaler(), LinearSVC(random_state=0))),
    "a linear discriminant": LinearDiscriminantAnalysis(),
    "bits": BernoulliNB(binarize=0.25),
    "bits of a step": make_pipeline(Binarizer(threshold=0.25), LogisticRegression()),
}


@pytest.mark.parametrize("data", SETS)
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_classifiers_answer_like_their_source(name: str, data: str, tmp_path: Path) -> None:
    assert proved(scaled(CLASSIFIERS[name]), SETS[data], tmp_path)[0] == ("batch",)


def test_linear_discriminants_one_against_one_are_asked_for_their_scores(tmp_path: Path) -> None:
    proved(scaled(OneVsOneClassifier(LinearDiscriminantAnalysis())), WINE, tmp_path)


@pytest.mark.parametrize("targets", [1, 3])
def test_a_perceptron_has_a_column_for_each_target(targets: int, tmp_path: Path) -> None:
    data = WINE[0], WINE[0][:, 0] if targets == 1 else WINE[0][:, :targets]
    assert proved(scaled(MLPRegressor(hidden_layer_sizes=(5,), max_iter=20, random_state=0)), data, tmp_path) == (("batch", targets),)


def test_a_linear_one_class_machine_has_a_score_for_each_row(tmp_path: Path) -> None:
    assert proved(scaled(SGDOneClassSVM(random_state=0)), WINE, tmp_path) == (("batch",), ("batch", 1))


def test_a_row_on_the_limit_of_a_linear_one_class_machine_is_no_outlier(tmp_path: Path) -> None:
    model = SGDOneClassSVM().fit(WINE[0])
    model.coef_, model.offset_ = np.ones_like(model.coef_), np.zeros(1)
    joblib.dump(model, tmp_path / "m")
    source = load_model(tmp_path / "m", TRUST)
    zeros = {"features": np.zeros((2, WINE[0].shape[1]), np.float32)}
    found = run_session(open_session(convert_model(source).model, Settings(), where="m"), zeros)
    assert found["label"].tolist() == source.predict(zeros)["label"].tolist() == [1, 1]
