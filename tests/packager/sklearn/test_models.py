"""Models that skl2onnx by itself gives other answers, other shapes or none: as their source has them."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, Final

import joblib
import numpy as np
import pandas as pd
import pytest
from packaging.version import Version
from sklearn import model_selection
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import FeatureAgglomeration, KMeans, MiniBatchKMeans
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.decomposition import PCA, FactorAnalysis, FastICA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import (
    AdaBoostClassifier,
    AdaBoostRegressor,
    BaggingClassifier,
    BaggingRegressor,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.feature_selection import SelectKBest, VarianceThreshold
from sklearn.impute import SimpleImputer
from sklearn.kernel_approximation import Nystroem, RBFSampler
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier, SGDClassifier, SGDOneClassSVM
from sklearn.metrics import f1_score, make_scorer
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.naive_bayes import BernoulliNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import Pipeline, make_pipeline, make_union
from sklearn.preprocessing import Binarizer, MinMaxScaler, StandardScaler
from sklearn.semi_supervised import SelfTrainingClassifier
from sklearn.svm import SVC, LinearSVC, NuSVC
from sklearn.tree import DecisionTreeRegressor

from sealift_packager.errors import ConversionError
from sealift_packager.frameworks.converters import convert_model
from sealift_packager.frameworks.loaders import load_model
from sealift_packager.graph.session import Settings, open_session, run_session
from sealift_packager.parity.check import check_parity
from sealift_runtime.engine.facts import onnxruntime_version
from support.ensembles import TRUST
from support.scikit import loaded

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


FOREST = RandomForestClassifier(5, random_state=0)
MEMBERS = [("vectors", SVC()), ("line", LinearSVC(random_state=0)), ("near", KNeighborsClassifier())]
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
    "a hard vote": VotingClassifier(MEMBERS, weights=[1, 3, 1.5]),
    "a hard vote of pipelines": VotingClassifier([("a", make_pipeline(MinMaxScaler(), SVC())), ("b", RidgeClassifier()), ("c", FOREST)]),
    "a stack on scores": StackingClassifier(MEMBERS, cv=2),
    "a stack on scores, and its rows": StackingClassifier([("a", make_pipeline(MinMaxScaler(), SVC())), ("b", FOREST)], passthrough=True, cv=2),
    "a stack that ends in scores": StackingClassifier([("a", SVC()), ("b", FOREST)], final_estimator=LinearSVC(random_state=0), cv=2),
    "a bag of support vectors": BaggingClassifier(SVC(), 3, random_state=0),
    "a bag of lines on some columns": BaggingClassifier(LinearSVC(random_state=0), 3, max_features=0.5, random_state=0),
    "a bag of pipelines of lines": BaggingClassifier(make_pipeline(MinMaxScaler(), LinearSVC(random_state=0)), 3, random_state=0),
    "a calibrated pipeline of lines": CalibratedClassifierCV(make_pipeline(MinMaxScaler(), LinearSVC(random_state=0)), cv=2),
    "a discriminant as a step": make_pipeline(LinearDiscriminantAnalysis(), KNeighborsClassifier()),
    "a discriminant by eigenvalues as a step": make_pipeline(LinearDiscriminantAnalysis(solver="eigen"), KNeighborsClassifier()),
    "a discriminant in a union": make_pipeline(make_union(LinearDiscriminantAnalysis(), PCA(2)), LogisticRegression()),
    "independent components": make_pipeline(FastICA(3, random_state=0), LogisticRegression()),
    "factors": make_pipeline(FactorAnalysis(3, random_state=0), LogisticRegression()),
    "bits": BernoulliNB(binarize=0.25),
    "bits of a step": make_pipeline(Binarizer(threshold=0.25), LogisticRegression()),
    "bits of rows on the threshold": make_pipeline(MinMaxScaler(), Binarizer(), LogisticRegression()),
    "one against one, by lines": OneVsOneClassifier(LinearSVC(random_state=0)),
    "one against one, by trees": OneVsOneClassifier(FOREST),
    "distances to clusters": make_pipeline(KMeans(5, n_init=1, random_state=0), LogisticRegression()),
    "distances to clusters in a union": make_pipeline(make_union(MiniBatchKMeans(5, n_init=1, random_state=0), PCA(2)), LogisticRegression()),
    "agglomerated features": make_pipeline(FeatureAgglomeration(3), LogisticRegression()),
    "components of a kernel": make_pipeline(Nystroem(n_components=20, random_state=0), LogisticRegression()),
    "components of a polynomial": make_pipeline(Nystroem("poly", degree=2, n_components=20, random_state=0), LogisticRegression()),
    "random waves": make_pipeline(RBFSampler(gamma=0.1, random_state=0), LogisticRegression()),
}


@pytest.mark.parametrize("data", SETS)
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_classifiers_answer_like_their_source(name: str, data: str, tmp_path: Path) -> None:
    if name == "random waves" and Version(onnxruntime_version()) < Version("1.29"):
        pytest.skip("this onnxruntime has no cosine in float64, and a bundle says so: see test_onnxruntime_kernels.py")
    assert proved(scaled(CLASSIFIERS[name]), SETS[data], tmp_path)[0] == ("batch",)


#: Each with the name of its class, which scikit-learn has from 1.5 on.
THRESHOLDS: dict[str, tuple[str, Any, dict[str, Any]]] = {
    "tuned": ("TunedThresholdClassifierCV", LogisticRegression(), {"cv": 3}),
    "tuned for the first class": ("TunedThresholdClassifierCV", FOREST, {"cv": 3, "scoring": make_scorer(f1_score, pos_label="benign")}),
    "fixed": ("FixedThresholdClassifier", LogisticRegression(), {}),
    "fixed for scores": ("FixedThresholdClassifier", LinearSVC(random_state=0), {"threshold": 0.2}),
    "fixed for scores beside probabilities": ("FixedThresholdClassifier", LogisticRegression(), {"response_method": "decision_function"}),
    "tuned for scores": ("TunedThresholdClassifierCV", SVC(), {"cv": 3}),
    "fixed for the first class's scores": ("FixedThresholdClassifier", SVC(), {"threshold": -0.1, "pos_label": "benign"}),
    "fixed for the first class": ("FixedThresholdClassifier", LogisticRegression(), {"threshold": 0.3, "pos_label": "benign"}),
}


def threshold_of(name: str, model: Any, settings: dict[str, Any]) -> Any:
    class_ = getattr(model_selection, name, None)
    return class_(model, **settings) if class_ else pytest.skip(f"this scikit-learn has no {name}")


@pytest.mark.parametrize("model", THRESHOLDS)
def test_a_threshold_of_ones_own_decides(model: str, tmp_path: Path) -> None:
    shapes = (("batch",),) if "scores" in model and "beside" not in model else (("batch",), ("batch", 2))
    assert proved(scaled(threshold_of(*THRESHOLDS[model])), SETS["two classes"], tmp_path) == shapes


@pytest.mark.parametrize("model", [OneVsOneClassifier(LogisticRegression()), AdaBoostClassifier(n_estimators=3), LogisticRegression()])
@pytest.mark.parametrize("classes", [[False, True, False], [7, 3, 5], [-1, 0, 1], ["b", "c", "a"]], ids=str)
def test_classes_may_be_called_anything(model: Any, classes: list[Any], tmp_path: Path) -> None:
    assert proved(scaled(model), (WINE[0], np.array(classes)[WINE[1]]), tmp_path)[0] == ("batch",)


def test_a_classifier_that_trained_itself_is_the_one_that_it_trained(tmp_path: Path) -> None:
    some = np.where(np.arange(len(WINE[1])) % 3, WINE[1], -1)
    assert proved(SelfTrainingClassifier(scaled(LogisticRegression())), (WINE[0], some), tmp_path) == (("batch",), ("batch", 3))


@pytest.mark.parametrize("kernel", ["linear", "poly", "rbf", "sigmoid"])
@pytest.mark.parametrize("targets", [1, 2])
def test_a_ridge_of_kernels_has_a_column_for_each_target(kernel: str, targets: int, tmp_path: Path) -> None:
    values = np.stack([WINE[0][:, 0], WINE[1]], axis=1)[:, :targets]
    assert proved(scaled(KernelRidge(kernel=kernel, gamma=0.01)), (WINE[0], values), tmp_path) == (("batch", targets),)


def test_a_kernel_without_a_form_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match="KernelRidge: a kernel that has no ONNX form.*rbf.*found laplacian"):
        proved(KernelRidge(kernel="laplacian"), WINE, tmp_path)


def test_linear_discriminants_one_against_one_are_asked_for_their_scores(tmp_path: Path) -> None:
    assert proved(scaled(OneVsOneClassifier(LinearDiscriminantAnalysis())), WINE, tmp_path) == (("batch",),)


@pytest.mark.parametrize("targets", [1, 3])
def test_a_perceptron_has_a_column_for_each_target(targets: int, tmp_path: Path) -> None:
    data = WINE[0], WINE[0][:, 0] if targets == 1 else WINE[0][:, :targets]
    assert proved(scaled(MLPRegressor(hidden_layer_sizes=(5,), max_iter=20, random_state=0)), data, tmp_path) == (("batch", targets),)


def test_the_weighted_median_of_trees_behind_a_scaler_is_exact(tmp_path: Path) -> None:
    assert proved(scaled(AdaBoostRegressor(random_state=0)), load_diabetes(return_X_y=True), tmp_path) == (("batch", 1),)


@pytest.mark.parametrize("member", [DecisionTreeRegressor(random_state=0), LinearRegression()], ids=["trees", "lines"])
def test_a_bag_of_regressors_has_a_column_for_each_target(member: Any, tmp_path: Path) -> None:
    rows, target = load_diabetes(return_X_y=True)
    model = BaggingRegressor(member, 3, max_features=0.5, random_state=0)
    assert proved(scaled(model), (rows, np.column_stack([target, rows[:, 0]])), tmp_path) == (("batch", 2),)


def test_a_linear_one_class_machine_has_a_score_for_each_row(tmp_path: Path) -> None:
    assert proved(scaled(SGDOneClassSVM(random_state=0)), WINE, tmp_path) == (("batch",), ("batch", 1))


def test_a_row_on_the_limit_of_a_linear_one_class_machine_is_no_outlier(tmp_path: Path) -> None:
    model = SGDOneClassSVM().fit(WINE[0])
    model.coef_, model.offset_ = np.ones_like(model.coef_), np.zeros(1)
    joblib.dump(model, tmp_path / "m")
    source = load_model(tmp_path / "m", TRUST)
    zeros = {"features": np.zeros((2, WINE[0].shape[1]), np.float32)}
    outputs = run_session(open_session(convert_model(source).model, Settings(), where="m"), zeros)
    assert outputs["label"].tolist() == source.predict(zeros)["label"].tolist() == [1, 1]


@pytest.mark.parametrize(
    "model",
    [
        OneVsRestClassifier(LogisticRegression()),
        OneVsRestClassifier(make_pipeline(StandardScaler(), LogisticRegression())),
        OneVsRestClassifier(HistGradientBoostingClassifier(max_iter=5)),
        SGDClassifier(loss="log_loss", random_state=0),
        SGDClassifier(loss="modified_huber", random_state=0),
    ],
    ids=["lines", "lines behind scalers", "trees", "logistic descent", "huber's descent"],
)
@pytest.mark.parametrize("classes", [2, 3])
def test_far_away_where_all_probabilities_are_1_the_score_decides_the_label(model: Any, classes: int, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    rows = random.normal(size=(400, 4)).astype(np.float32)
    target = (rows[:, 0] > 0).astype(int) + ((rows[:, 1] > 0.5) if classes == 3 else 0)
    source = loaded(model.fit(rows, target), tmp_path)
    converted = convert_model(source)
    far = np.concatenate([rows * scale for scale in (1, 10, 100, 1000)])
    found = run_session(open_session(converted.model, Settings(), where="m"), {"features": far})
    assert (found["label"] == model.predict(far)).all()
    assert check_parity(source, converted, {"features": far}, seed=0) >= 7


@pytest.mark.parametrize("selector", [SelectKBest(k=1), VarianceThreshold(0.5)], ids=lambda value: type(value).__name__)
def test_a_first_feature_that_is_chosen_alone_keeps_its_values(selector: Any, tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(0, [1, 0.1, 0.1], (80, 3))
    labels = (rows[:, 0] > 0).astype(int)
    model = make_pipeline(selector, LogisticRegression()).fit(rows, labels)
    source = loaded(model, tmp_path)
    converted = convert_model(source)
    assert check_parity(source, converted, {"features": rows.astype(np.float32)}, seed=0) >= 2
    found = run_session(open_session(converted.model, Settings(), where="m"), {"features": rows.astype(np.float32)})
    assert np.allclose(found["probabilities"], model.predict_proba(rows), atol=1e-5)


def test_a_selector_that_chose_nothing_is_named(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(0, 1, (80, 3))
    selector = VarianceThreshold(0.5).fit(rows)
    selector.threshold = 1e9
    model = Pipeline([("choice", selector), ("final", LogisticRegression().fit(rows, rows[:, 0] > 0))])
    with pytest.raises(ConversionError, match="VarianceThreshold: a step chose none of its features"):
        convert_model(loaded(model, tmp_path))


def test_a_column_with_an_imputer_may_have_gaps_beside_one_without(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(0, 1, (80, 2))
    rows[::7, 0] = np.nan
    table = pd.DataFrame(rows, columns=["filled", "complete"])
    steps = make_column_transformer((SimpleImputer(), ["filled"]), remainder="passthrough")
    assert loaded(make_pipeline(steps, LogisticRegression()).fit(table, rows[:, 1] > 0), tmp_path).takes_nan
