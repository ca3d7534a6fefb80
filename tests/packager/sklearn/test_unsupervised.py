"""Clusterings and outlier detectors: exact, on the limit too, and packed with no truth to be judged by."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import DBSCAN, KMeans, MiniBatchKMeans
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import IsolationForest
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

import sealift_packager
from sealift_packager.errors import DataError, SourceModelError
from sealift_packager.frameworks.converters import convert_model
from sealift_packager.frameworks.loaders import load_model
from sealift_packager.graph.session import Settings, open_session, run_session
from sealift_packager.model.source import SourceModel
from sealift_packager.parity.check import check_parity
from support.ensembles import TRUST, assert_exact

ROWS = load_breast_cancer().data.astype(np.float32)
PROFILE = "x86-64-avx2"


def loaded(model: Any, folder: Path) -> SourceModel:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        joblib.dump(model.fit(ROWS), folder / "m")
        return load_model(folder / "m", TRUST)


MODELS: dict[str, tuple[Callable[[], Any], tuple[str, ...]]] = {
    "k-means behind a scaler": (lambda: make_pipeline(StandardScaler(), KMeans(4, random_state=0)), ("label", "distances")),
    "k-means of batches": (lambda: MiniBatchKMeans(4, random_state=0), ("label", "distances")),
    "a mixture": (lambda: GaussianMixture(2, random_state=0), ("label", "probabilities")),
    "a one-class machine": (lambda: make_pipeline(StandardScaler(), OneClassSVM(nu=0.1)), ("label", "scores")),
    "local outliers": (lambda: LocalOutlierFactor(novelty=True), ("label", "scores")),
    "an isolation forest behind a scaler": (
        lambda: make_pipeline(StandardScaler(), IsolationForest(n_estimators=20, random_state=0)),
        ("label", "scores"),
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_what_was_fitted_without_a_target_answers_like_its_source(name: str, tmp_path: Path) -> None:
    make, outputs = MODELS[name]
    source = loaded(make(), tmp_path)
    assert source.unsupervised
    assert source.outputs == outputs
    converted = convert_model(source)
    assert check_parity(source, converted, {"features": ROWS}, seed=0) >= 7
    assert tuple(spec.shape[0] for spec in converted.outputs) == ("batch", "batch")


@pytest.mark.parametrize("options", [{}, {"max_features": 0.5}, {"contamination": 0.1, "max_samples": 64}], ids=str)
def test_isolation_forests_are_exact_on_both_sides_of_every_threshold(options: dict[str, Any], tmp_path: Path) -> None:
    assert_exact(loaded(IsolationForest(n_estimators=20, random_state=0, **options), tmp_path), ROWS)


def test_a_row_on_the_limit_of_contamination_is_no_outlier(tmp_path: Path) -> None:
    model = IsolationForest(n_estimators=50, random_state=0, contamination=0.5).fit(ROWS[:101])
    on_the_limit = model.decision_function(ROWS[:101]) == 0
    assert on_the_limit.any()
    joblib.dump(model, tmp_path / "m")
    source = load_model(tmp_path / "m", TRUST)
    session = open_session(convert_model(source).model, Settings(), where="m")
    assert (run_session(session, {"features": ROWS[:101]})["label"] == model.predict(ROWS[:101])).all()


def test_the_distance_to_a_center_itself_is_a_number(tmp_path: Path) -> None:
    source = loaded(KMeans(3, random_state=0), tmp_path)
    centers = {"features": source.native.cluster_centers_.astype(np.float32)}
    outputs = run_session(open_session(convert_model(source).model, Settings(), where="m"), centers)
    assert np.isfinite(outputs["distances"]).all()
    assert outputs["label"].tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    "model", [KMeans(3, random_state=0), IsolationForest(n_estimators=10, random_state=0)], ids=lambda value: type(value).__name__
)
def test_without_a_target_the_model_is_held_against_its_source(model: Any, tmp_path: Path) -> None:
    packed = sealift_packager.pack(model.fit(ROWS[:400]), name="m", data={"features": ROWS[400:]}, profile=PROFILE, out=tmp_path / "out")
    loss = packed.manifests[PROFILE].evaluation.candidates[0].accuracy
    assert loss is not None
    assert (loss.metric, loss.reference, loss.packaged) == ("agreement", 1.0, 1.0)


def test_with_a_target_it_is_held_against_that(tmp_path: Path) -> None:
    target = np.where(load_breast_cancer().target[400:] == 1, 1, -1)
    model = IsolationForest(n_estimators=10, random_state=0).fit(ROWS[:400])
    packed = sealift_packager.pack(model, name="m", data=(ROWS[400:], target), profile=PROFILE, out=tmp_path / "out")
    loss = packed.manifests[PROFILE].evaluation.candidates[0].accuracy
    assert loss is not None
    assert loss.metric == "accuracy"
    assert loss.reference < 1


def test_a_classifier_still_needs_its_target(tmp_path: Path) -> None:
    from sklearn.linear_model import LogisticRegression

    table = pd.DataFrame({"a": np.arange(40.0), "b": np.arange(40.0)[::-1]})
    with pytest.raises(DataError, match="no such target"):
        sealift_packager.pack(LogisticRegression().fit(table, [0, 1] * 20), name="m", data=table, profile=PROFILE, out=tmp_path / "out")


@pytest.mark.parametrize("model", [DBSCAN(), LocalOutlierFactor(), StandardScaler()], ids=lambda value: type(value).__name__)
def test_what_can_t_predict_new_rows_is_refused_and_told_so(model: Any, tmp_path: Path) -> None:
    with pytest.raises(SourceModelError, match="Models that don't predict new rows"):
        loaded(model, tmp_path)
