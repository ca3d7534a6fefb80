"""What is wrapped around a model, or around a member of one, and changes nothing: it is packed as what it holds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import RandomForestClassifier, StackingClassifier, VotingClassifier
from sklearn.feature_selection import RFE, RFECV, SelectFromModel
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler
from sklearn.svm import LinearSVC

from sealift_packager.errors import SourceModelError
from sealift_packager.frameworks.converters import convert_model
from sealift_packager.parity.check import check_parity
from support.scikit import loaded

RANDOM = np.random.default_rng(0)
FEATURES = RANDOM.normal(size=(300, 6)) * [1, 2, 5, 0.1, 3, 1]
LABELS = (FEATURES[:, 0] + FEATURES[:, 1] ** 2 > 1).astype(int)
CLASSES = np.array(["no", "yes", "maybe"])[LABELS + (FEATURES[:, 2] > 4)]
FOREST = RandomForestClassifier(5, random_state=0)
#: Like the rows of training, then ten, a thousand and a million times as far away, nothing but zeros, and the smallest numbers.
FAR = np.concatenate([FEATURES[:60], FEATURES[:40] * 10, FEATURES[:40] * 1000, FEATURES[:20] * -1e6, np.zeros((1, 6)), np.full((1, 6), 1e-20)])


def lines() -> Any:
    return RFE(LogisticRegression(max_iter=3000), n_features_to_select=3)


def searched(model: Any) -> Any:
    return GridSearchCV(model, {}, cv=2)


MODELS: dict[str, Callable[[], Any]] = {
    "features chosen by lines": lambda: lines().fit(FEATURES, CLASSES),
    "features chosen by trees": lambda: RFE(FOREST, n_features_to_select=3).fit(FEATURES, LABELS),
    "features chosen for a regressor": lambda: RFE(Ridge(), n_features_to_select=2).fit(FEATURES, FEATURES[:, 0]),
    "features chosen by folds, behind a scaler": lambda: make_pipeline(StandardScaler(), RFECV(LinearSVC(), cv=3)).fit(FEATURES, CLASSES),
    "a search for chosen features": lambda: searched(make_pipeline(None, lines())).fit(FEATURES, LABELS),
    "chosen features in a vote": lambda: VotingClassifier([("a", lines()), ("b", searched(FOREST))], voting="soft").fit(FEATURES, LABELS),
    "chosen features in a stack": lambda: StackingClassifier([("a", lines()), ("b", FOREST)], cv=3).fit(FEATURES, CLASSES),
    "chosen features, calibrated": lambda: CalibratedClassifierCV(lines(), cv=3).fit(FEATURES, CLASSES),
    "chosen features, one against the rest": lambda: OneVsRestClassifier(lines()).fit(FEATURES, CLASSES),
    "rows by their largest size": lambda: make_pipeline(Normalizer("max"), LogisticRegression(max_iter=3000)).fit(FEATURES, LABELS),
    "rows by their length, before trees": lambda: make_pipeline(Normalizer("l2"), FOREST).fit(FEATURES, LABELS),
    "rows by their sum, before trees": lambda: make_pipeline(Normalizer("l1"), FOREST).fit(FEATURES, CLASSES),
}


@pytest.mark.parametrize("name", MODELS)
def test_it_answers_like_its_source_far_from_the_data_too(name: str, tmp_path: Path) -> None:
    source = loaded(MODELS[name](), tmp_path)
    assert check_parity(source, convert_model(source), {"features": FAR.astype(np.float32)}, seed=0) >= 7


def test_a_model_that_was_frozen_is_calibrated_as_it_is(tmp_path: Path) -> None:
    frozen = pytest.importorskip("sklearn.frozen", reason="this scikit-learn has no FrozenEstimator").FrozenEstimator
    model = CalibratedClassifierCV(frozen(make_pipeline(StandardScaler(), FOREST).fit(FEATURES, CLASSES))).fit(FEATURES, CLASSES)
    source = loaded(model, tmp_path)
    assert check_parity(source, convert_model(source), {"features": FAR.astype(np.float32)}, seed=0) >= 7


def test_a_pipeline_that_ends_in_a_choice_of_features_is_no_model_and_its_last_step_is_named(tmp_path: Path) -> None:
    model = make_pipeline(StandardScaler(), SelectFromModel(LogisticRegression(max_iter=3000))).fit(FEATURES, LABELS)
    with pytest.raises(SourceModelError, match="not a model: .*found .*Pipeline that ends in SelectFromModel"):
        loaded(model, tmp_path)
