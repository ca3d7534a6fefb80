"""Classifiers of lines that have scores alone, on columns whose digits need float64."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from sklearn.ensemble import StackingClassifier
from sklearn.linear_model import PassiveAggressiveClassifier, Perceptron, RidgeClassifier, RidgeClassifierCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.svm import LinearSVC

from sealift_packager.frameworks.converters import convert_model
from sealift_packager.graph.session import Settings, open_session, run_session
from sealift_packager.parity.check import check_parity
from support.scikit import loaded

ROWS: Final = np.random.default_rng(0).normal(size=(120, 3)) + np.array([1e9, 0, 0])
MODELS: Final[dict[str, Any]] = {
    "ridge": RidgeClassifier,
    "ridge without an intercept": lambda: RidgeClassifierCV(fit_intercept=False),
    "ridge in a pipeline": lambda: make_pipeline(MinMaxScaler(), RidgeClassifier()),
    "ridge for each class": lambda: OneVsRestClassifier(RidgeClassifier()),
    "a stack": lambda: StackingClassifier([("ridge", RidgeClassifier()), ("machine", LinearSVC())], cv=2),
    "a perceptron": lambda: Perceptron(random_state=0),
    "a passive one": lambda: PassiveAggressiveClassifier(random_state=0),
}


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("labels", [("no", "yes"), (0, 5, 7)], ids=["two", "three"])
def test_labels_are_the_models_own(name: str, labels: tuple[Any, ...], tmp_path: Path) -> None:
    target = np.array(labels)[np.digitize(ROWS[:, 0] - 1e9 + ROWS[:, 1], [0, 0.7][: len(labels) - 1])]
    source = loaded(MODELS[name]().fit(ROWS, target), tmp_path)
    assert source.digits is not None
    wide = source.digits.widen(frozenset((0,)))
    converted = convert_model(wide)
    assert check_parity(wide, converted, {"features": ROWS}, seed=0) >= 3
    found = run_session(open_session(converted.model, Settings(), where="test"), {"features": ROWS})["label"]
    assert found.tolist() == wide.native.predict(ROWS).tolist()
