"""An isolation forest: the sum of path lengths, written so that float32 sums of it are exact in whatever order."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from sealift_packager.trees import ensemble as links
from sealift_packager.trees.ensemble import Array, Ensemble, Isolation, Tree

#: float32 holds every whole number up to 2^24.
_WHOLE_BITS: Final = 24
_DIGITS: Final = 3


def isolation_ensemble(trees: tuple[Tree, ...], lengths: list[Array], *, features: int, normal: float, offset: float) -> Ensemble:
    """``lengths``: of each tree, what each node's path length is (only leaves count), 0 or more.

    scikit-learn adds them up in float64, and rows that it was fitted on may lie on the limit of ``contamination`` itself. onnxruntime's trees add
    up in float32. So each length is three whole numbers, in units that get smaller: sums of whole numbers below 2^24 are exact.
    """
    units = _units(sum(float(length.max()) for length in lengths), len(trees))
    digits = tuple(dataclasses.replace(tree, value=_split(length, units)) for tree, length in zip(trees, lengths, strict=True))
    return Ensemble(
        trees=digits,
        features=features,
        outputs=_DIGITS,
        base=np.zeros(_DIGITS),
        link=links.ISOLATION,
        narrow=True,
        isolation=Isolation(units=units, normal=normal, offset=offset),
    )


def _units(most: float, trees: int) -> Array:
    """Powers of two: ``most`` in the first one, and each remainder of ``trees`` lengths in the next, is below 2^24."""
    first = math.frexp(max(most, 1.0))[1] - _WHOLE_BITS
    each = math.frexp(trees)[1] - _WHOLE_BITS
    return np.exp2(first + each * np.arange(_DIGITS))


def _split(values: Array, units: Array) -> Array:
    """[nodes, units]: whole numbers of each unit, the largest one first."""
    columns, rest = [], np.asarray(values, np.float64)
    for unit in units:
        columns.append(np.floor(rest / unit))
        rest = rest - columns[-1] * unit
    return np.stack(columns, axis=1)


def read_isolation(model: Any, tree_of: Callable[[Any], Tree]) -> Ensemble | None:
    """scikit-learn's IsolationForest; None for one fitted on single rows, which has no lengths."""
    from sklearn.ensemble._iforest import _average_path_length

    normal = len(model.estimators_) * float(_average_path_length([model._max_samples])[0])  # noqa: SLF001
    if not normal:
        return None
    trees, lengths = [], []
    for member, features in zip(model.estimators_, model.estimators_features_, strict=True):
        tree = tree_of(member.tree_)
        trees.append(_on_features(tree, np.asarray(features)))
        lengths.append(np.where(tree.feature < 0, member.tree_.compute_node_depths() + _average_path_length(member.tree_.n_node_samples) - 1.0, 0.0))
    return isolation_ensemble(tuple(trees), lengths, features=int(model.n_features_in_), normal=normal, offset=float(model.offset_))


def _on_features(tree: Tree, features: Array) -> Tree:
    """A tree that was fitted on some of the features, on all of them."""
    return dataclasses.replace(tree, feature=np.where(tree.feature < 0, -1, features[np.maximum(tree.feature, 0)]))
