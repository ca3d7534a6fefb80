"""Columns of text that encoders deep within a model know, without any data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from support.scikit import loaded

TABLE = pd.DataFrame({"a": np.arange(60) % 7 - 3.0, "f": np.array(["x", "y", "z"])[np.arange(60) % 3]})
LABELS = (TABLE["a"] > 0).astype(int).to_numpy()
WORDS = ("t", OneHotEncoder(), ["f"])


def member() -> Any:
    return make_pipeline(ColumnTransformer([("n", StandardScaler(), ["a"]), WORDS]), LogisticRegression())


MODELS: dict[str, Callable[[], Any]] = {
    "a calibration": lambda: CalibratedClassifierCV(member(), cv=3),
    "one against the rest": lambda: OneVsRestClassifier(member()),
    "a stack": lambda: StackingClassifier([("a", member()), ("b", member())], cv=3),
    "a vote": lambda: VotingClassifier([("a", member()), ("b", "drop")], voting="soft"),
    "a union": lambda: make_pipeline(FeatureUnion([("a", ColumnTransformer([WORDS])), ("d", "drop")]), LogisticRegression()),
}


@pytest.mark.parametrize("name", MODELS)
def test_text_within_a_model_is_an_input_of_text_without_data_too(name: str, tmp_path: Path) -> None:
    source = loaded(MODELS[name]().fit(TABLE, LABELS), tmp_path)
    assert [(spec.name, spec.dtype) for spec in source.inputs] == [("a", "float32"), ("f", "string")]
