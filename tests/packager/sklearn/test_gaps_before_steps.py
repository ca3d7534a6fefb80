"""Steps that take no gaps: a model refuses one in their column, and answers it where something before them fills it or where they are told to."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Binarizer, KBinsDiscretizer, Normalizer, PolynomialFeatures, SplineTransformer

from sealift_packager.frameworks.converters import convert_model
from sealift_packager.graph.session import Settings, open_session, run_session
from sealift_packager.parity.check import check_parity
from support.scikit import loaded

RANDOM: Final = np.random.default_rng(1)
TABLE: Final = pd.DataFrame({name: np.exp(RANDOM.normal(size=120)) for name in "abc"})
GAPS: Final = TABLE.assign(a=TABLE.a.where(np.arange(120) % 9 > 0), b=TABLE.b.where(np.arange(120) % 7 > 0))
LABELS: Final = (TABLE.a + TABLE.c > 2).to_numpy().astype(int)
STEPS: Final[dict[str, Any]] = {
    "bins": lambda: KBinsDiscretizer(4, strategy="uniform"),
    "numbers of bins": lambda: KBinsDiscretizer(4, encode="ordinal", strategy="uniform"),
    "a limit": lambda: Binarizer(threshold=0.5),
    "rows of length one": Normalizer,
    "products": PolynomialFeatures,
    "products of different columns": lambda: PolynomialFeatures(interaction_only=True, include_bias=False),
    "splines": SplineTransformer,
}
HAS_OPTION: Final = "handle_missing" in inspect.signature(SplineTransformer).parameters


def requests(table: pd.DataFrame) -> dict[str, Any]:
    return {"features": table.to_numpy(np.float32)}


def assert_answers_gaps(model: Any, tmp_path: Path) -> None:
    source = loaded(model, tmp_path)
    assert source.nullable is not None
    assert source.nullable.columns == {"features": (0, 1)}
    converted = convert_model(source)
    assert check_parity(source, converted, None, seed=0) >= 3
    assert check_parity(source, converted, requests(GAPS), seed=0) >= 4
    answer = run_session(open_session(converted.model, Settings(), where="m"), requests(GAPS))
    single = GAPS.astype(np.float32).astype(np.float64)
    np.testing.assert_allclose(answer["probabilities"], model.predict_proba(single), atol=1e-5)


@pytest.mark.parametrize("name", STEPS)
def test_a_gap_is_refused_without_something_that_fills_it(name: str, tmp_path: Path) -> None:
    model = make_pipeline(make_column_transformer((STEPS[name](), ["a", "b"]), remainder="passthrough"), LogisticRegression()).fit(TABLE, LABELS)
    source = loaded(model, tmp_path)
    assert not source.takes_nan
    assert check_parity(source, convert_model(source), requests(TABLE), seed=0) >= 3


@pytest.mark.parametrize("name", STEPS)
def test_a_gap_in_a_single_column_is_filled_before_the_step(name: str, tmp_path: Path) -> None:
    filled = make_pipeline(SimpleImputer(), STEPS[name]())
    steps = make_column_transformer((filled, ["a", "b"]), remainder="passthrough")
    assert_answers_gaps(make_pipeline(steps, LogisticRegression()).fit(GAPS, LABELS), tmp_path)


@pytest.mark.skipif(not HAS_OPTION, reason="scikit-learn's splines take no gaps before 1.8")
@pytest.mark.parametrize(("extrapolation", "bias"), [("constant", True), ("linear", False), ("continue", True), ("periodic", False)])
def test_splines_that_take_gaps_make_zeros_of_them(extrapolation: str, bias: bool, tmp_path: Path) -> None:
    splines = SplineTransformer(handle_missing="zeros", extrapolation=extrapolation, include_bias=bias)
    steps = make_column_transformer((splines, ["a", "b"]), remainder="passthrough")
    assert_answers_gaps(make_pipeline(steps, LogisticRegression()).fit(GAPS, LABELS), tmp_path)
