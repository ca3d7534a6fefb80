"""XGBoost's boosters, from their JSON model.

Format: https://xgboost.readthedocs.io/en/stable/tutorials/saving_model.html. A row goes left if x < threshold, both float32; categories that are
stored go right.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from sealift_packager.errors import ConversionError
from sealift_packager.trees import ensemble as links
from sealift_packager.trees.builder import TreeBuilder, check_categories, exactly, truncated_to
from sealift_packager.trees.ensemble import Array, Ensemble, Tree, link_of
from sealift_packager.trees.thresholds import before

_WHERE: Final = "XGBoost model"
#: Objective → link; https://xgboost.readthedocs.io/en/stable/parameter.html#learning-task-parameters
LINKS: Final = {
    "reg:squarederror": links.IDENTITY,
    "reg:linear": links.IDENTITY,
    "reg:squaredlogerror": links.IDENTITY,
    "reg:absoluteerror": links.IDENTITY,
    "reg:pseudohubererror": links.IDENTITY,
    "reg:quantileerror": links.IDENTITY,
    "rank:pairwise": links.IDENTITY,
    "rank:ndcg": links.IDENTITY,
    "rank:map": links.IDENTITY,
    "binary:logitraw": links.IDENTITY,
    "reg:logistic": links.SIGMOID,
    "binary:logistic": links.SIGMOID,
    "multi:softprob": links.SOFTMAX,
    "multi:softmax": links.SOFTMAX,
    "count:poisson": links.EXP,
    "reg:gamma": links.EXP,
    "reg:tweedie": links.EXP,
}
CLASSIFIERS: Final = ("binary:logistic", "multi:softprob", "multi:softmax")


def read_xgboost(model: bytes, *, classes: Array | None = None, rounds: int | None = None, missing: float | None = None) -> Ensemble:
    """The ensemble in ``booster.save_raw("json")``.

    ``classes`` are the labels where they aren't 0, 1, …; ``rounds`` is how many are used; ``missing`` is the number that counts
    as missing, beside NaN.
    """
    learner = json.loads(model)["learner"]
    objective, booster = learner["objective"]["name"], learner["gradient_booster"]
    link = link_of(objective, LINKS, where=_WHERE)
    if booster["name"] == "gblinear":
        raise ConversionError("a linear booster, not trees", where=_WHERE, expected="gbtree or dart", found="gblinear")
    weights = booster.get("weight_drop") or []
    trees_of = booster["gbtree"]["model"] if booster["name"] == "dart" else booster["model"]
    parameters = learner["learner_model_param"]
    outputs = max(int(parameters["num_class"]), int(parameters.get("num_target", "1")), 1)
    pairs = list(zip(trees_of["trees"], trees_of["tree_info"], strict=True))
    ends = trees_of.get("iteration_indptr")
    if rounds is not None and ends:
        pairs = pairs[: ends[min(rounds, len(ends) - 1)]]
    categories = stored_categories(trees_of)
    if missing is not None and any(any(tree.get("split_type", ())) for tree, _ in pairs):
        raise ConversionError(
            "a number that stands for missing values, beside columns of categories",
            where=_WHERE,
            expected="missing=nan",
            found=f"missing={missing:g}",
            advice="Train it with NaN, or an empty category, for missing values.",
        )
    trees = tuple(
        _tree(tree, output=output, factor=float(weights[at]) if weights else 1.0, categories=categories) for at, (tree, output) in enumerate(pairs)
    )
    if objective in CLASSIFIERS and classes is None:
        classes = np.arange(max(outputs, 2))
    return Ensemble(
        trees=trees,
        features=int(parameters["num_feature"]),
        outputs=outputs,
        base=_base(parameters, link, outputs),
        link=link,
        classes=classes if objective in CLASSIFIERS else None,
        narrow=True,
        narrow_sum=True,
        missing=missing,
    )


#: XGBoost's bound of a share that the sum starts from.
_LEAST_SHARE: Final = 1e-6


def _base(parameters: Mapping[str, Any], link: str, outputs: int) -> Array:
    """Where the sum starts: base_score is kept in the prediction's scale, one number for all outputs before 3.1.

    XGBoost takes a share below 1e-6 for 1e-6, one above 1 - 1e-6 for that, and computes in float32, which has few digits near 1.
    """
    text = parameters["base_score"]
    score = np.atleast_1d(np.asarray(json.loads(text) if isinstance(text, str) else text, np.float32))
    with np.errstate(divide="ignore", invalid="ignore"):  # no number: see `validity`
        if link == links.SIGMOID:
            one, least = np.float32(1), np.float32(_LEAST_SHARE)
            score = -np.log(one / np.where(score > 0, np.clip(score, least, one - least), score) - one)
        elif link == links.EXP:
            score = np.log(score.astype(np.float64))
    return np.broadcast_to(score, (outputs,)).astype(np.float64)


def stored_categories(booster: Mapping[str, Any]) -> dict[int, list[int]]:
    """The values that stand for a pandas table's categories 0, 1, …, by feature, where the model has them (from XGBoost 3.1 on).

    Raises:
        ConversionError: If they are text, or numbers that float32 can't tell apart.
    """
    categories: dict[int, list[int]] = {}
    for feature, values in enumerate((booster.get("cats") or {}).get("enc", ())):
        if values.get("offsets"):
            raise ConversionError(
                "categories of text, from a pandas table",
                where=f"{_WHERE}: column {feature}",
                expected="numbers",
                advice="Train on numbers: put OrdinalEncoder(handle_unknown='use_encoded_value', unknown_value=np.nan) before XGBoost in a pipeline.",
            )
        if values["values"]:
            categories[feature] = check_categories([int(value) for value in values["values"]], where=f"{_WHERE}: column {feature}")
    return categories


def _tree(tree: Mapping[str, Any], *, output: int, factor: float, categories: Mapping[int, Sequence[int]]) -> Tree:
    if int(tree["tree_param"].get("size_leaf_vector", "1")) > 1:
        raise ConversionError(
            "trees with several targets in a leaf", where=_WHERE, expected="multi_strategy='one_output_per_tree'", found="multi_output_tree"
        )
    left = np.asarray(tree["left_children"], np.int64)
    inner = left >= 0
    conditions = np.asarray(tree["split_conditions"], np.float32)
    value = np.where(inner, 0, (conditions * np.float32(factor)).astype(np.float64))
    if any(tree.get("split_type", ())):
        return _categorical_tree(tree, inner, conditions, value, output, categories)
    return Tree(
        feature=np.where(inner, np.asarray(tree["split_indices"], np.int64), -1),
        threshold=np.where(inner, conditions, np.float32(0)),
        missing_left=np.asarray(tree["default_left"], bool),
        left=np.where(inner, left, 0),
        right=np.where(inner, np.asarray(tree["right_children"], np.int64), 0),
        value=value.reshape(-1, 1),
        output=output,
        strict=True,
    )


def _categorical_tree(
    tree: Mapping[str, Any], inner: Array, conditions: Array, value: Array, output: int, categories: Mapping[int, Sequence[int]]
) -> Tree:
    builder = TreeBuilder(1)
    for _ in inner:
        builder.new()
    stored = {
        node: tree["categories"][start : start + size]
        for node, start, size in zip(tree["categories_nodes"], tree["categories_segments"], tree["categories_sizes"], strict=True)
    }
    for node in range(len(inner)):
        left, right = int(tree["left_children"][node]), int(tree["right_children"][node])
        feature, to_left = int(tree["split_indices"][node]), bool(tree["default_left"][node])
        if not inner[node]:
            builder.leaf(node, value[node])
        elif node in stored and feature in categories:  # what isn't known is missing
            missing, other = (left, right) if to_left else (right, left)
            chosen = {int(category) for category in stored[node]}
            leaving = chosen if other == right else set(range(len(categories[feature]))) - chosen
            values = [exactly(categories[feature][category]) for category in sorted(leaving)]
            builder.members(node, feature, values, inside=other, outside=missing, missing=missing)
        elif node in stored:
            intervals = [truncated_to(int(category), negative_fractions=False) for category in stored[node]]
            builder.members(node, feature, intervals, inside=right, outside=left, missing=left if to_left else right)
        else:
            builder.split(node, feature, float(before(conditions[node])), missing_left=to_left, left=left, right=right)
    return builder.tree(output=output)
