"""Models of imbalanced-learn: its samplers change the rows of a training alone, so a graph has nothing of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sealift_packager.frameworks.converters import convert_model
from sealift_packager.parity.check import check_parity
from support.scikit import loaded

pytest.importorskip("imblearn", reason="imbalanced-learn is not installed")
from imblearn import ensemble
from imblearn.over_sampling import SMOTE, RandomOverSampler
from imblearn.pipeline import Pipeline as Resampling
from imblearn.pipeline import make_pipeline as make_resampling

RANDOM = np.random.default_rng(0)
ROWS = RANDOM.normal(size=(300, 4))
FAR = np.concatenate([ROWS[:100], ROWS[:50] * 10, ROWS[:50] * -1000]).astype(np.float32)
CLASSES = np.array(["no", "yes", "maybe"])[(ROWS[:, 0] > 0.5).astype(int) + (ROWS[:, 1] > 0.7)]
TABLE = pd.DataFrame(ROWS[:, :2], columns=["a", "b"]).assign(word=np.array(["x", "y"])[(ROWS[:, 2] > 0).astype(int)])
LINES, FOREST = LogisticRegression(), RandomForestClassifier(5, random_state=0)
MORE = SMOTE(random_state=0)


def coded() -> Any:
    return make_column_transformer((StandardScaler(), ["a", "b"]), (OneHotEncoder(), ["word"]))


OF_NUMBERS: dict[str, Callable[[], Any]] = {
    "a pipeline": lambda: make_resampling(StandardScaler(), MORE, FOREST),
    "a sampler first": lambda: make_resampling(MORE, StandardScaler(), LINES),
    "a sampler alone before the model": lambda: Resampling([("p", "passthrough"), ("s", MORE), ("m", LINES)]),
    "a pipeline in one of scikit-learn": lambda: make_pipeline(StandardScaler(), make_resampling(MORE, LINES)),
    "a forest": lambda: ensemble.BalancedRandomForestClassifier(5, random_state=0, sampling_strategy="all", replacement=True, bootstrap=False),
    "bags of pipelines": lambda: ensemble.BalancedBaggingClassifier(make_pipeline(StandardScaler(), LINES), 3, max_features=3, random_state=0),
    "boosted trees": lambda: ensemble.RUSBoostClassifier(n_estimators=3, random_state=0),
    "a few boosted stumps": lambda: ensemble.EasyEnsembleClassifier(2, estimator=FOREST, random_state=0),
}
OF_TABLES: dict[str, Callable[[], Any]] = {
    "a pipeline": lambda: make_resampling(coded(), MORE, LINES),
    "a sampler first": lambda: make_resampling(RandomOverSampler(random_state=0), coded(), LINES),
    "a search": lambda: GridSearchCV(make_resampling(coded(), MORE, LINES), {"logisticregression__C": [1, 2]}, cv=2),
    "calibrated": lambda: CalibratedClassifierCV(make_resampling(coded(), MORE, LINES), cv=2),
    "a vote": lambda: VotingClassifier([("a", make_resampling(coded(), MORE, LINES)), ("b", make_pipeline(coded(), FOREST))], voting="soft"),
}


@pytest.mark.parametrize("name", OF_NUMBERS)
def test_its_models_answer_like_their_source_far_from_the_data_too(name: str, tmp_path: Path) -> None:
    source = loaded(OF_NUMBERS[name]().fit(ROWS, CLASSES), tmp_path)
    assert check_parity(source, convert_model(source), {"features": FAR}, seed=0) >= 7


@pytest.mark.parametrize("name", OF_TABLES)
def test_its_models_of_tables_pack_without_data(name: str, tmp_path: Path) -> None:
    source = loaded(OF_TABLES[name]().fit(TABLE, CLASSES), tmp_path)
    assert [spec.name for spec in source.inputs] == ["a", "b", "word"]
    assert check_parity(source, convert_model(source), None, seed=0) >= 7


def test_what_is_left_of_a_pipeline_is_one_of_scikit_learn(tmp_path: Path) -> None:
    source = loaded(make_resampling(StandardScaler(), MORE, LINES).fit(ROWS, CLASSES), tmp_path)
    assert type(source.native) is Pipeline
    assert [name for name, _ in source.native.steps] == ["standardscaler", "logisticregression"]
