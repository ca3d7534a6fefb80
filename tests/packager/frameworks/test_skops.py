"""A skops file is read without trust where nothing in it could run code, and only there."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import catboost
import lightgbm
import numpy as np
import pytest
import skops.io
import xgboost
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier, HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.feature_selection import SelectKBest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, SplineTransformer, StandardScaler
from sklearn.svm import SVC, SVR, OneClassSVM
from sklearn.tree import DecisionTreeClassifier

from sealift_packager.errors import SourceModelError, UntrustedPickleError
from sealift_packager.frameworks.loaders import load_model
from sealift_packager.model.source import LoadOptions
from support.ensembles import IRIS, QUIET

ONE_HOT = OneHotEncoder(handle_unknown="ignore")
MODELS: dict[str, Any] = {
    "columns": make_pipeline(
        ColumnTransformer(
            [("n", make_pipeline(SimpleImputer(), StandardScaler()), [0, 1]), ("c", OneHotEncoder(handle_unknown="ignore"), slice(2, 4))]
        ),
        LogisticRegression(max_iter=500),
    ),
    "support vectors for sparse rows": make_pipeline(OneHotEncoder(handle_unknown="ignore"), SVR()),
    "support vectors for regression": SVR(),
    "outliers by support vectors": OneClassSVM(),
    "balls of neighbours": KNeighborsClassifier(algorithm="ball_tree", metric="seuclidean", metric_params={"V": np.ones(4)}),
    "splines": make_pipeline(SplineTransformer(), LogisticRegression(max_iter=500)),
    "selection": make_pipeline(SelectKBest(k=2), SVC()),
    "neighbours": KNeighborsClassifier(algorithm="kd_tree"),
    "histogram": HistGradientBoostingClassifier(max_iter=2),
    "histogram regression": HistGradientBoostingRegressor(max_iter=2),
    "boosting": GradientBoostingClassifier(n_estimators=2),
    "forest": RandomForestClassifier(3),
    "process": GaussianProcessRegressor(),
    "network": MLPRegressor(hidden_layer_sizes=(4,), max_iter=5),
    "xgboost": xgboost.XGBClassifier(n_estimators=2),
    "lightgbm": lightgbm.LGBMClassifier(n_estimators=2, verbose=-1),
    "catboost": catboost.CatBoostClassifier(**{**QUIET, "iterations": 2}),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", MODELS)
def test_what_training_gives_needs_no_consent(name: str, tmp_path: Path) -> None:
    skops.io.dump(MODELS[name].fit(*IRIS), tmp_path / "m.skops")
    source = load_model(tmp_path / "m.skops", LoadOptions())
    assert len(source.predict({source.inputs[0].name: IRIS[0][:5].astype(np.float32)})[source.outputs[0]]) == 5


def test_a_function_of_python_itself_needs_consent(tmp_path: Path) -> None:
    model = make_pipeline(CountVectorizer(), LogisticRegression()).fit(["a word", "the other"], [0, 1])
    model[0].tokenizer = eval
    skops.io.dump(model, tmp_path / "m.skops")
    with pytest.raises(UntrustedPickleError, match=r"builtins\.eval.*--trust-pickle"):
        load_model(tmp_path / "m.skops", LoadOptions())


@pytest.mark.parametrize("name", ["numpy.load", "scipy.io.loadmat", "sklearn.datasets.load_files", "collections.namedtuple"])
def test_a_function_of_a_known_package_needs_consent(name: str, tmp_path: Path) -> None:
    skops.io.dump(DecisionTreeClassifier(max_depth=1).fit(*IRIS), tmp_path / "m.skops")
    module, _, function = name.rpartition(".")
    node = {
        "__class__": function,
        "__module__": module,
        "__loader__": "FunctionNode",
        "__id__": 1,
        "content": {"module_path": module, "function": function},
    }
    patched(tmp_path / "m.skops", lambda schema: schema["content"]["content"].update(criterion=node))
    with pytest.raises(UntrustedPickleError, match=name):
        load_model(tmp_path / "m.skops", LoadOptions())


@pytest.mark.parametrize("make", [DecisionTreeClassifier, lambda: make_pipeline(StandardScaler(), DecisionTreeClassifier())])
@pytest.mark.parametrize("wild", [{"left_child": 2**40}, {"right_child": -7}, {"left_child": -7}, {"feature": 2**30}, {"feature": -9}])
def test_a_tree_that_points_out_of_itself_is_never_walked(wild: dict[str, int], make: Any, tmp_path: Path) -> None:
    model = make().fit(*IRIS)
    tree = (model if isinstance(model, DecisionTreeClassifier) else model[-1]).tree_
    state = tree.__getstate__()
    for field, value in wild.items():
        state["nodes"][field][0] = value
    tree.__setstate__(state)
    skops.io.dump(model, tmp_path / "m.skops")
    with pytest.raises(SourceModelError, match="tree"):
        load_model(tmp_path / "m.skops", LoadOptions())


WILD_NEIGHBOURS: dict[str, Any] = {
    "a row far outside": lambda state: state[1].__setitem__(0, 2**40),
    "a row twice": lambda state: state[1].__setitem__(0, state[1][1]),
    "a node that ends outside": lambda state: state[2]["idx_end"].__setitem__(-1, 2**30),
    "a node that begins before": lambda state: state[2]["idx_start"].__setitem__(-1, -(2**30)),
    "a leaf made inner": lambda state: state[2]["is_leaf"].__setitem__(-1, 0),
    "fewer nodes": lambda state: state.__setitem__(2, state[2][:-1].copy()),
    "fewer bounds": lambda state: state.__setitem__(3, state[3][:, :-1].copy()),
}


@pytest.mark.parametrize("algorithm", ["kd_tree", "ball_tree"])
@pytest.mark.parametrize("wild", WILD_NEIGHBOURS)
def test_neighbours_that_point_out_of_their_data_are_never_asked(wild: str, algorithm: str, tmp_path: Path) -> None:
    model = make_pipeline(StandardScaler(), KNeighborsClassifier(algorithm=algorithm, leaf_size=10)).fit(*IRIS)
    state = [np.array(part) if isinstance(part, np.ndarray) else part for part in model[-1]._tree.__getstate__()]
    WILD_NEIGHBOURS[wild](state)
    model[-1]._tree.__setstate__(tuple(state))
    skops.io.dump(model, tmp_path / "m.skops")
    with pytest.raises(SourceModelError, match=r"KDTree|BallTree"):
        load_model(tmp_path / "m.skops", LoadOptions())


@pytest.mark.parametrize("wild", [np.full(150, 10**6), np.zeros(3, np.int64)])
def test_neighbours_with_answers_that_are_no_class_are_never_asked(wild: Any, tmp_path: Path) -> None:
    model = KNeighborsClassifier(algorithm="brute").fit(*IRIS)
    model._y = wild
    skops.io.dump(model, tmp_path / "m.skops")
    with pytest.raises(SourceModelError, match="neighbours whose targets don't match their rows"):
        load_model(tmp_path / "m.skops", LoadOptions())


def test_a_distance_of_fewer_columns_is_never_asked(tmp_path: Path) -> None:
    model = KNeighborsClassifier(algorithm="ball_tree", metric="seuclidean", metric_params={"V": np.ones(4)}).fit(*IRIS)
    state = list(model._tree.__getstate__())
    state[-2].__setstate__((2.0, np.ones(1), np.ones((1, 1))))
    model._tree.__setstate__(tuple(state))
    skops.io.dump(model, tmp_path / "m.skops")
    with pytest.raises(SourceModelError, match="a distance that is not of 4 columns"):
        load_model(tmp_path / "m.skops", LoadOptions())


@pytest.mark.parametrize("counts", [[-5, 5, 0], [10**6, 0, 0], [1, 1]])
def test_support_vectors_that_no_class_has_are_never_asked(counts: list[int], tmp_path: Path) -> None:
    model = SVC().fit(*IRIS)
    total = len(model.support_vectors_)
    model._n_support = np.array([counts[0], total - counts[0], *counts[2:]] if len(counts) == 3 and counts[0] < 0 else counts, dtype=np.int32)
    skops.io.dump(model, tmp_path / "m.skops")
    with pytest.raises(SourceModelError, match="support vectors that don't match the classes"):
        load_model(tmp_path / "m.skops", LoadOptions())


def test_precomputed_support_vectors_outside_a_row_are_never_asked(tmp_path: Path) -> None:
    model = SVC(kernel="precomputed").fit(IRIS[0] @ IRIS[0].T, IRIS[1])
    model.support_[0] = 10**6
    skops.io.dump(model, tmp_path / "m.skops")
    with pytest.raises(SourceModelError, match="support vectors that are not rows"):
        load_model(tmp_path / "m.skops", LoadOptions())


def test_a_sparse_matrix_with_entries_outside_is_never_used(tmp_path: Path) -> None:
    sparse = OneHotEncoder().fit_transform(IRIS[0])
    model = SVC().fit(sparse, IRIS[1])
    model.support_vectors_.indices[0] = 2**20
    skops.io.dump(model, tmp_path / "m.skops")
    with pytest.raises(SourceModelError, match="csr_matrix|indices"):
        load_model(tmp_path / "m.skops", LoadOptions())


def test_a_spline_without_its_knots_is_never_used(tmp_path: Path) -> None:
    model = make_pipeline(SplineTransformer(), LogisticRegression(max_iter=500)).fit(*IRIS)
    model[0].bsplines_[0].t = model[0].bsplines_[0].t[:3]
    skops.io.dump(model, tmp_path / "m.skops")
    with pytest.raises(SourceModelError, match="a spline without the knots"):
        load_model(tmp_path / "m.skops", LoadOptions())


def patched(path: Path, change: Any) -> None:
    with zipfile.ZipFile(path) as old:
        members = {name: old.read(name) for name in old.namelist()}
    schema = json.loads(members["schema.json"])
    change(schema)
    with zipfile.ZipFile(path, "w") as new:
        for name, data in members.items():
            new.writestr(name, json.dumps(schema) if name == "schema.json" else data)
