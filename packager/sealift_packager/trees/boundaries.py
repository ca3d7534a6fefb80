"""Rows that stand on both sides of every threshold, at the node that it belongs to."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Final

import numpy as np

from sealift_packager.trees.ensemble import Array, Ensemble, Tree
from sealift_packager.trees.thresholds import after, before, round_down

#: Above this, each pair of feature and threshold is visited once, not once for each node that has it.
MAX_NODES: Final = 200_000
CHUNK_ROWS: Final = 20_000

Interval = tuple[float, float, bool]
_FREE: Final[Interval] = (-float(np.finfo(np.float32).max), float(np.finfo(np.float32).max), True)


def boundary_rows(ensemble: Ensemble, base: Array, *, takes_nan: bool) -> Iterator[Array]:
    """Chunks of float32 rows [rows, features].

    For each split there is a row that arrives there with its feature at the last float32 that goes left, one at the first that goes right,
    and one where it is missing if the source takes that. The other features are those of a ``base`` row, moved as far as the path to the node
    needs. A node that no finite row can reach is left out.
    """
    rows = _rows(ensemble, np.asarray(base, np.float32), takes_nan)
    while chunk := list(itertools.islice(rows, CHUNK_ROWS)):
        yield np.stack(chunk)


def _rows(ensemble: Ensemble, base: Array, takes_nan: bool) -> Iterator[Array]:
    once = ensemble.splits > MAX_NODES
    seen: set[tuple[int, float]] = set()
    turn = itertools.cycle(range(len(base)))
    for tree in ensemble.trees:
        for node, path in _nodes(tree):
            key = int(tree.feature[node]), float(tree.threshold[node])
            if once and key in seen:
                continue
            seen.add(key)
            row = _moved(base[next(turn)], path, takes_nan)
            if row is not None:
                yield from _sides(tree, node, row, path.get(key[0], _FREE), takes_nan)


def _sides(tree: Tree, node: int, row: Array, interval: Interval, takes_nan: bool) -> Iterator[Array]:
    feature = tree.feature[node]
    last_left, first_right = _edges(tree, node)
    edges = [value for value in (last_left, first_right) if interval[0] <= value <= interval[1]]
    for value in [*edges, np.nan] if takes_nan and interval[2] else edges:
        copy = row.copy()
        copy[feature] = value
        yield copy


def _edges(tree: Tree, node: int) -> tuple[float, float]:
    """The last float32 that goes left, the first that goes right (infinite where there is none)."""
    threshold = round_down(tree.threshold[node])
    return (float(before(threshold)), float(threshold)) if tree.strict else (float(threshold), float(after(threshold)))


def _nodes(tree: Tree) -> Iterator[tuple[int, dict[int, Interval]]]:
    """Each split once, with what the path to it demands of each feature."""
    waiting: list[tuple[int, dict[int, Interval]]] = [(0, {})]
    seen: set[int] = set()
    while waiting:
        node, path = waiting.pop()
        feature = int(tree.feature[node])
        if feature < 0 or node in seen:
            continue
        seen.add(node)
        yield node, path
        low, high, missing = path.get(feature, _FREE)
        last_left, first_right = _edges(tree, node)
        to_left = bool(tree.missing_left[node])
        waiting.append((int(tree.left[node]), path | {feature: (low, min(high, last_left), missing and to_left)}))
        waiting.append((int(tree.right[node]), path | {feature: (max(low, first_right), high, missing and not to_left)}))


def _moved(row: Array, path: dict[int, Interval], takes_nan: bool) -> Array | None:
    copy = row.copy()
    for feature, (low, high, missing) in path.items():
        if low > high:
            if not (missing and takes_nan):
                return None
            copy[feature] = np.nan
        elif not low <= copy[feature] <= high:
            copy[feature] = low if abs(low) < abs(high) else high
    return copy
