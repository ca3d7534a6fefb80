"""CatBoost's models, from their JSON form (``save_model(format="json")``).

Format: https://catboost.ai/docs/en/concepts/json_tutorial. Borders are float32; a split is true (right) if x > border,
where x is rounded to float32 first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from sealift_packager.errors import ConversionError
from sealift_packager.trees import ensemble as links
from sealift_packager.trees.builder import TreeBuilder
from sealift_packager.trees.ensemble import Array, Ensemble, Tree, link_of

_WHERE: Final = "CatBoost model"
LINKS: Final = {
    "RMSE": links.IDENTITY,
    "MAE": links.IDENTITY,
    "Quantile": links.IDENTITY,
    "MAPE": links.IDENTITY,
    "Huber": links.IDENTITY,
    "Expectile": links.IDENTITY,
    "LogCosh": links.IDENTITY,
    "Lq": links.IDENTITY,
    "MultiRMSE": links.IDENTITY,
    "YetiRank": links.IDENTITY,
    "PairLogit": links.IDENTITY,
    "QueryRMSE": links.IDENTITY,
    "Poisson": links.EXP,
    "Tweedie": links.EXP,
    "Logloss": links.SIGMOID,
    "CrossEntropy": links.SIGMOID,
    "MultiClass": links.SOFTMAX,
    "MultiClassOneVsAll": links.SIGMOIDS,
}
CLASSIFIERS: Final = ("Logloss", "CrossEntropy", "MultiClass", "MultiClassOneVsAll")


def read_catboost(model: Mapping[str, Any], *, classes: Array | None = None) -> Ensemble:
    """The ensemble in a JSON model; ``classes`` are the labels of a classifier."""
    info = model["features_info"]
    others = [name for name in ("categorical_features", "text_features", "embedding_features") if info.get(name)]
    if others:
        raise ConversionError(
            "categorical features, which CatBoost replaces with statistics of the training data",
            where=_WHERE,
            expected="numbers only",
            found=", ".join(name.replace("_", " ") for name in others),
            advice="Encode categories before CatBoost (OrdinalEncoder, OneHotEncoder), and train without cat_features.",
        )
    loss = model["model_info"]["params"]["loss_function"]["type"]
    link = link_of(loss, LINKS, where=_WHERE)
    scale, base = model["scale_and_bias"]
    bias = np.atleast_1d(np.asarray(base, np.float64))
    features = info["float_features"]
    columns = {int(feature["feature_index"]): int(feature["flat_feature_index"]) for feature in features}
    nan_right = {int(feature["feature_index"]): feature.get("nan_value_treatment") == "AsTrue" for feature in features}
    outputs = _outputs(model, len(bias))
    reader = _oblivious if "oblivious_trees" in model else _free
    trees = model["oblivious_trees"] if "oblivious_trees" in model else model["trees"]
    return Ensemble(
        trees=tuple(reader(tree, columns, nan_right, outputs, float(scale)) for tree in trees),
        features=len(features),
        outputs=outputs,
        base=np.broadcast_to(bias, (outputs,)).astype(np.float64),
        link=link,
        classes=classes if loss in CLASSIFIERS else None,
        narrow=True,
    )


def _outputs(model: Mapping[str, Any], biases: int) -> int:
    if "oblivious_trees" not in model or not model["oblivious_trees"]:
        leaf = next((value for tree in model.get("trees", ()) for value in _leaves(tree)), 0.0)
        return len(np.atleast_1d(leaf)) if model.get("trees") else biases
    tree = model["oblivious_trees"][0]
    values: list[float] = tree["leaf_values"]
    return len(values) // (1 << len(tree["splits"] or ()))


def _leaves(tree: Mapping[str, Any]) -> list[Any]:
    waiting, values = [tree], []
    while waiting:
        node = waiting.pop()
        if "split" in node:
            waiting += [node["left"], node["right"]]
        else:
            values.append(node["value"])
    return values


def _oblivious(tree: Mapping[str, Any], columns: Mapping[int, int], nan_right: Mapping[int, bool], outputs: int, scale: float) -> Tree:
    """All nodes of a level split alike; bit i of a leaf's number is the answer of split i. The last split is put at the root."""
    splits = list(tree["splits"] or ())[::-1]
    values = np.asarray(tree["leaf_values"], np.float64).reshape(-1, outputs) * scale
    depth = len(splits)
    inner = 2**depth - 1
    node = np.arange(inner)
    level = np.floor(np.log2(node + 1)).astype(np.int64)
    indices = np.array([_feature(split) for split in splits], np.int64)
    column = np.array([columns[int(at)] for at in indices], np.int64)
    right = np.array([nan_right[int(at)] for at in indices], bool)
    border = np.array([split["border"] for split in splits], np.float64).astype(np.float32)
    leaves = 2**depth
    none = np.zeros(leaves, np.int64)
    return Tree(
        feature=np.concatenate([column[level], none - 1]),
        threshold=np.concatenate([border[level], none.astype(np.float32)]),
        missing_left=np.concatenate([~right[level], none.astype(bool)]),
        left=np.concatenate([2 * node + 1, none]),
        right=np.concatenate([2 * node + 2, none]),
        value=np.concatenate([np.zeros((inner, outputs)), values]),
    )


def _free(tree: Mapping[str, Any], columns: Mapping[int, int], nan_right: Mapping[int, bool], outputs: int, scale: float) -> Tree:
    """Depthwise and Lossguide trees: nodes with a split and two sides."""
    builder = TreeBuilder(outputs)
    waiting = [(tree, builder.new())]
    while waiting:
        branch, node = waiting.pop()
        if "split" not in branch:
            builder.leaf(node, np.atleast_1d(np.asarray(branch["value"], np.float64)) * scale)
            continue
        feature = _feature(branch["split"])
        left, right = builder.new(), builder.new()
        border = float(np.float32(branch["split"]["border"]))
        builder.split(node, columns[feature], border, missing_left=not nan_right[feature], left=left, right=right)
        waiting += [(branch["left"], left), (branch["right"], right)]
    return builder.tree()


def _feature(split: Mapping[str, Any]) -> int:
    if split["split_type"] != "FloatFeature":
        raise ConversionError("a split that is not on a number", where=_WHERE, expected="FloatFeature", found=split["split_type"])
    return int(split["float_feature_index"])
