"""Probabilities that are small for each class and divided by their sum: their digits count then, which onnxruntime's Sigmoid doesn't have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sklearn
from packaging.version import Version
from sklearn.ensemble import VotingClassifier
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR

from sealift_packager.frameworks.converters import convert_model
from sealift_packager.graph.session import Settings, open_session, run_session
from support.scikit import loaded

RANDOM = np.random.default_rng(0)
ROWS = RANDOM.normal(size=(200, 4)).astype(np.float32)
LABELS = np.argmax(ROWS[:, :3] + 0.3 * RANDOM.normal(size=(200, 3)), axis=1)


def against_rest() -> Any:
    return OneVsRestClassifier(LogisticRegression(C=100))


MODELS: dict[str, Any] = {
    "logistic": against_rest(),
    "scaled": OneVsRestClassifier(make_pipeline(StandardScaler(), LogisticRegression())),
    "descent": SGDClassifier(loss="log_loss", random_state=0),
    "descents": OneVsRestClassifier(SGDClassifier(loss="log_loss", random_state=0)),
    "vote": VotingClassifier([("a", against_rest()), ("b", against_rest())], voting="soft"),
}
if Version(sklearn.__version__) < Version("1.8"):  # newer ones have one model of all classes
    MODELS["one-against-rest"] = LogisticRegression(multi_class="ovr")
    MODELS["liblinear"] = LogisticRegression(solver="liblinear")


def lowered(model: Any, by: float) -> Any:
    """A fitted model with lower scores for every class, as one has where each class is rare."""
    for part in getattr(model, "estimators_", None) or [model]:
        for member in getattr(part, "estimators_", None) or [part]:
            final = member.steps[-1][1] if hasattr(member, "steps") else member
            final.intercept_ = np.asarray(final.intercept_) - by
    return model


@pytest.mark.filterwarnings("ignore:.*multi_class", "ignore:.*liblinear", "ignore:invalid value")
@pytest.mark.parametrize("by", [0, 12, 30, 60, 900])
@pytest.mark.parametrize("name", MODELS)
def test_small_probabilities_have_their_digits_when_they_are_divided_by_their_sum(name: str, by: float, tmp_path: Path) -> None:
    model = lowered(MODELS[name].fit(ROWS, LABELS), by)
    session = open_session(convert_model(loaded(model, tmp_path)).model, Settings(), where="model")
    answer = run_session(session, {"features": ROWS})
    np.testing.assert_allclose(answer["probabilities"], model.predict_proba(ROWS.astype(np.float64)), atol=1e-5)
    np.testing.assert_array_equal(answer["label"], model.predict(ROWS.astype(np.float64)))


def test_a_regression_without_support_vectors_is_one_number(tmp_path: Path) -> None:
    model = SVR(epsilon=100).fit(ROWS, ROWS[:, 0])
    assert not model.support_vectors_.size
    session = open_session(convert_model(loaded(model, tmp_path)).model, Settings(), where="model")
    np.testing.assert_allclose(run_session(session, {"features": ROWS})["prediction"].ravel(), model.predict(ROWS), rtol=1e-6)
