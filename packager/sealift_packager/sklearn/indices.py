"""Do the indices in a model stay inside what they point into? Pure; scikit-learn's compiled code believes them, and a file may say anything.

Trees that predict have a check of their own (`trees.validity`); here are neighbours, support vectors, sparse matrices and splines.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any, Final

import numpy as np

from sealift_packager.errors import SourceModelError, first_line
from sealift_packager.trees.validity import DAMAGED

_NEIGHBOURS: Final = ("sklearn.neighbors._kd_tree", "sklearn.neighbors._ball_tree")
_NOT_LOOKED_INTO: Final = (str, bytes, int, float, complex, type, ModuleType, FunctionType, BuiltinFunctionType)


def check_indices(model: Any, where: str) -> None:
    """Raise `SourceModelError` for what no training gives, wherever in the model it is.

    1. A tree of neighbours orders its rows, each once; a node's rows are those of its two children; its distance is of as many columns.
       Each row has an answer, which is a class if there are classes.
    2. The classes of a support vector machine share its vectors, and have a coefficient for each.
    3. A sparse matrix has its entries within its shape.
    4. A spline has its knots in order, and as many as its coefficients need.
    """
    for part in _parts(model):
        try:
            problem = _problem(part)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:  # of a damaged file
            problem = f"a part of the model contradicts itself (caused by: {first_line(error):.200})"
        if problem:
            raise SourceModelError(problem, where=f"{where}: {type(part).__name__}", expected="a complete model", advice=DAMAGED)


def _parts(model: Any) -> Iterator[Any]:
    """Every object that the model holds, by attribute, in containers and in arrays of objects."""
    waiting, seen = [model], dict[int, Any]()
    while waiting:
        part = waiting.pop()
        if id(part) in seen or isinstance(part, _NOT_LOOKED_INTO):
            continue
        seen[id(part)] = part  # kept, so that no other object gets its number
        yield part
        if isinstance(part, Mapping):
            waiting.extend(part.values())
        elif isinstance(part, list | tuple | set | frozenset):
            waiting.extend(part)
        elif isinstance(part, np.ndarray) and part.dtype == object:
            waiting.extend(part.ravel().tolist())
        waiting.extend(getattr(part, "__dict__", {}).values())


def _problem(part: Any) -> str | None:
    from sklearn.svm._base import BaseLibSVM

    if type(part).__module__ in _NEIGHBOURS:
        return _neighbours(part)
    if isinstance(part, BaseLibSVM) and hasattr(part, "support_vectors_"):
        return _support_vectors(part)
    if type(part).__module__.startswith("scipy.sparse."):
        return _sparse(part)
    if hasattr(part, "_fit_X") and hasattr(part, "_y"):
        return _answers_of_neighbours(part)
    return _spline(part) if type(part).__name__ == "BSpline" else None


def _neighbours(tree: Any) -> str | None:
    data, order, nodes, bounds, _, _, count, *_, distance, weights = tree.__getstate__()
    rows, columns = data.shape
    if order.shape != (rows,) or not np.array_equal(np.sort(order), np.arange(rows)) or (weights is not None and len(weights) != rows):  # 1
        return "neighbours that are not rows of the training data"
    if count != len(nodes) or bounds.shape[1:] != (count, columns) or len(bounds) != (1 if "Ball" in type(tree).__name__ else 2):
        return "a neighbour tree whose bounds don't match its nodes"
    start, end = nodes["idx_start"], nodes["idx_end"]
    inner = np.flatnonzero(nodes["is_leaf"] == 0)
    left, right = 2 * inner + 1, 2 * inner + 2
    if not count or start[0] != 0 or end[0] != rows or (right >= count).any():
        return "a neighbour tree with an index outside the tree"
    if (start > end).any() or (start[left] != start[inner]).any() or (end[left] != start[right]).any() or (end[right] != end[inner]).any():
        return "a node of a neighbour tree whose rows differ from its children's"
    return _distance(distance, columns)


def _answers_of_neighbours(model: Any) -> str | None:
    targets, classes = np.asarray(model._y), getattr(model, "classes_", None)  # noqa: SLF001  # what scikit-learn counts the neighbours' votes by
    wild = isinstance(classes, np.ndarray) and targets.size and not 0 <= targets.min() <= targets.max() < len(classes)
    return "neighbours whose targets don't match their rows" if len(targets) != model._fit_X.shape[0] or wild else None  # noqa: SLF001


def _distance(distance: Any, columns: int) -> str | None:
    name = type(distance).__name__
    _, vector, matrix, *_ = distance.__getstate__()
    fits = True
    if name.startswith("SEuclidean"):
        fits = len(vector) == columns
    elif name.startswith("Minkowski"):
        fits = len(vector) in (0, columns)
    elif name.startswith("Mahalanobis"):
        fits = matrix.shape == (columns, columns)
    elif name.startswith("Haversine"):
        fits = columns == 2
    return None if fits else f"a distance that is not of {columns:,} columns"


def _support_vectors(model: Any) -> str | None:
    """Of a regression and of outliers libsvm reads no counts; under a kernel of one's own, vectors are numbers of columns and not stored."""
    counts, factors, chosen = np.asarray(model._n_support), model._dual_coef_, np.asarray(model.support_)  # noqa: SLF001  # what libsvm is given
    of_classes = hasattr(model, "classes_")
    classes = len(model.classes_) if of_classes else 2
    if of_classes and ((counts < 0).any() or len(counts) != classes or counts.sum() != len(chosen)):  # 2
        return "support vectors that don't match the classes"
    own_kernel = model.kernel == "precomputed" or callable(model.kernel)
    rows = len(model._BaseLibSVM__Xfit) if callable(model.kernel) else model.shape_fit_[0]  # noqa: SLF001
    if own_kernel and len(chosen) and not 0 <= chosen.min() <= chosen.max() < rows:
        return "support vectors that are not rows of the training data"
    if not own_kernel and model.support_vectors_.shape != (len(chosen), model.n_features_in_):
        return "support vectors with another number of columns than the model"
    pairs = classes * (classes - 1) // 2
    if factors.shape != (classes - 1, len(chosen)) or len(model._intercept_) != pairs:
        return "support vectors without one coefficient each"
    chances = [len(getattr(model, name)) for name in ("_probA", "_probB")]
    return None if all(length in (0, pairs) for length in chances) else "support vectors without a probability for each pair of classes"


def _sparse(matrix: Any) -> str | None:
    if matrix.format in ("csr", "csc", "bsr"):  # 3
        matrix.check_format(full_check=True)
    elif matrix.format == "coo":
        for places, size in zip((matrix.row, matrix.col), matrix.shape, strict=True):
            if len(places) != len(matrix.data) or ((places < 0) | (places >= size)).any():
                return "entries outside their sparse matrix"
    return None


def _spline(spline: Any) -> str | None:
    knots, degree = np.asarray(spline.t), spline.k
    whole = knots.ndim == 1 and np.isfinite(knots).all() and (np.diff(knots) >= 0).all()  # 4
    fits = isinstance(degree, int | np.integer) and degree >= 0 and len(spline.c) >= len(knots) - degree - 1 > degree
    return None if whole and fits else "a spline without the knots that it needs"
