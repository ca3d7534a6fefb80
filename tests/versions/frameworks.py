"""One small model of each framework, trained with whatever versions are installed, and what it answers by itself.

Only what every version in the declared ranges has is used here.
"""

from __future__ import annotations

import dataclasses
import importlib.util
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

ROWS: Final = 300
HELD_OUT: Final = 60
LINEAR: Final = Path(__file__).parents[1] / "corpus" / "models" / "linear" / "model.onnx"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A trained model (an object, or a file), rows to ask it, and one of its outputs as the framework gives it.

    ``data`` is a holdout as `sealift_packager.pack` takes it: with it, quantized candidates are built too.
    """

    model: Any
    inputs: Mapping[str, Any]
    output: str
    expected: Any
    data: Any = None
    tolerance: float = 1e-4


def _table() -> tuple[Any, Any]:
    """Features float32 [ROWS, 5] and a number for each row."""
    draw = np.random.default_rng(7)
    features = draw.normal(size=(ROWS, 5)).astype(np.float32)
    return features, features[:, 0] * 2 - features[:, 1] + np.sin(features[:, 2])


def scikit_learn(_: Path) -> Example:
    """A scaled forest of three classes."""
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x, y = _table()
    classes = np.digitize(y, [-1, 1])
    model = make_pipeline(StandardScaler(), RandomForestClassifier(10, max_depth=5, random_state=0)).fit(x[HELD_OUT:], classes[HELD_OUT:])
    held_out = x[:HELD_OUT]
    answer = model.predict_proba(held_out)
    return Example(model=model, inputs={"features": held_out}, output="probabilities", expected=answer, data=(held_out, classes[:HELD_OUT]))


def skops(folder: Path) -> Example:
    """A clustering, in a file that isn't a pickle."""
    import skops.io
    from sklearn.cluster import KMeans

    x, _y = _table()
    model = KMeans(3, n_init=1, random_state=0).fit(x)
    skops.io.dump(model, folder / "model.skops")
    return Example(model=folder / "model.skops", inputs={"features": x[:HELD_OUT]}, output="distances", expected=model.transform(x[:HELD_OUT]))


def xgboost(_: Path) -> Example:
    """Boosted trees of XGBoost."""
    import xgboost as library

    x, y = _table()
    booster = library.train({"max_depth": 3}, library.DMatrix(x, y), num_boost_round=10)
    rows = x[:HELD_OUT]
    return Example(model=booster, inputs={"features": rows}, output="prediction", expected=booster.predict(library.DMatrix(rows)))


def lightgbm(_: Path) -> Example:
    """Boosted trees of LightGBM."""
    import lightgbm as library

    x, y = _table()
    booster = library.train({"objective": "regression", "verbose": -1, "num_leaves": 7}, library.Dataset(x, y), num_boost_round=10)
    return Example(model=booster, inputs={"features": x[:HELD_OUT]}, output="prediction", expected=booster.predict(x[:HELD_OUT]))


def catboost(_: Path) -> Example:
    """Boosted trees of CatBoost."""
    import catboost as library

    x, y = _table()
    model = library.CatBoostRegressor(iterations=10, depth=3, verbose=False, allow_writing_files=False).fit(x, y)
    return Example(model=model, inputs={"features": x[:HELD_OUT]}, output="prediction", expected=model.predict(x[:HELD_OUT]))


def torch(_: Path) -> Example:
    """A convolution and a dense layer."""
    import torch as library
    from torch import nn

    library.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(256, 10)).eval()
    images = np.random.default_rng(1).normal(size=(HELD_OUT, 1, 8, 8)).astype(np.float32)
    with library.no_grad():
        answer = model(library.from_numpy(images)).numpy()
    return Example(model=model, inputs={"input": images}, output="output", expected=answer, data=(images, answer.argmax(1)), tolerance=0.2)


def onnx(_: Path) -> Example:
    """A graph that is ONNX already; it is asked with onnx's own reference."""
    import onnx as library
    from onnx.reference import ReferenceEvaluator

    model = library.load(str(LINEAR))
    rows = np.random.default_rng(2).normal(size=(HELD_OUT, 4)).astype(np.float32)
    name = model.graph.input[0].name
    names = [value.name for value in model.graph.output]
    answers = dict(zip(names, ReferenceEvaluator(model).run(None, {name: rows}), strict=True))
    return Example(model=LINEAR, inputs={name: rows}, output="scores", expected=answers["scores"])


#: Framework → the module that it is, and its example.
FRAMEWORKS: Final[Mapping[str, tuple[str, Callable[[Path], Example]]]] = {
    "scikit-learn": ("sklearn", scikit_learn),
    "skops": ("skops", skops),
    "xgboost": ("xgboost", xgboost),
    "lightgbm": ("lightgbm", lightgbm),
    "catboost": ("catboost", catboost),
    "torch": ("torch", torch),
    "onnx": ("onnx", onnx),
}


def installed(framework: str) -> bool:
    """Whether a framework is installed here."""
    return importlib.util.find_spec(FRAMEWORKS[framework][0]) is not None
