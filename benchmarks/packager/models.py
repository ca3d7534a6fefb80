"""Each model once: an fp32 graph that every tool starts from, rows that the tools get, and rows that only the judge sees.

A folder holds ``model.onnx``, ``data.npz`` and ``holdout.npz`` (inputs by name, and ``target``, but for embeddings), and ``facts.json``
(metric, budget, and the number of classes: 0 for embeddings).
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import joblib
import minilm
import networks
import numpy as np
import onnx
import pretrained
from catalog import EMBEDDINGS, Made
from sklearn import datasets
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sealift_packager.frameworks.converters import convert_model
from sealift_packager.frameworks.loaders import load_model
from sealift_packager.model.source import LoadOptions

Array = np.ndarray[Any, np.dtype[Any]]
#: Rows of the embedding model that the tools get: Entropy calibration keeps every activation of every row in memory.
SENTENCES_FOR_TOOLS: Final = 100
BUDGET: Final = 0.01
#: What the table of example models is made from; here each tool's graph is asked by itself.
UNSERVED: Final[dict[str, Any]] = {"requests": (), "answers": lambda _: {}}


def _encoder(folder: Path) -> Made:
    minilm.save(folder, count=3 * SENTENCES_FOR_TOOLS)
    return Made(model=folder / "minilm.pt2", data=folder / "sentences.npz", options=EMBEDDINGS, **UNSERVED)


def _perceptron(load: Callable[..., Any]) -> Callable[[Path], Made]:
    def build(folder: Path) -> Made:
        rows, target = load(return_X_y=True)
        seen, held_out, seen_target, held_out_target = train_test_split(
            rows.astype(np.float32), target, test_size=0.6, random_state=0, stratify=target
        )
        model = make_pipeline(StandardScaler(), MLPClassifier((128, 64), random_state=0, max_iter=500))
        joblib.dump(model.fit(seen, seen_target), folder / "model.joblib")
        np.savez(folder / "rows.npz", features=held_out, target=held_out_target)
        return Made(model=folder / "model.joblib", data=folder / "rows.npz", **UNSERVED)

    return build


#: Name → what trains or fetches it.
MODELS: Final[dict[str, Callable[[Path], Made]]] = {
    "dense-cnn": networks.cnn_dense,
    "depthwise-cnn": networks.cnn_depthwise,
    "minilm": _encoder,
    "p-net": pretrained.p_net,
    "r-net": pretrained.r_net,
    "o-net": pretrained.o_net,
    "mlp-digits": _perceptron(datasets.load_digits),
    "mlp-cancer": _perceptron(datasets.load_breast_cancer),
    "mlp-wine": _perceptron(datasets.load_wine),
}


def prepare(name: str, folder: Path) -> None:
    """Write a model's folder, unless it is there already."""
    if (folder / "facts.json").exists():
        return
    scratch = folder / "source"
    shutil.rmtree(folder, ignore_errors=True)
    scratch.mkdir(parents=True)
    made = MODELS[name](scratch)
    if made.data is None:
        raise SystemExit(f"{name} has no data")
    with np.load(made.data) as file:
        rows = dict(file)
    for_tools, for_judge = split(rows, SENTENCES_FOR_TOOLS if made.options is EMBEDDINGS else None)
    np.savez(folder / "data.npz", **for_tools)
    np.savez(folder / "holdout.npz", **for_judge)
    inputs = {key: value for key, value in for_tools.items() if key != "target"}
    source = load_model(made.model, LoadOptions(trust_pickle=True, examples=inputs, target="target"))
    onnx.save(convert_model(source).model, folder / "model.onnx")
    classes = max(2, int(rows["target"].max()) + 1) if "target" in rows else 0
    facts = {"metric": made.options.get("metric", "accuracy"), "budget": BUDGET, "classes": classes}
    (folder / "facts.json").write_text(json.dumps(facts), encoding="utf-8")


def split(rows: Mapping[str, Array], first: int | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """``first`` rows in a fixed random order, or half of them, and the others. Pure."""
    count = len(next(iter(rows.values())))
    order = np.random.default_rng(0).permutation(count)
    at = first or count // 2
    return {key: value[order[:at]] for key, value in rows.items()}, {key: value[order[at:]] for key, value in rows.items()}
