"""Labels of classifiers, compared with the source row by row: on a grid with many borders and ties, and with labels of every kind."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from sklearn.base import ClassifierMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.linear_model import LogisticRegression, Perceptron, RidgeClassifier, SGDClassifier
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier, OutputCodeClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from sklearn.naive_bayes import BernoulliNB, GaussianNB
from sklearn.neighbors import KNeighborsClassifier, RadiusNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC, NuSVC
from sklearn.tree import DecisionTreeClassifier

from sealift_packager.errors import ConversionError, SourceModelError
from sealift_packager.frameworks.converters import convert_model
from sealift_packager.graph.session import Settings, open_session, run_session
from sealift_packager.model.source import Array
from sealift_packager.parity.check import check_parity
from support.scikit import loaded

GRID: Final = np.array([[first, second] for first in np.linspace(-2, 2, 9) for second in np.linspace(-2, 2, 9)])
QUARTERS: Final = (GRID[:, 0] > 0) * 2 + (GRID[:, 1] > 0)
LABELS: Final = {
    "beyond int32": np.array([2**31 + 5, -(2**40) - 3, 2**53 - 1, 7]),
    "beyond float32": np.array([2**24 + 1, 2**24 + 3, 2**31 - 1, -(2**24) - 5]),
    "negative": np.array([-7, 3, 12, -1]),
    "unsigned": np.array([1, 2**40, 7, 0], np.uint64),
    "small": np.array([-3, 4, 100, -128], np.int8),
    "text": np.array(["b", "a", "ü", ""], object),
}
BY_SCORES: Final[dict[str, Callable[[], Any]]] = {
    "support vectors": SVC,
    "pairs of support vectors": lambda: SVC(decision_function_shape="ovo"),
    "broken ties": lambda: SVC(break_ties=True),
    "broken ties of lines": lambda: make_pipeline(StandardScaler(), SVC(kernel="linear", break_ties=True)),
    "broken ties of other support vectors": lambda: NuSVC(nu=0.1, kernel="poly", break_ties=True),
    "pairs of other support vectors": lambda: NuSVC(nu=0.1, decision_function_shape="ovo"),
    "lines": lambda: LinearSVC(random_state=0),
    "lines at once": lambda: LinearSVC(multi_class="crammer_singer", random_state=0),
    "ridge": RidgeClassifier,
    "perceptron": lambda: Perceptron(random_state=0),
    "squared hinge": lambda: SGDClassifier(loss="squared_hinge", random_state=0),
    "discriminant": LinearDiscriminantAnalysis,
    "curved discriminant": lambda: QuadraticDiscriminantAnalysis(reg_param=0.1),
    "pairs": lambda: OneVsOneClassifier(LinearSVC(random_state=0)),
    "rest": lambda: OneVsRestClassifier(Perceptron(random_state=0)),
    "vote": lambda: VotingClassifier([("vectors", SVC()), ("ridge", RidgeClassifier()), ("perceptron", Perceptron(random_state=0))]),
    "bag": lambda: BaggingClassifier(SVC(), n_estimators=3, random_state=0),
}
BY_NUMBER: Final[dict[str, Callable[[], Any]]] = {
    "logistic": LogisticRegression,
    "naive": GaussianNB,
    "bits": BernoulliNB,
    "hinge": lambda: SGDClassifier(random_state=0),
    "perceptron": lambda: Perceptron(random_state=0),
    "lines": lambda: LinearSVC(random_state=0),
    "vectors": SVC,
    "ridge": RidgeClassifier,
    "tree": lambda: DecisionTreeClassifier(max_depth=3),
    "forest": lambda: RandomForestClassifier(3, random_state=0),
    "histogram": lambda: HistGradientBoostingClassifier(max_iter=2),
    "boosted": lambda: AdaBoostClassifier(n_estimators=3, random_state=0),
    "bag": lambda: BaggingClassifier(n_estimators=3, random_state=0),
    "vote": lambda: VotingClassifier([("line", LogisticRegression()), ("naive", GaussianNB())], voting="soft"),
    "stack": lambda: StackingClassifier([("line", LogisticRegression()), ("naive", GaussianNB())], cv=3),
    "neighbours": KNeighborsClassifier,
    "radius": lambda: RadiusNeighborsClassifier(1.1, outlier_label="most_frequent"),
    "perceptron of layers": lambda: MLPClassifier(solver="lbfgs", max_iter=2000, hidden_layer_sizes=(4,), random_state=0),
    "calibrated": lambda: CalibratedClassifierCV(LinearSVC(random_state=0), cv=3),
    "rest": lambda: OneVsRestClassifier(LogisticRegression()),
    "pairs": lambda: OneVsOneClassifier(LinearSVC(random_state=0)),
    "behind a scaler": lambda: make_pipeline(StandardScaler(), SGDClassifier(random_state=0)),
}


def same_labels(model: Any, folder: Path) -> bool:
    """Whether the graph gives the model's labels for the grid; parity is checked as well."""
    source = loaded(model, folder)
    converted = convert_model(source)
    requests = {"features": GRID.astype(np.float32)}
    assert check_parity(source, converted, requests, seed=0) >= 3
    labels = run_session(open_session(converted.model, Settings(), where="model.onnx"), requests)["label"]
    return bool(labels.shape == (len(GRID),) and np.array_equal(model.predict(GRID).astype(labels.dtype), labels))


@pytest.mark.parametrize("name", BY_SCORES)
def test_a_label_at_a_border_is_the_one_of_the_source(name: str, tmp_path: Path) -> None:
    assert same_labels(BY_SCORES[name]().fit(GRID, QUARTERS), tmp_path)


CLOUD: Final = np.random.default_rng(0).normal(size=(150, 2))
FAR: Final = 5e7 + CLOUD  # which float32 knows in steps of 4


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize(
    ("model", "rows"),
    [
        (SVC(), FAR),
        (SVC(break_ties=True), FAR),
        (SVC(probability=True, random_state=0), CLOUD),
        (NuSVC(nu=0.1, decision_function_shape="ovo"), FAR),
        (make_pipeline(StandardScaler(), NuSVC(nu=0.1)), FAR),
        (SVC(kernel="poly", degree=2), CLOUD),
        (SVC(kernel="linear"), CLOUD),
        (SVC(kernel="sigmoid"), CLOUD),
        (OneVsRestClassifier(SVC()), CLOUD),
    ],
    ids=["margins", "broken ties", "with probabilities", "pairs", "behind a scaler", "powers", "lines", "sigmoids", "against the rest"],
)
def test_support_vectors_of_rows_with_digits_are_computed_in_float64(model: Any, rows: Array, classes: int, tmp_path: Path) -> None:
    target = np.array(["a", "b", "c"])[np.digitize(CLOUD.sum(axis=1), [0.0, 1.0][: classes - 1])]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of probability=True
        source = loaded(clone(model).fit(rows, target), tmp_path)
    assert source.digits is not None
    source = source.digits.widen(frozenset((0, 1)))
    converted = convert_model(source)
    labels = run_session(open_session(converted.model, Settings(), where="model.onnx"), {"features": rows})["label"]
    assert (labels == source.native.predict(rows)).all()
    assert check_parity(source, converted, {"features": rows}, seed=0) >= 3


@pytest.mark.parametrize("name", BY_NUMBER)
def test_labels_that_float32_does_not_hold_are_exact(name: str, tmp_path: Path) -> None:
    assert same_labels(BY_NUMBER[name]().fit(GRID, LABELS["beyond int32"][QUARTERS]), tmp_path)


@pytest.mark.parametrize("kind", LABELS)
@pytest.mark.parametrize("classes", [2, 4])
def test_labels_of_every_kind_are_exact(kind: str, classes: int, tmp_path: Path) -> None:
    assert same_labels(GaussianNB().fit(GRID, LABELS[kind][QUARTERS % classes]), tmp_path)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (ClassifierChain(LogisticRegression()), "several targets"),
        (MultiOutputClassifier(LogisticRegression()), "several targets"),
        (RandomForestClassifier(2), "several targets"),
        (OutputCodeClassifier(LogisticRegression(), random_state=0), "^scikit-learn model: OutputCodeClassifier has no ONNX form"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_has_no_form_is_refused_in_words(model: ClassifierMixin, words: str, tmp_path: Path) -> None:
    target = QUARTERS if isinstance(model, OutputCodeClassifier) else np.column_stack([QUARTERS > 1, QUARTERS % 2]).astype(int)
    with pytest.raises((ConversionError, SourceModelError), match=words):
        convert_model(loaded(model.fit(GRID, target), tmp_path))
