"""Encoders of categories: frequent, rare, missing and unseen ones become in the graph what their source makes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pytest
import sklearn
from packaging.version import Version
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, TargetEncoder

from sealift_packager.frameworks.converters import convert_model
from sealift_packager.graph.session import Settings, open_session, run_session
from sealift_packager.model.source import Array
from sealift_packager.parity.check import check_parity
from sealift_packager.parity.compare import compare
from support.scikit import loaded
from support.versions import since

ROWS: Final = 300
DRAW = np.random.default_rng(0)
CITIES = DRAW.choice(np.array(["Rom", "Paris", "Wien", "Köln", np.nan], dtype=object), ROWS, p=[0.5, 0.3, 0.04, 0.06, 0.1])
FLOORS = DRAW.choice([-1.5, 0, 1, 2, 7, np.nan], ROWS, p=[0.05, 0.3, 0.3, 0.2, 0.05, 0.1])
TABLE = pd.DataFrame({"city": CITIES, "floor": FLOORS})
SCORES = np.array([len(str(city)) for city in CITIES]) + np.nan_to_num(FLOORS, nan=5.0) + DRAW.normal(0, 0.1, ROWS)
CLASSES = np.digitize(SCORES, [5, 7])
#: Each row of the table, then what nobody knows and what is missing, in either column.
REQUEST: dict[str, Array] = {
    "city": np.array(["" if item != item else item for item in [*CITIES, "Rom", "nowhere", "", "nowhere"]], dtype=object).reshape(-1, 1),
    "floor": np.array([*FLOORS, 3.5, 1, np.nan, 3.5], dtype=np.float32).reshape(-1, 1),
}
#: How a TargetEncoder folds its training rows: from scikit-learn 1.9 on a generator says it, before a number.
FOLDS: dict[str, Any] = {"cv": KFold(3)} if Version(sklearn.__version__) >= Version("1.9") else {"cv": 3, "random_state": 0}
UNSEEN = {"handle_unknown": "use_encoded_value", "unknown_value": -1}
TREES = HistGradientBoostingClassifier(max_iter=10, min_samples_leaf=2)


def agreed(encoder: Any, final: Any, target: Array, folder: Path) -> int:
    model = make_pipeline(make_column_transformer((encoder, ["city"]), (encoder, ["floor"])), final).fit(TABLE, target)
    source = loaded(model, folder, {"city": CITIES, "floor": FLOORS})
    converted = convert_model(source)
    session = open_session(converted.model, Settings(), where="m")
    assert compare(source.predict(REQUEST), run_session(session, REQUEST)) == []
    return check_parity(source, converted, REQUEST, seed=0)


@pytest.mark.parametrize(
    ("encoder", "final"),
    [
        (OrdinalEncoder(**UNSEEN, encoded_missing_value=-2), Ridge()),
        (OrdinalEncoder(**UNSEEN, encoded_missing_value=-0.5), Ridge()),
        (OrdinalEncoder(**UNSEEN), TREES),
        (OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan), TREES),
        (OrdinalEncoder(**UNSEEN, encoded_missing_value=-2, min_frequency=0.1), Ridge()),
        (OrdinalEncoder(**UNSEEN, encoded_missing_value=-2, max_categories=3, dtype=np.int32), Ridge()),
        (OneHotEncoder(handle_unknown="ignore"), Ridge()),
        (OneHotEncoder(handle_unknown="ignore", drop="first"), Ridge()),
        (OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=0.1), Ridge()),
        (TargetEncoder(**FOLDS), Ridge()),
        (TargetEncoder(**FOLDS, target_type="continuous", smooth=2.0), TREES),
    ],
    ids=lambda value: str(value).replace("\n", "").replace(" ", "").replace("handle_unknown=", ""),
)
def test_a_category_becomes_what_its_source_makes_of_it(encoder: Any, final: Any, tmp_path: Path) -> None:
    assert agreed(encoder, final, CLASSES if final is TREES else SCORES, tmp_path) >= 7


@since("scikit-learn", "1.4", "have it")
def test_of_many_classes_a_category_has_a_mean_for_each(tmp_path: Path) -> None:
    assert agreed(TargetEncoder(**FOLDS), LogisticRegression(), CLASSES, tmp_path) >= 7


def test_a_number_larger_than_the_largest_category_is_unknown_however_large_that_is(tmp_path: Path) -> None:
    numbers = np.array([[0.0], [2.0**60]] * 20, np.float32)
    model = make_pipeline(OneHotEncoder(handle_unknown="ignore"), Ridge(fit_intercept=False)).fit(numbers, [0, 1] * 20)
    source = loaded(model, tmp_path)
    requests = {source.inputs[0].name: np.array([[0], [2.0**60], [2.0**61], [5]], np.float32)}
    session = open_session(convert_model(source).model, Settings(), where="m")
    assert compare(source.predict(requests), run_session(session, requests)) == []


def test_an_encoder_that_gives_tables_is_one_as_any_other(tmp_path: Path) -> None:
    assert agreed(OneHotEncoder(sparse_output=False, handle_unknown="ignore").set_output(transform="pandas"), Ridge(), SCORES, tmp_path) >= 7


def test_a_graph_grows_by_its_categories_not_by_their_square(tmp_path: Path) -> None:
    texts = np.array([f"street {number}" for number in range(3000)], dtype=object).reshape(-1, 1)
    source = loaded(make_pipeline(OneHotEncoder(handle_unknown="ignore"), Ridge()).fit(texts, np.arange(3000.0)), tmp_path, {"street": texts[:, 0]})
    converted = convert_model(source)
    assert converted.model.ByteSize() < 200_000
    assert check_parity(source, converted, {source.inputs[0].name: texts[:50]}, seed=0) >= 6
