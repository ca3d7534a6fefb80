"""The fitted estimators inside an estimator: steps, members, finals, whatever attribute holds them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from sealift_packager.trees.from_estimator import library_of
from sealift_packager.trees.from_scikit import READERS

_BOOSTERS = ("xgboost", "lightgbm", "catboost")


def is_trees(part: Any) -> bool:
    """Whether an estimator is a tree ensemble of a library that is read here."""
    names = {base.__name__ for base in type(part).__mro__ if base.__module__.startswith("sklearn.")}
    return library_of(part) in _BOOSTERS or bool(names & READERS.keys())


def fitted_parts(model: Any) -> Iterator[Any]:
    """The model, then every fitted estimator in it, outer ones first; tree ensembles are not looked into."""
    return (part for part in all_parts(model) if _is_fitted(part))


def all_parts(model: Any) -> Iterator[Any]:
    """The same with pipelines, which are not fitted themselves, and with what others were fitted from."""
    waiting, seen = [model], set[int]()
    while waiting:
        part = waiting.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        if isinstance(part, Mapping):
            waiting.extend(part.values())
        elif isinstance(part, list | tuple) or (isinstance(part, np.ndarray) and part.dtype == object):
            waiting.extend(item for item in part if not isinstance(item, str | int | float | slice))
        elif library_of(part) in (*_BOOSTERS, "sklearn") and hasattr(part, "__dict__"):
            yield part
            if not is_trees(part):
                waiting.extend(vars(part).values())


def _is_fitted(part: Any) -> bool:
    if library_of(part) in _BOOSTERS:  # whose attributes say nothing: they are there before, or have no such names
        answers = (getattr(part, name, None) for name in ("__sklearn_is_fitted__", "is_fitted"))
        return any(bool(answer()) for answer in answers if callable(answer))
    return any(name.endswith("_") and not name.startswith("_") for name in vars(part))
