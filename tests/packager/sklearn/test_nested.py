"""Models within models, and what is wrapped around them: exact, or refused with what to do instead."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pytest
import xgboost
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import (
    BaggingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.kernel_approximation import PolynomialCountSketch
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier, MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, KBinsDiscretizer, MinMaxScaler, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from sealift_packager.errors import ConversionError, SourceModelError
from sealift_packager.frameworks.converters import convert_model
from sealift_packager.parity.check import check_parity
from support.scikit import loaded

ROWS = 300
RANDOM = np.random.default_rng(0)
HIST = HistGradientBoostingClassifier(max_iter=10)
FOREST = RandomForestClassifier(5, random_state=0)
FEATURES = RANDOM.normal(size=(ROWS, 6))
LABELS = (FEATURES[:, 0] + FEATURES[:, 1] ** 2 > 1).astype(int)
CLASSES = LABELS + (FEATURES[:, 2] > 0.5)
VALUES = FEATURES[:, 0] * 2 + FEATURES[:, 1]
MEMBERS = [("linear", LogisticRegression()), ("forest", FOREST), ("hist", HIST)]
NESTED: dict[str, Callable[[], Any]] = {
    "calibrated, sigmoid over scores": lambda: CalibratedClassifierCV(HIST, cv=3).fit(FEATURES, LABELS),
    "calibrated, isotonic over a forest": lambda: CalibratedClassifierCV(FOREST, method="isotonic", cv=3).fit(FEATURES, LABELS),
    "a soft vote": lambda: VotingClassifier(MEMBERS, voting="soft").fit(FEATURES, LABELS),
    "a hard vote": lambda: VotingClassifier(MEMBERS).fit(FEATURES, LABELS),
    "a vote of regressors": lambda: VotingRegressor([("a", RandomForestRegressor(5, random_state=0)), ("b", Ridge())]).fit(FEATURES, VALUES),
    "stacked classifiers": lambda: StackingClassifier([("a", FOREST), ("b", HIST)], cv=3).fit(FEATURES, LABELS),
    "stacked regressors": lambda: StackingRegressor(
        [("a", RandomForestRegressor(5, random_state=0)), ("b", HistGradientBoostingRegressor(max_iter=5))], cv=3
    ).fit(FEATURES, VALUES),
    "one against the rest, linear": lambda: OneVsRestClassifier(LogisticRegression()).fit(FEATURES, CLASSES),
    "one against the rest, trees": lambda: OneVsRestClassifier(HIST).fit(FEATURES, CLASSES),
    "several targets, trees": lambda: MultiOutputRegressor(HistGradientBoostingRegressor(max_iter=5)).fit(FEATURES, FEATURES[:, :2]),
    "bagged trees": lambda: BaggingClassifier(DecisionTreeClassifier(max_depth=4), 5, random_state=0).fit(FEATURES, LABELS),
}


@pytest.mark.parametrize("name", NESTED)
def test_models_within_models_are_exact_and_each_tree_in_them_is_proved(name: str, tmp_path: Path) -> None:
    source = loaded(NESTED[name](), tmp_path)
    assert check_parity(source, convert_model(source), {"features": FEATURES.astype(np.float32)}, seed=0) >= 7
    assert bool(source.inner) == ("linear" not in name)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (GridSearchCV(Ridge(), {"alpha": [0.1, 1]}, refit=False).fit(FEATURES, VALUES), "Fit it with refit=True"),
        (OneVsRestClassifier(LogisticRegression()).fit(FEATURES, FEATURES[:, :2] > 0), "Pack one classifier per target"),
        (MultiOutputClassifier(LogisticRegression()).fit(FEATURES, FEATURES[:, :2] > 0), "Pack one classifier per target"),
    ],
    ids=["a search that kept nothing", "any number of labels", "a classifier of several targets"],
)
def test_what_does_not_pack_says_what_to_do_instead(model: Any, words: str, tmp_path: Path) -> None:
    with pytest.raises(SourceModelError) as caught:
        loaded(model, tmp_path)
    assert words in str(caught.value)


BINS = KBinsDiscretizer(encode="ordinal", strategy="uniform")
LOG = {"func": np.log1p, "inverse_func": np.expm1}
POSITIVE = np.exp(VALUES / 4)
WRAPPED: dict[str, Callable[[], Any]] = {
    "a target on a log scale": lambda: TransformedTargetRegressor(Ridge(), **LOG).fit(FEATURES, POSITIVE),
    "a forest's target on a log scale": lambda: TransformedTargetRegressor(RandomForestRegressor(5, random_state=0), **LOG).fit(FEATURES, POSITIVE),
    "a scaled target": lambda: TransformedTargetRegressor(make_pipeline(StandardScaler(), Ridge()), transformer=MinMaxScaler()).fit(FEATURES, VALUES),
    "two scaled targets": lambda: TransformedTargetRegressor(Ridge(), transformer=StandardScaler()).fit(FEATURES, FEATURES[:, :2]),
    "rows on another scale": lambda: make_pipeline(FunctionTransformer(np.square), Ridge()).fit(FEATURES, VALUES),
    "a search": lambda: GridSearchCV(make_pipeline(StandardScaler(), LogisticRegression()), {"logisticregression__C": [0.1, 1]}).fit(
        FEATURES, LABELS
    ),
    "a search for trees": lambda: RandomizedSearchCV(FOREST, {"max_depth": [2, 3]}, n_iter=2).fit(FEATURES, LABELS),
    "a search behind a scaler": lambda: make_pipeline(StandardScaler(), RandomizedSearchCV(Ridge(), {"alpha": [1, 2]}, n_iter=2)).fit(
        FEATURES, VALUES
    ),
    "a search around a target": lambda: GridSearchCV(TransformedTargetRegressor(Ridge(), **LOG), {"regressor__alpha": [1]}).fit(FEATURES, POSITIVE),
    "bins": lambda: make_pipeline(KBinsDiscretizer(strategy="uniform"), Ridge()).fit(FEATURES, VALUES),
    "bins by number behind a scaler": lambda: make_pipeline(StandardScaler(), BINS, FOREST).fit(FEATURES, LABELS),
    "one against one": lambda: OneVsOneClassifier(LogisticRegression()).fit(FEATURES, CLASSES),
}


@pytest.mark.parametrize("name", WRAPPED)
def test_what_is_wrapped_around_a_model_goes_or_is_computed_too(name: str, tmp_path: Path) -> None:
    source = loaded(WRAPPED[name](), tmp_path)
    assert check_parity(source, convert_model(source), {"features": FEATURES.astype(np.float32)}, seed=0) >= 7


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (TransformedTargetRegressor(Ridge(), func=np.log, inverse_func=np.arctan, check_inverse=False), "inverse_func: .*found arctan"),
        (TransformedTargetRegressor(Ridge(), transformer=BINS, check_inverse=False), "transformer: .*Scaler.*found KBinsDiscretizer"),
        (make_pipeline(FunctionTransformer(np.nan_to_num), Ridge()), "FunctionTransformer: func: .*found nan_to_num"),
        (make_pipeline(PolynomialCountSketch(), Ridge()), "Pipeline: PolynomialCountSketch has no ONNX form"),
    ],
    ids=["the inverse transformation of the target", "a transformer of the target", "a function", "a step"],
)
def test_a_step_without_an_onnx_form_is_named(model: Any, words: str, tmp_path: Path) -> None:
    source = loaded(model.fit(FEATURES, POSITIVE), tmp_path)
    with pytest.raises(ConversionError, match=words):
        convert_model(source)


@pytest.mark.parametrize(
    "booster",
    [xgboost.XGBClassifier(n_estimators=3), lightgbm.LGBMClassifier(n_estimators=3, verbose=-1)],
    ids=lambda booster: type(booster).__name__,
)
def test_a_booster_that_a_search_found_is_proved_as_one_that_was_given(booster: Any, tmp_path: Path) -> None:
    source = loaded(GridSearchCV(booster, {"max_depth": [2, 3]}, cv=2).fit(FEATURES, LABELS), tmp_path)
    assert source.format == loaded(booster.fit(FEATURES, LABELS), tmp_path).format != "scikit-learn"
    assert source.trees is not None
    assert check_parity(source, convert_model(source), {source.inputs[0].name: FEATURES.astype(np.float32)}, seed=0) >= 7


@pytest.mark.parametrize("steps", [("passthrough",), ("passthrough", StandardScaler()), (None,)], ids=["alone", "before a scaler", "None"])
def test_a_pipeline_may_begin_with_a_step_that_passes_rows_on(steps: Any, tmp_path: Path) -> None:
    source = loaded(make_pipeline(*steps, LogisticRegression()).fit(FEATURES, LABELS), tmp_path)
    assert check_parity(source, convert_model(source), {"features": FEATURES.astype(np.float32)}, seed=0) >= 7
