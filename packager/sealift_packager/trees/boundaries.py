"""Rows that stand on both sides of every threshold, at the node that it belongs to."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from sealift_packager.trees.ensemble import Array, Ensemble, Tree
from sealift_packager.trees.thresholds import after, before, round_down

#: Above this, each pair of feature and threshold is visited once, not once for each node that has it.
MAX_NODES: Final = 200_000
CHUNK_ROWS: Final = 20_000

Interval = tuple[float, float, bool]
DType = np.dtype[Any]


def boundary_rows(ensemble: Ensemble, base: Array, *, takes_nan: bool, double: bool = False) -> Iterator[Array]:
    """Chunks of rows [rows, features], of float32, or of float64 if they are to be ``double``.

    For each split there is a row that arrives there with its feature at the last number that goes left, one at the first that goes right,
    and one where it is missing if the source takes that: NaN, and the number that counts as missing. The other features are those of a ``base`` row,
    moved as far as the path to the node needs. A node that no finite row can reach is left out.
    """
    rows = _rows(ensemble, np.asarray(base, np.float64 if double else np.float32), takes_nan)
    while chunk := list(itertools.islice(rows, CHUNK_ROWS)):
        yield np.stack(chunk)


def _rows(ensemble: Ensemble, base: Array, takes_nan: bool) -> Iterator[Array]:
    once = ensemble.splits > MAX_NODES
    seen: set[tuple[int, float]] = set()
    gaps = [gap for gap in (np.nan, ensemble.missing) if takes_nan and gap is not None]
    turn = itertools.cycle(range(len(base)))
    for tree in ensemble.trees:
        for node, path in _nodes(tree, base.dtype):
            key = int(tree.feature[node]), float(tree.threshold[node])
            if once and key in seen:
                continue
            seen.add(key)
            row = _moved(base[next(turn)], path, takes_nan)
            if row is not None:
                yield from _sides(tree, node, row, path.get(key[0], _free(base.dtype)), gaps)


def _sides(tree: Tree, node: int, row: Array, interval: Interval, gaps: list[float]) -> Iterator[Array]:
    feature = tree.feature[node]
    last_left, first_right = _edges(tree, node, row.dtype)
    edges = [value for value in (last_left, first_right) if interval[0] <= value <= interval[1]]
    for value in [*edges, *gaps] if interval[2] else edges:
        copy = row.copy()
        copy[feature] = value
        yield copy


def _free(dtype: DType) -> Interval:
    most = float(np.finfo(dtype).max)
    return -most, most, True


def _edges(tree: Tree, node: int, dtype: DType) -> tuple[float, float]:
    """The last number of the type that goes left, the first that goes right (infinite where there is none)."""
    if dtype == np.float64:
        exact = float(tree.threshold[node])
        return (float(np.nextafter(exact, -np.inf)), exact) if tree.strict else (exact, float(np.nextafter(exact, np.inf)))
    threshold = round_down(tree.threshold[node])
    return (float(before(threshold)), float(threshold)) if tree.strict else (float(threshold), float(after(threshold)))


def _nodes(tree: Tree, dtype: DType) -> Iterator[tuple[int, dict[int, Interval]]]:
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
        low, high, missing = path.get(feature, _free(dtype))
        last_left, first_right = _edges(tree, node, dtype)
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
