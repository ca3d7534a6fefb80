"""scikit-learn's trees, forests, gradient boosting, histogram gradient boosting and isolation forests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from sealift_packager.trees import ensemble as links
from sealift_packager.trees.builder import TreeBuilder, equal_to, truncated_to
from sealift_packager.trees.ensemble import Array, Ensemble, Tree
from sealift_packager.trees.isolation import read_isolation


def read_scikit(model: Any) -> Ensemble | None:
    """The ensemble in a fitted estimator; None for estimators that are none, or whose start is a model of its own."""
    reader = next(
        (READERS[base.__name__] for base in type(model).__mro__ if base.__name__ in READERS and base.__module__.startswith("sklearn.")), None
    )
    return reader(model) if reader else None


def _single(model: Any) -> Ensemble | None:
    return _averaged(model, [model])


def _forest(model: Any) -> Ensemble | None:
    return _averaged(model, list(model.estimators_))


def _averaged(model: Any, members: list[Any]) -> Ensemble | None:
    if model.n_outputs_ != 1 and hasattr(model, "classes_"):
        return None
    classes = getattr(model, "classes_", None)
    trees = tuple(_tree(member.tree_, normalized=classes is not None) for member in members)
    width = trees[0].value.shape[1]
    link = links.IDENTITY if classes is None else links.PROBABILITIES
    return Ensemble(
        trees=trees,
        features=int(model.n_features_in_),
        outputs=width,
        base=np.zeros(width),
        link=link,
        divisor=float(len(trees)),
        classes=classes,
        narrow=True,
    )


def _tree(tree: Any, *, normalized: bool = False, factor: float = 1.0, output: int = 0) -> Tree:
    value = tree.value.reshape(tree.node_count, -1).astype(np.float64)
    if normalized:
        total = value.sum(axis=1, keepdims=True)
        value = value / np.where(total == 0, 1, total)
    inner = tree.children_left != -1
    _check_inner(tree.children_left, tree.feature, inner)
    state = tree.__getstate__()["nodes"]
    missing = state["missing_go_to_left"] if "missing_go_to_left" in (state.dtype.names or ()) else np.zeros(tree.node_count)
    return Tree(
        feature=np.where(inner, tree.feature, -1).astype(np.int64),
        threshold=np.where(inner, tree.threshold, 0.0),
        missing_left=missing.astype(bool),
        left=np.where(inner, tree.children_left, 0).astype(np.int64),
        right=np.where(inner, tree.children_right, 0).astype(np.int64),
        value=value * factor,
        output=output,
    )


def _check_inner(left: Array, feature: Array, inner: Array) -> None:
    """scikit-learn follows what is not marked as a leaf, whatever it points to; `trees.validity` sees to the rest."""
    if (left[inner].astype(np.int64) < 0).any() or (feature[inner].astype(np.int64) < 0).any():
        raise ValueError("an inner node without children or without a column")


def _boosting(model: Any) -> Ensemble | None:
    stages, width = model.estimators_.shape
    start = np.zeros((1, width))
    if model.init_ != "zero":
        if not type(model.init_).__name__.startswith("Dummy"):
            return None
        start = _start_of_boosting(model)
    trees = tuple(
        _tree(model.estimators_[stage, output].tree_, factor=model.learning_rate, output=output) for stage in range(stages) for output in range(width)
    )
    classes = getattr(model, "classes_", None)
    factor = 2.0 if model.loss == "exponential" and classes is not None else 1.0
    link = links.IDENTITY if classes is None else (links.SIGMOID if width == 1 else links.SOFTMAX)
    return Ensemble(
        trees=trees,
        features=int(model.n_features_in_),
        outputs=width,
        base=start.reshape(-1).astype(np.float64),
        link=link,
        factor=factor,
        classes=classes,
        narrow=True,
    )


def _start_of_boosting(model: Any) -> Array:
    """What the constant start gives, in the link's scale: scikit-learn keeps it only as a function."""
    zeros = np.zeros((1, model.n_features_in_), np.float32)
    return np.asarray(model._raw_predict_init(zeros), np.float64)  # noqa: SLF001


def _histogram(model: Any) -> Ensemble | None:
    width = int(model.n_trees_per_iteration_)
    categories = _categories(model)
    if categories is None:
        return None
    meaning = equal_to if hasattr(model, "_preprocessor") else _whole_part
    trees = tuple(
        _histogram_tree(predictor, categories, output, meaning)
        for iteration in model._predictors  # noqa: SLF001
        for output, predictor in enumerate(iteration)
    )
    classes = getattr(model, "classes_", None)
    if classes is not None:
        link = links.SIGMOID if width == 1 else links.SOFTMAX
    else:
        link = {"poisson": links.EXP, "gamma": links.EXP}.get(model.loss, links.IDENTITY)
    base = np.asarray(model._baseline_prediction, np.float64).reshape(-1)  # noqa: SLF001
    return Ensemble(trees=trees, features=int(model.n_features_in_), outputs=width, base=base, link=link, classes=classes)


def _categories(model: Any) -> dict[int, tuple[int, Array | None]] | None:
    """Tree's feature → (the row's column, its categories by code, None for a number). None if categories are text."""
    flags = getattr(model, "is_categorical_", None)
    count = int(model.n_features_in_)
    if flags is None or not flags.any():
        return {at: (at, None) for at in range(count)}
    if not hasattr(model, "_preprocessor"):  # before scikit-learn 1.4, a category is its own code
        thresholds = model._bin_mapper.bin_thresholds_  # noqa: SLF001
        return {at: (at, _by_code(thresholds[at]) if flags[at] else None) for at in range(count)}
    encoder = model._preprocessor.named_transformers_["encoder"]  # noqa: SLF001
    columns = [*np.flatnonzero(flags), *np.flatnonzero(~flags)]  # the preprocessor puts categories first
    encoded = [np.asarray(categories) for categories in encoder.categories_]
    if any(categories.dtype.kind not in "iufb" for categories in encoded):
        return None
    return {at: (int(column), encoded[at] if at < len(encoded) else None) for at, column in enumerate(columns)}


def _whole_part(category: float) -> tuple[float, float] | None:
    """What scikit-learn before 1.4 takes for a category: it cuts the fraction off, and what is below 0 is missing."""
    return truncated_to(int(category), negative_fractions=False)


def _by_code(categories: Array) -> Array:
    """Categories that are their own codes; a code between them that is none is NaN."""
    codes = np.full(int(categories.max()) + 1, np.nan)
    codes[categories.astype(np.int64)] = categories
    return codes


def _histogram_tree(
    predictor: Any, columns: dict[int, tuple[int, Array | None]], output: int, meaning: Callable[[float], tuple[float, float] | None]
) -> Tree:
    """``meaning`` gives the interval of values that are taken for a category."""
    nodes, bits = predictor.nodes, predictor.raw_left_cat_bitsets
    if not nodes["is_categorical"].any():
        return _histogram_numbers(nodes, columns, output)
    builder = TreeBuilder(1)
    for _ in nodes:
        builder.new()
    for at, node in enumerate(nodes):
        left, right, missing_left = int(node["left"]), int(node["right"]), bool(node["missing_go_to_left"])
        column, categories = columns[int(node["feature_idx"])]
        if node["is_leaf"]:
            builder.leaf(at, np.array([node["value"]]))
        elif node["is_categorical"] and categories is not None:
            # Unknown categories go where missing ones go, so the other side is the one to be listed.
            chosen = {code for code in range(len(categories)) if (int(bits[node["bitset_idx"]][code // 32]) >> (code % 32)) & 1}
            listed = set(range(len(categories))) - chosen if missing_left else chosen
            values = [float(categories[code]) for code in sorted(listed)]
            intervals = [pair for pair in map(meaning, (value for value in values if value == value)) if pair]
            default, other = (left, right) if missing_left else (right, left)
            builder.members(at, column, intervals, inside=other, outside=default, missing=default)
        else:
            threshold = float(node["num_threshold"])
            builder.split(at, column, threshold, missing_left=missing_left, left=left, right=right)
    return builder.tree(output=output)


def _histogram_numbers(nodes: Array, columns: dict[int, tuple[int, Array | None]], output: int) -> Tree:
    inner = nodes["is_leaf"] == 0
    _check_inner(nodes["left"], nodes["feature_idx"], inner)
    order = np.array([columns[at][0] for at in range(len(columns))], np.int64)
    return Tree(
        feature=np.where(inner, order[np.where(inner, nodes["feature_idx"], 0)], -1),
        threshold=np.where(inner, nodes["num_threshold"], 0.0),
        missing_left=nodes["missing_go_to_left"].astype(bool),
        left=nodes["left"].astype(np.int64) * inner,
        right=nodes["right"].astype(np.int64) * inner,
        value=nodes["value"].reshape(-1, 1).astype(np.float64) * ~inner[:, None],
        output=output,
    )


READERS: Final[dict[str, Callable[[Any], Ensemble | None]]] = {
    "BaseDecisionTree": _single,
    "ForestClassifier": _forest,
    "ForestRegressor": _forest,
    "BaseGradientBoosting": _boosting,
    "BaseHistGradientBoosting": _histogram,
    "IsolationForest": lambda model: read_isolation(model, _tree),
}
