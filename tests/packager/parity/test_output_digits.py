"""Answers that are large beside what they differ by: outputs are float64 where float32 would round the difference away, and parity sees it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import lightgbm
import numpy as np
import pandas as pd
import pytest
import xgboost
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import BaggingRegressor, HistGradientBoostingRegressor, RandomForestRegressor, VotingRegressor
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.linear_model import LinearRegression, PoissonRegressor, Ridge
from sklearn.neighbors import KNeighborsRegressor
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR, NuSVR
from sklearn.tree import DecisionTreeRegressor

import sealift_packager
from sealift_packager.errors import ParityError
from sealift_packager.frameworks.converters import convert_model
from sealift_packager.graph.session import Settings, open_session, run_session
from sealift_packager.parity.check import prove_parity
from sealift_packager.parity.compare import NOISE_STEPS, SPREAD_SHARE, compare, spreads
from sealift_packager.parity.digits import with_digits
from support.scikit import loaded

RANDOM: Final = np.random.default_rng(0)
ROWS: Final = RANDOM.normal(size=(200, 4)).astype(np.float32).astype(np.float64)
VARIED: Final = 300 * (ROWS @ [1, 2, -1, 0.5] + np.sin(ROWS[:, 0]))
SECONDS: Final = 1.7e9 + VARIED
BOTH: Final = np.column_stack([SECONDS, VARIED / 300])

MODELS: Final[dict[str, tuple[Callable[[], Any], Any]]] = {
    "line": (LinearRegression, SECONDS),
    "line behind a scaler": (lambda: make_pipeline(StandardScaler(), Ridge()), SECONDS),
    "tree": (lambda: DecisionTreeRegressor(max_depth=5, random_state=0), SECONDS),
    "forest": (lambda: RandomForestRegressor(10, random_state=0), SECONDS),
    "forest behind a scaler": (lambda: make_pipeline(StandardScaler(), RandomForestRegressor(5, random_state=0)), SECONDS),
    "histogram boosting": (lambda: HistGradientBoostingRegressor(max_iter=10), SECONDS),
    "exponent of trees": (lambda: HistGradientBoostingRegressor(max_iter=10, loss="poisson"), SECONDS),
    "another library's trees": (lambda: lightgbm.LGBMRegressor(n_estimators=10, verbose=-1), SECONDS),
    "exponent of another library's trees": (lambda: lightgbm.LGBMRegressor(n_estimators=10, objective="poisson", verbose=-1), SECONDS),
    "neighbours": (KNeighborsRegressor, SECONDS),
    "support vectors": (lambda: SVR(C=100), SECONDS),
    "other support vectors": (lambda: NuSVR(C=100, kernel="poly"), SECONDS),
    "process": (lambda: GaussianProcessRegressor(alpha=1e-2, normalize_y=True), SECONDS),
    "exponent of a line": (PoissonRegressor, SECONDS),
    "bag": (lambda: BaggingRegressor(Ridge(), n_estimators=3, random_state=0), SECONDS),
    "vote": (lambda: VotingRegressor([("line", Ridge()), ("tree", DecisionTreeRegressor(max_depth=4))]), SECONDS),
    "scaled target": (
        lambda: TransformedTargetRegressor(MLPRegressor(hidden_layer_sizes=(4,), max_iter=2000, random_state=0), transformer=StandardScaler()),
        SECONDS,
    ),
    "a large target beside a small one": (LinearRegression, BOTH),
    "a forest of both": (lambda: RandomForestRegressor(10, random_state=0), BOTH),
    "amounts": (Ridge, SECONDS - 1.65e9),
}


@pytest.mark.parametrize("name", MODELS)
def test_answers_keep_the_digits_that_they_differ_by(name: str, tmp_path: Path) -> None:
    make, target = MODELS[name]
    model = make().fit(ROWS, target)
    source = with_digits(loaded(model, tmp_path), {"features": ROWS})
    converted = convert_model(source)
    prove_parity(source, converted, {"features": ROWS.astype(np.float32)}, seed=0, originals={"features": ROWS})
    (output,) = converted.outputs
    assert (output.name, output.dtype, source.wide_outputs) == ("prediction", "float64", frozenset({"prediction"}))
    session = open_session(converted.model, Settings(), where="model.onnx")
    answers = run_session(session, {"features": ROWS.astype(np.float32)})["prediction"]
    expected = model.predict(ROWS).reshape(len(ROWS), -1)
    assert (np.abs(answers - expected).max(axis=0) <= 1e-4 * expected.std(axis=0)).all()


@pytest.mark.parametrize("name", ["line", "tree", "another library's trees", "a large target beside a small one"])
def test_a_graph_that_rounds_the_difference_away_is_refused(name: str, tmp_path: Path) -> None:
    make, target = MODELS[name]
    source = loaded(make().fit(ROWS, target), tmp_path)
    exact = with_digits(source, {"features": ROWS})
    with pytest.raises(ParityError, match="output 'prediction'"):
        prove_parity(exact, convert_model(source), {"features": ROWS.astype(np.float32)}, seed=0, originals={"features": ROWS})


@pytest.mark.parametrize("make", [lambda: DecisionTreeRegressor(max_depth=5), lambda: lightgbm.LGBMRegressor(n_estimators=5, verbose=-1)])
def test_trees_show_without_data_that_their_answers_need_digits(make: Callable[[], Any], tmp_path: Path) -> None:
    late = np.column_stack([SECONDS, ROWS])
    source = with_digits(loaded(make().fit(late, SECONDS), tmp_path), None)
    assert source.wide_outputs == {"prediction"}
    assert prove_parity(source, convert_model(source), None, seed=0).compared >= 4


@pytest.mark.parametrize(
    "target", [VARIED, VARIED + 2000, np.round(SECONDS / 1000), np.full(len(ROWS), 1.7e9 + 1 / 3)], ids=["zero", "years", "whole", "constant"]
)
def test_answers_that_float32_holds_stay_float32(target: Any, tmp_path: Path) -> None:
    model = DecisionTreeRegressor().fit(ROWS, target)
    assert with_digits(loaded(model, tmp_path), {"features": ROWS}).wide_outputs == frozenset()


def test_trees_that_add_up_in_float32_are_refused_where_the_order_of_their_sum_shows(tmp_path: Path) -> None:
    source = with_digits(loaded(xgboost.XGBRegressor(n_estimators=50).fit(ROWS, SECONDS), tmp_path), {"features": ROWS})
    with pytest.raises(ParityError, match=r"output 'prediction' differs.*smaller target"):
        prove_parity(source, convert_model(source), {"features": ROWS.astype(np.float32)}, seed=0)


def test_a_bundle_says_that_its_output_is_float64(tmp_path: Path) -> None:
    data = pd.DataFrame(ROWS, columns=list("abcd")).assign(arrival=SECONDS)
    model = Ridge().fit(data[list("abcd")], SECONDS)
    packed = sealift_packager.pack(model, name="m", data=data, target="arrival", profile="x86-64-avx2", out=tmp_path / "out")
    assert [(spec.name, spec.dtype) for spec in packed.manifests["x86-64-avx2"].outputs] == [("prediction", "float64")]
    assert any("These outputs are float64 (FP64)" in note for note in packed.notes)


# The bound


def test_a_channel_may_be_off_by_a_thousandth_of_its_own_deviation() -> None:
    expected = np.column_stack([1e6 + np.arange(10.0), np.arange(10.0)])
    for channel in (0, 1):
        for share, agrees in ((0.9, True), (1.1, False)):
            answer = expected.copy()
            answer[0, channel] += share * SPREAD_SHARE * np.arange(10.0).std()
            assert bool(not compare({"y": expected}, {"y": answer})) is agrees


def test_few_rows_take_the_spread_of_others() -> None:
    usual = spreads({"y": 1e9 + np.arange(10.0).reshape(10, 1)})
    one, other = np.array([[1e9]]), np.array([[1e9 + 1]])
    assert not compare({"y": one}, {"y": other})
    assert compare({"y": one}, {"y": other}, usual_spreads=usual)


def test_what_does_not_vary_may_be_off_by_rounding() -> None:
    expected = np.full((10, 1), 1e9, np.float32)
    step = np.float32(64)
    assert not compare({"y": expected}, {"y": expected + (NOISE_STEPS - 1) * step})
    assert compare({"y": expected}, {"y": expected + 3 * NOISE_STEPS * step})
