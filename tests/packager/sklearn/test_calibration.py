"""Calibrated classifiers give scikit-learn's probabilities between the points that they were fitted on, far from them, and with ties."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression, RidgeClassifier, SGDClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier

from sealift_packager.frameworks.converters import convert_model
from sealift_packager.graph.session import Settings, open_session, run_session
from sealift_packager.parity.check import check_parity
from sealift_packager.parity.compare import compare
from support.scikit import loaded
from support.versions import since

RANDOM: Final = np.random.default_rng(0)
ROWS: Final = RANDOM.normal(size=(500, 4)).astype(np.float32)
BINARY: Final = (ROWS[:, 0] + 0.5 * RANDOM.normal(size=500) > 0).astype(int)
THREE: Final = BINARY + (ROWS[:, 1] + 0.5 * RANDOM.normal(size=500) > 0.5)

ESTIMATORS: Final[dict[str, Any]] = {
    "a line": LogisticRegression(),
    "a line of scores": LinearSVC(),
    "a line behind a scaler": make_pipeline(StandardScaler(), LogisticRegression()),
    "ridge": RidgeClassifier(),
    "gradient descent": SGDClassifier(random_state=0),
    "bayes": GaussianNB(),
    "a forest": RandomForestClassifier(20, random_state=0),
    "a tree": DecisionTreeClassifier(max_depth=4),
    "boosting": HistGradientBoostingClassifier(max_iter=10),
    "support vectors": SVC(),
}


def assert_alike(model: Any, folder: Path) -> None:
    source = loaded(model, folder)
    converted = convert_model(source)
    assert check_parity(source, converted, {"features": ROWS}, seed=0) >= 7
    session = open_session(converted.model, Settings(), where="m")
    far = np.concatenate([RANDOM.normal(size=(4000, 4)), 50 * RANDOM.normal(size=(500, 4))]).astype(np.float32)
    assert not compare(source.predict({"features": far}), run_session(session, {"features": far}))


@pytest.mark.parametrize("target", [BINARY, THREE, np.array(["a", "b", "c"])[THREE]], ids=["two", "three", "text"])
@pytest.mark.parametrize("name", ESTIMATORS)
def test_isotonic_steps_are_joined_by_lines(name: str, target: Any, tmp_path: Path) -> None:
    assert_alike(CalibratedClassifierCV(ESTIMATORS[name], method="isotonic", cv=3).fit(ROWS, target), tmp_path)


@pytest.mark.parametrize("name", ["a line", "a line of scores", "a forest", "bayes"])
@pytest.mark.parametrize("target", [BINARY, THREE], ids=["two", "three"])
@since("scikit-learn", "1.8", "calibrate by a temperature")
def test_a_temperature_softens_probabilities(name: str, target: Any, tmp_path: Path) -> None:
    assert_alike(CalibratedClassifierCV(ESTIMATORS[name], method="temperature", cv=3).fit(ROWS, target), tmp_path)


def test_one_calibrator_that_knows_a_single_value_gives_it_everywhere(tmp_path: Path) -> None:
    model = CalibratedClassifierCV(DecisionTreeClassifier(max_depth=1), method="isotonic", cv=2).fit(ROWS, BINARY)
    assert_alike(model, tmp_path)
