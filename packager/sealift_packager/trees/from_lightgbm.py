"""LightGBM's boosters, from their text model (``booster.model_to_string()``, the ``.txt`` that it saves).

Decisions: https://github.com/microsoft/LightGBM/blob/v4.6.0/include/LightGBM/tree.h. Rows are float64 there, thresholds too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from sealift_packager.errors import ConversionError
from sealift_packager.trees import ensemble as links
from sealift_packager.trees.builder import TreeBuilder, truncated_to
from sealift_packager.trees.ensemble import Array, Ensemble, Tree, link_of

_WHERE: Final = "LightGBM model"
_CATEGORICAL, _DEFAULT_LEFT = 1, 2
_NONE, _ZERO, _NAN = 0, 1, 2
#: |x| up to this is zero (kZeroThreshold, a float32 there).
ZERO: Final = float(np.float32(1e-35))
LINKS: Final = {
    "regression": links.IDENTITY,
    "regression_l1": links.IDENTITY,
    "huber": links.IDENTITY,
    "fair": links.IDENTITY,
    "quantile": links.IDENTITY,
    "mape": links.IDENTITY,
    "lambdarank": links.IDENTITY,
    "rank_xendcg": links.IDENTITY,
    "binary": links.SIGMOID,
    "cross_entropy": links.SIGMOID,
    "multiclass": links.SOFTMAX,
    "multiclassova": links.SIGMOIDS,
    "poisson": links.EXP,
    "gamma": links.EXP,
    "tweedie": links.EXP,
}
CLASSIFIERS: Final = ("binary", "multiclass", "multiclassova")


def read_lightgbm(text: str, *, classes: Array | None = None) -> Ensemble:
    """The ensemble in a text model; ``classes`` are the labels where they aren't 0, 1, …."""
    head, *parts = text.split("\nend of trees", maxsplit=1)[0].split("\nTree=")
    fields = _fields(head)
    words = fields.get("objective", "regression").split()
    link = link_of(words[0], LINKS, where=_WHERE)
    outputs = int(fields["num_tree_per_iteration"])
    if words[0] in CLASSIFIERS and classes is None:
        classes = np.arange(max(outputs, 2))
    sigmoid = next((float(word.partition(":")[2]) for word in words if word.startswith("sigmoid:")), 1.0)
    averaged = any(line.strip() == "average_output" for line in head.splitlines())
    return Ensemble(
        trees=tuple(_tree(_fields(part), at % outputs) for at, part in enumerate(parts)),
        features=int(fields["max_feature_idx"]) + 1,
        outputs=outputs,
        base=np.zeros(outputs),
        link=links.SQUARE if "sqrt" in words else link,
        divisor=float(len(parts) // outputs) if averaged else 1.0,
        factor=sigmoid,
        classes=classes if words[0] in CLASSIFIERS else None,
    )


def feature_names(text: str) -> tuple[str, ...]:
    """The columns' names."""
    return tuple(_fields(text.partition("\nTree=")[0])["feature_names"].split())


def _fields(text: str) -> dict[str, str]:
    return {key: value for key, _, value in (line.partition("=") for line in text.splitlines())}


def _numbers(fields: Mapping[str, str], name: str, dtype: type) -> Array:
    words = fields.get(name, "").split()
    return np.array([float(word) for word in words], np.float64) if dtype is float else np.array([int(word) for word in words], np.int64)


def _tree(fields: Mapping[str, str], output: int) -> Tree:
    """Inner nodes come first, then the leaves, which the file numbers ~0, ~1 and so on."""
    if fields.get("is_linear", "0") != "0":
        raise ConversionError("linear models in the leaves", where=_WHERE, expected="linear_tree=false", advice="Train without linear_tree.")
    leaves = _numbers(fields, "leaf_value", float)
    builder = TreeBuilder(1)
    inner = len(leaves) - 1
    for _ in range(inner + len(leaves)):
        builder.new()
    for at, value in enumerate(leaves):
        builder.leaf(inner + at, value)
    if inner == 0:
        return builder.tree(output=output)
    decisions, features = _numbers(fields, "decision_type", int), _numbers(fields, "split_feature", int)
    thresholds = _numbers(fields, "threshold", float)
    left, right = (_numbered(_numbers(fields, name, int), inner) for name in ("left_child", "right_child"))
    ends, words = _numbers(fields, "cat_boundaries", int), _numbers(fields, "cat_threshold", int)
    for node in range(inner):
        decision = int(decisions[node])
        if decision & _CATEGORICAL:
            at = int(thresholds[node])
            chosen = [truncated_to(category, negative_fractions=True) for category in _members(words[ends[at] : ends[at + 1]])]
            builder.members(node, int(features[node]), chosen, inside=left[node], outside=right[node], missing=right[node])
        else:
            _split(builder, node, int(features[node]), float(thresholds[node]), decision, left[node], right[node])
    return builder.tree(output=output)


def _numbered(children: Array, inner: int) -> list[int]:
    return [int(child) if child >= 0 else inner + ~int(child) for child in children]


def _members(words: Array) -> list[int]:
    return [32 * at + bit for at, word in enumerate(words) for bit in range(32) if (int(word) >> bit) & 1]


def _split(builder: TreeBuilder, node: int, feature: int, exact: float, decision: int, left: int, right: int) -> None:
    """A number's split; where zero counts as missing, it is cut out of its side and sent to the default one."""
    low, high = float(np.nextafter(-ZERO, -np.inf)), ZERO
    if abs(exact) <= ZERO:  # all of these numbers are read as zero, whatever else is done with it
        exact = high if exact >= 0 else low
    threshold, default_left = exact, bool(decision & _DEFAULT_LEFT)
    treatment = (decision >> 2) & 3
    if treatment == _NAN:
        builder.split(node, feature, threshold, missing_left=default_left, left=left, right=right)
        return
    if treatment == _ZERO and exact in (low, high):
        builder.split(node, feature, high if default_left else low, missing_left=default_left, left=left, right=right)
        return
    if treatment == _NONE or (exact >= 0) == default_left:  # NaN counts as zero; zero lies where the default is
        builder.split(node, feature, threshold, missing_left=exact >= 0, left=left, right=right)
        return
    if default_left:  # x <= threshold < zero: left; below zero: right; zero: left; above: right
        above, zero = builder.new(), builder.new()
        builder.split(node, feature, threshold, missing_left=True, left=left, right=above)
        builder.split(above, feature, low, missing_left=False, left=right, right=zero)
        builder.split(zero, feature, high, missing_left=True, left=left, right=right)
    else:  # below zero: left; zero: right; up to the threshold: left; above: right
        zero, above = builder.new(), builder.new()
        builder.split(node, feature, low, missing_left=False, left=left, right=zero)
        builder.split(zero, feature, high, missing_left=True, left=right, right=above)
        builder.split(above, feature, threshold, missing_left=False, left=left, right=right)
