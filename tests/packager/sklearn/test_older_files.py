"""A file of an older scikit-learn lacks what later versions look for: it is put there where it follows, and named where it doesn't."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from sealift_packager.errors import SourceModelError
from sealift_packager.frameworks.converters import convert_model
from sealift_packager.frameworks.loaders import load_model
from sealift_packager.model.source import LoadOptions
from sealift_packager.parity.check import check_parity
from support.versions import since

RANDOM: Final = np.random.default_rng(0)
ROWS: Final = np.where(RANDOM.random((80, 2)) < 0.2, np.nan, RANDOM.normal(size=(80, 2)))
LABELS: Final = np.resize([0, 1], 80)
TABLE: Final = pd.DataFrame(ROWS, columns=["a", "b"]).assign(city=np.resize(np.array(["Oslo", "Bern", np.nan], dtype=object), 80), k=LABELS * 2.0)


@pytest.fixture
def saved(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Saves a model as scikit-learn 1.3.0 would."""

    def save(model: Any) -> Path:
        for imputer in (part for part in joblib_parts(model) if isinstance(part, SimpleImputer)):
            vars(imputer).pop("_fill_dtype", None)
        with monkeypatch.context() as patched:
            patched.setattr("sklearn.base.__version__", "1.3.0")
            joblib.dump(model, tmp_path / "m.joblib")
        return tmp_path / "m.joblib"

    return save


def joblib_parts(model: Any) -> list[Any]:
    steps = [step for _, step in getattr(model, "steps", ())] + [step for _, step, _ in getattr(model, "transformers_", ())]
    return [model, *(inner for step in steps for inner in joblib_parts(step))]


def read(path: Path) -> Any:
    return load_model(path, LoadOptions(trust_pickle=True))


@pytest.mark.parametrize("options", [{}, {"strategy": "constant", "fill_value": -1}, {"add_indicator": True}, {"strategy": "most_frequent"}], ids=str)
def test_an_imputer_fills_as_it_did(options: dict[str, Any], saved: Any) -> None:
    model = make_pipeline(SimpleImputer(**options), LogisticRegression()).fit(ROWS, LABELS)
    expected = model.predict_proba(ROWS)
    source = read(saved(model))
    rows = {"features": ROWS.astype(np.float32)}
    assert np.allclose(source.predict({"features": ROWS})["probabilities"], expected, atol=1e-6)
    assert source.takes_nan
    assert check_parity(source, convert_model(source), rows, seed=0) >= 5


def test_columns_that_pass_through_by_a_word_do(saved: Any) -> None:
    text = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore"))
    columns = make_column_transformer((text, ["city"]), (SimpleImputer(), ["a", "b"]), ("passthrough", ["k"]))
    model = make_pipeline(columns, LogisticRegression()).fit(TABLE, LABELS)
    expected = model.predict_proba(TABLE)
    fitted = model[0].transformers_
    model[0].transformers_ = [*fitted[:-1], (fitted[-1][0], "passthrough", fitted[-1][2])]
    source = read(saved(model))
    inputs = {name: TABLE[[name]].fillna("").to_numpy(object) if name == "city" else TABLE[[name]].to_numpy(np.float64) for name in TABLE}
    assert np.allclose(source.predict(inputs)["probabilities"], expected, atol=1e-6)


FORESTS: Final[dict[str, Any]] = {
    "a tree": lambda: DecisionTreeClassifier(random_state=0),
    "a forest of weighted classes": lambda: RandomForestClassifier(4, class_weight="balanced", random_state=0),
    "random splits in a pipeline": lambda: make_pipeline(StandardScaler(), ExtraTreesClassifier(4, random_state=0)),
    "a bag": lambda: BaggingClassifier(n_estimators=3, random_state=0),
    "a vote beside a line": lambda: VotingClassifier([("trees", RandomForestClassifier(3)), ("line", LogisticRegression())], voting="soft"),
    "calibration": lambda: CalibratedClassifierCV(RandomForestClassifier(3), cv=2),
    "boosted trees of numbers": lambda: GradientBoostingClassifier(n_estimators=3),
}


@since("scikit-learn", "1.4", "keeps shares of the classes in the leaves of trees")
@pytest.mark.parametrize("name", FORESTS)
def test_trees_whose_leaves_hold_weights_answer_as_they_did(name: str, saved: Any) -> None:
    filled = np.nan_to_num(ROWS)
    model = FORESTS[name]().fit(filled, LABELS)
    expected = model.predict_proba(filled)
    trees = {id(part): part.tree_ for part in inside(model) if hasattr(part, "tree_") and hasattr(part, "classes_")}
    for tree in trees.values():
        tree.value[:] *= tree.weighted_n_node_samples[:, None, None]
    source = read(saved(model))
    assert np.allclose(source.predict({"features": filled})["probabilities"], expected, atol=1e-6)
    assert check_parity(source, convert_model(source), {"features": filled.astype(np.float32)}, seed=0) >= 3


def inside(part: Any) -> Iterator[Any]:
    """All estimators within an estimator."""
    values = part if isinstance(part, list | tuple) else part.ravel().tolist() if isinstance(part, np.ndarray) and part.dtype == object else ()
    if hasattr(part, "get_params"):
        yield part
        values = list(vars(part).values())
    elif hasattr(part, "calibrators"):
        values = [part.estimator]
    for value in values:
        yield from inside(value)


@since("scikit-learn", "1.6", "boosts by labels alone")
def test_a_formula_that_is_gone_is_named(saved: Any) -> None:
    model = AdaBoostClassifier(n_estimators=3).fit(np.nan_to_num(ROWS), LABELS)
    model.algorithm = "SAMME.R"
    with pytest.raises(
        SourceModelError, match=r"1\.3\.0, read with .*something else .* than 1\.3\.0 did: AdaBoostClassifier has no algorithm='SAMME"
    ):
        read(saved(model))


@since("scikit-learn", "1.4", "is newer than the version that the file says")
def test_what_an_older_model_lacks_is_named_behind_the_versions(saved: Any) -> None:
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(np.nan_to_num(ROWS), LABELS)
    del model[0].scale_
    with pytest.raises(
        SourceModelError, match=rf"made with scikit-learn 1\.3\.0.*{sklearn.__version__} can't compute with it: its StandardScaler has no"
    ):
        read(saved(model))
