"""Is an ensemble one that can be walked? Pure; a library's reader may have believed a damaged file."""

from __future__ import annotations

from typing import Final

import numpy as np

from sealift_packager.errors import SourceModelError
from sealift_packager.trees.ensemble import Array, Ensemble, Tree

MAX_FEATURES: Final = 2**24
MAX_OUTPUTS: Final = 2**16


def check_ensemble(ensemble: Ensemble, *, where: str) -> None:
    """Raise `SourceModelError` for what no training gives.

    1. There are trees, and no more inputs and outputs than a table can have.
    2. Every child is a node of its tree, and no path comes back to where it was.
    3. Every feature is one of the inputs.
    4. Leaves are finite, and so is what their sum starts at and is multiplied by; thresholds are numbers.
    """
    sizes = (("inputs", ensemble.features, MAX_FEATURES), ("outputs", ensemble.outputs, MAX_OUTPUTS), ("trees", len(ensemble.trees), 2**31))
    for noun, count, most in sizes:  # 1
        if not 1 <= count <= most:
            raise SourceModelError(f"an impossible number of {noun}", where=where, expected=f"1 to {most:,}", found=f"{count:,}", advice=DAMAGED)
    if not np.isfinite([*ensemble.base, ensemble.factor, ensemble.divisor]).all():  # 4
        raise SourceModelError("a base score or a scale that is not a finite number", where=where, expected="a whole model", advice=DAMAGED)
    for number, tree in enumerate(ensemble.trees):
        problem = _problem(tree, ensemble.features)
        if problem:
            raise SourceModelError(problem, where=f"{where}: tree {number}", expected="a complete tree", advice=DAMAGED)


DAMAGED: Final = "The file is damaged: save the model again."


def _problem(tree: Tree, features: int) -> str | None:
    inner = tree.feature >= 0
    children = np.concatenate([tree.left[inner], tree.right[inner]])
    if len(children) and not ((children >= 0) & (children < len(tree.feature))).all():  # 2
        return "a child that is not a node of its tree"
    if _comes_back(tree, inner):
        return "a path that returns to an earlier node"
    if (tree.feature >= features).any():  # 3
        return f"a split by column {int(tree.feature.max())} of {features:,} columns"
    if not np.isfinite(tree.value[~inner]).all():  # 4
        return "a leaf that is not a number"
    return "a threshold that is not a number" if np.isnan(tree.threshold[inner]).any() else None


def _comes_back(tree: Tree, inner: Array) -> bool:
    """Whether nodes remain once those without parents are taken away, again and again."""
    parents = np.zeros(len(inner), np.int64)
    for side in (tree.left, tree.right):
        np.add.at(parents, side[inner], 1)
    ready = [int(node) for node in np.flatnonzero(parents == 0)]
    taken = 0
    while ready:
        node = ready.pop()
        taken += 1
        for child in (int(tree.left[node]), int(tree.right[node])) if inner[node] else ():
            parents[child] -= 1
            if parents[child] == 0:
                ready.append(child)
    return taken < len(inner)
