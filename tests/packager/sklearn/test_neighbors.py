"""k nearest neighbours: as scikit-learn weighs and finds them, on training rows and where two are equally far."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn import model_selection
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.datasets import load_digits, load_iris, load_wine
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.multioutput import MultiOutputRegressor, RegressorChain
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor, RadiusNeighborsClassifier, RadiusNeighborsRegressor
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import sealift_packager
from sealift_packager.errors import ConversionError
from sealift_packager.frameworks.converters import convert_model
from sealift_packager.graph.session import Settings, open_session, run_session
from sealift_packager.model.source import Array
from sealift_packager.parity.check import check_parity
from support.scikit import loaded

WINE, IRIS = load_wine(return_X_y=True), load_iris(return_X_y=True)
WEIGHTS = ("uniform", "distance")
METRICS: tuple[dict[str, Any], ...] = ({"p": 1}, {"p": 2}, {"p": 3}, {"metric": "chebyshev"}, {"metric": "sqeuclidean"}, {"metric": "cosine"})


def proved(model: Any, rows: Array, folder: Path) -> int:
    source = loaded(model, folder)
    return check_parity(source, convert_model(source), {"features": rows.astype(np.float32)}, seed=0)


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("metric", METRICS, ids=str)
def test_classifiers_answer_like_their_source_on_new_rows_and_on_those_that_they_were_fitted_on(
    metric: dict[str, Any], weights: str, tmp_path: Path
) -> None:
    rows = WINE[0].astype(np.float32)
    names = np.array(["barolo", "grignolino", "barbera"])[WINE[1]]
    model = make_pipeline(StandardScaler(), KNeighborsClassifier(weights=weights, **metric)).fit(rows[::2], names[::2])
    assert proved(model, rows, tmp_path) >= 7


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("targets", [1, 3])
def test_regressors_answer_like_their_source_for_each_target(targets: int, weights: str, tmp_path: Path) -> None:
    rows = WINE[0].astype(np.float32)
    target = rows[:, 0] if targets == 1 else rows[:, :targets] * 3
    assert proved(KNeighborsRegressor(3, weights=weights).fit(rows[::2], target[::2]), rows, tmp_path) >= 7


def test_rows_far_from_zero_have_their_neighbours_still(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    rows = (1e6 + random.normal(size=(200, 20))).astype(np.float32)
    assert proved(KNeighborsRegressor(weights="distance").fit(rows[:150], rows[:150, 0]), rows[150:], tmp_path) >= 7


def test_sparse_training_rows_are_written_out(tmp_path: Path) -> None:
    rows = load_digits().data[:300, 10:13].astype(np.float32)
    sparse = OneHotEncoder(categories=[range(17)] * rows.shape[1])
    model = make_pipeline(sparse, KNeighborsClassifier(weights="distance")).fit(rows[:200], load_digits().target[:200])
    assert proved(model, rows[200:], tmp_path) >= 3


def test_a_vote_with_neighbours_answers_like_its_source(tmp_path: Path) -> None:
    parts = [("near", KNeighborsClassifier(weights="distance")), ("line", LogisticRegression(max_iter=200))]
    model = make_pipeline(StandardScaler(), VotingClassifier(parts, voting="soft")).fit(*WINE)
    assert proved(model, WINE[0], tmp_path) >= 7


@pytest.mark.parametrize("outlier", ["barolo", "none"])
@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("metric", [{}, {"p": 1}, {"metric": "cosine"}], ids=str)
def test_classifiers_by_a_radius_have_outliers_too(metric: dict[str, Any], weights: str, outlier: str, tmp_path: Path) -> None:
    rows = WINE[0].astype(np.float32)
    names = np.array(["barolo", "grignolino", "barbera"])[WINE[1]]
    radius = 0.1 if "metric" in metric else 2.0
    model = make_pipeline(StandardScaler(), RadiusNeighborsClassifier(radius, weights=weights, outlier_label=outlier, **metric))
    assert proved(model.fit(rows[::2], names[::2]), rows, tmp_path) >= 7
    labels = loaded(model, tmp_path).predict({"features": rows})["label"]
    assert outlier in labels
    assert "barbera" in labels


@pytest.mark.parametrize("weights", WEIGHTS)
def test_regressors_by_a_radius_have_no_number_where_nobody_is_near(weights: str, tmp_path: Path) -> None:
    rows = WINE[0].astype(np.float32)
    model = make_pipeline(StandardScaler(), RadiusNeighborsRegressor(2.0, weights=weights)).fit(rows[::2], rows[::2, :2])
    assert proved(model, rows, tmp_path) >= 7
    assert np.isnan(loaded(model, tmp_path).predict({"features": rows})["prediction"]).any()


def test_a_classifier_that_refuses_rows_without_neighbours_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match="RadiusNeighborsClassifier: rows without neighbours have no label.*outlier_label"):
        convert_model(loaded(RadiusNeighborsClassifier(100.0).fit(*WINE), tmp_path))


def test_a_neighbour_on_the_radius_is_one_by_chance(tmp_path: Path) -> None:
    source = loaded(RadiusNeighborsRegressor(1.0).fit([[0.0], [9.0]], [1.0, 2.0]), tmp_path)
    assert source.arbitrary is not None
    assert source.arbitrary({"features": np.array([[1.0], [0.9], [10.0], [4.0]], np.float32)}).tolist() == [True, False, True, False]


def test_rows_with_equally_far_neighbours_prove_nothing_and_refuse_nothing(tmp_path: Path) -> None:
    rows = np.array([[0.0], [1.0], [2.0], [3.0]], np.float32)
    source = loaded(KNeighborsClassifier(1).fit(rows, [0, 1, 0, 1]), tmp_path)
    assert source.arbitrary is not None
    assert source.arbitrary({"features": np.array([[0.1], [0.5], [2.9], [1.5]], np.float32)}).tolist() == [False, True, False, True]
    converted = convert_model(source)
    assert check_parity(source, converted, {"features": np.full((9, 1), 2.5, np.float32)}, seed=0) < check_parity(source, converted, None, seed=0)


#: Neighbours on a grid, whose cells' edges are equally far from two.
GRID = np.array([[x, y] for x in range(6) for y in range(2)], np.float64)
NEAREST = KNeighborsClassifier(1, metric="manhattan")
INNER: dict[str, Any] = {
    "a stack": StackingClassifier([("near", NEAREST)], cv=2, passthrough=True),
    "the last model of a stack": StackingClassifier([("same", DummyClassifier())], KNeighborsClassifier(2), cv=2),
    "a vote": VotingClassifier([("near", NEAREST), ("line", LogisticRegression())], voting="soft"),
    "a vote without one": VotingClassifier([("near", NEAREST), ("none", "drop")]),
    "one against the rest": OneVsRestClassifier(NEAREST),
    "one against one": OneVsOneClassifier(NEAREST),
    "a calibration": CalibratedClassifierCV(NEAREST, cv=2),
    "a bag of columns": BaggingClassifier(NEAREST, 3, max_features=1, bootstrap=False, random_state=0),
    "a target that is scaled": TransformedTargetRegressor(KNeighborsRegressor(1, metric="manhattan"), transformer=StandardScaler()),
    "several targets": MultiOutputRegressor(KNeighborsRegressor(1, metric="manhattan")),
    "a chain": RegressorChain(KNeighborsRegressor(1, metric="manhattan")),
    "behind a scaler within a vote": VotingClassifier([("near", make_pipeline(StandardScaler(), NEAREST))]),
    "columns that are filled": make_pipeline(
        make_column_transformer((make_pipeline(KNNImputer(n_neighbors=1), StandardScaler()), [0, 1])), LogisticRegression()
    ),
    "a union": make_pipeline(make_union(KNNImputer(n_neighbors=1), StandardScaler()), SimpleImputer(), LogisticRegression()),
}

if hasattr(model_selection, "FixedThresholdClassifier"):  # since scikit-learn 1.5
    INNER["a threshold"] = model_selection.FixedThresholdClassifier(NEAREST, threshold=0.3)


@pytest.mark.parametrize("name", INNER)
def test_neighbours_that_are_equally_far_are_seen_wherever_in_a_model_they_stand(name: str, tmp_path: Path) -> None:
    several = isinstance(INNER[name], MultiOutputRegressor | RegressorChain)
    source = loaded(clone(INNER[name]).fit(GRID, GRID if several else (GRID[:, 0] % 2).astype(int)), tmp_path)
    assert source.arbitrary is not None
    filled = name in ("columns that are filled", "a union")
    between, beside = ([2.5, np.nan], [2.25, np.nan]) if filled else ([2.5, 0.0], [2.25, 0.125])
    assert source.arbitrary({"features": np.array([between, beside], np.float32)})[0]
    if "last" not in name and "bag" not in name and not filled:
        assert not source.arbitrary({"features": np.array([beside], np.float32)})[0]
        assert check_parity(source, convert_model(source), {"features": np.array([between] * 3 + [beside], np.float32)}, seed=0)


def test_a_model_without_neighbours_never_answers_by_chance(tmp_path: Path) -> None:
    assert loaded(VotingClassifier([("line", LogisticRegression())]).fit(GRID, GRID[:, 0] > 2), tmp_path).arbitrary is None


def test_a_table_of_rounded_numbers_whose_neighbours_are_often_equally_far_packs(tmp_path: Path) -> None:
    rows = IRIS[0].round().astype(np.float32)
    model = KNeighborsClassifier(weights="distance").fit(rows[::2], IRIS[1][::2])
    packed = sealift_packager.pack(
        model, name="m", data=(IRIS[0][1::2].astype(np.float32), IRIS[1][1::2]), profile="x86-64-avx2", out=tmp_path / "out"
    )
    loss = packed.manifests["x86-64-avx2"].evaluation.candidates[0].accuracy
    assert loss is not None
    assert loss.packaged >= loss.reference - 0.02


def test_training_rows_of_float32_are_stored_as_such(tmp_path: Path) -> None:
    rows = WINE[0].astype(np.float32)
    sizes = [
        convert_model(loaded(KNeighborsClassifier().fit(given, WINE[1]), tmp_path)).model.ByteSize() for given in (rows, rows.astype(np.float64))
    ]
    assert sizes[1] - sizes[0] > rows.nbytes * 0.9


def test_one_training_row_is_its_own_neighbour(tmp_path: Path) -> None:
    source = loaded(KNeighborsRegressor(1).fit([[1.0, 2.0]], [7.0]), tmp_path)
    outputs = run_session(open_session(convert_model(source).model, Settings(), where="m"), {"features": np.ones((2, 2), np.float32)})
    assert outputs["prediction"].tolist() == [[7.0], [7.0]]


def halves(distances: Array) -> Array:
    """A weight of one's own."""
    return distances / 2 + 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weights": halves}, "KNeighborsClassifier: weights given as a function.*'uniform' or 'distance'"),
        ({"metric": "canberra"}, "KNeighborsClassifier: a metric that has no ONNX form.*chebyshev, .*found canberra"),
        ({"metric_params": {"w": np.ones(13)}}, "a metric that has no ONNX form"),
    ],
    ids=["a function", "another metric", "weighted columns"],
)
def test_what_has_no_form_is_refused_by_name(options: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match=message):
        convert_model(loaded(KNeighborsClassifier(**options).fit(*WINE), tmp_path))


IMPUTERS: tuple[dict[str, Any], ...] = ({}, {"weights": "distance"}, {"add_indicator": True}, {"n_neighbors": 1}, {"keep_empty_features": True})


def with_gaps(share: float) -> Array:
    """Of rows that are new, one that is empty; of the others, an empty column."""
    rows: Array = WINE[0].astype(np.float32)
    rows[np.random.default_rng(0).uniform(size=rows.shape) < share] = np.nan
    rows[3], rows[::2, 4] = np.nan, np.nan
    return rows


@pytest.mark.parametrize("options", IMPUTERS, ids=str)
def test_gaps_are_filled_by_neighbours_with_gaps_of_their_own(options: dict[str, Any], tmp_path: Path) -> None:
    rows = with_gaps(0.15)
    model = make_pipeline(KNNImputer(**options), StandardScaler(), LogisticRegression()).fit(rows[::2], WINE[1][::2])
    assert proved(model, rows, tmp_path) >= 2  # scikit-learn 1.3 refuses some of the rows where there is an indicator


def test_a_number_may_stand_for_a_gap_that_neighbours_fill(tmp_path: Path) -> None:
    rows = np.nan_to_num(with_gaps(0.15), nan=-1)
    model = make_pipeline(KNNImputer(missing_values=-1), LogisticRegression(max_iter=3000)).fit(rows[::2], WINE[1][::2])
    assert proved(model, rows, tmp_path) >= 6


def test_a_gap_that_equally_far_neighbours_fill_is_filled_by_chance(tmp_path: Path) -> None:
    training = np.array([[0.0, 1.0], [1.0, 2.0], [5.0, 3.0]])
    source = loaded(make_pipeline(KNNImputer(n_neighbors=1), KNeighborsRegressor(1)).fit(training, [1.0, 2.0, 3.0]), tmp_path)
    assert source.arbitrary is not None
    rows = np.array([[0.5, np.nan], [0.4, np.nan], [0.1, 1.1]], np.float32)
    assert source.arbitrary({"features": rows}).tolist() == [True, False, False]


def test_an_imputer_with_a_metric_of_ones_own_is_refused(tmp_path: Path) -> None:
    model = make_pipeline(KNNImputer(metric=flat), LogisticRegression(max_iter=9000)).fit(WINE[0], WINE[1])
    with pytest.raises(ConversionError, match="KNNImputer: an option that has no ONNX form.*'nan_euclidean'"):
        convert_model(loaded(model, tmp_path))


def flat(one: Array, other: Array, missing_values: float) -> float:
    """A metric of one's own."""
    return float(np.nansum(np.abs(one - other)))
