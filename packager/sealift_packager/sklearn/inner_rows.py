"""Which rows each part of a scikit-learn model is given when the model is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np

from sealift_packager.model.unwrapped import does_something, first_steps

#: Attributes that hold a part which is given all rows as they are.
_SINGLE: Final = ("estimator_", "regressor_")


def parts_with_rows(model: Any, rows: Any, wanted: Callable[[Any], bool]) -> Iterator[tuple[Any, Any]]:
    """A model and the parts of its parts, each with the rows that it is given; those alone that are ``wanted`` or hold something that is.

    Parts of a chain, each of which is given what those before it answered, are left out but for the first one.

    Args:
        model: A fitted model.
        rows: A table or an array of rows, as its ``predict`` or ``transform`` takes them.
        wanted: Whether a part is to be looked at or into.
    """
    if not wanted(model):
        return
    yield model, rows
    for part, given in _inner(model, rows, wanted):
        yield from parts_with_rows(part, given, wanted)


def _inner(model: Any, rows: Any, wanted: Callable[[Any], bool]) -> Iterator[tuple[Any, Any]]:
    if hasattr(model, "steps"):
        for count, (_, step) in enumerate(model.steps):
            if does_something(step) and wanted(step):
                yield step, first_steps(model, count).transform(rows) if count else rows
    elif hasattr(model, "transformers_"):
        numbers = model._transformer_to_input_indices  # noqa: SLF001
        yield from ((inner, _columns(rows, numbers.get(name, []))) for name, inner, _ in model.transformers_ if not isinstance(inner, str))
    elif hasattr(model, "estimators_features_"):
        yield from ((member, _columns(np.asarray(rows), taken)) for member, taken in zip(model.estimators_, model.estimators_features_, strict=True))
    elif hasattr(model, "order_"):
        yield model.estimators_[0], rows
    elif not hasattr(model, "get_support"):  # what features were chosen by isn't asked again
        yield from ((member, rows) for member in _members(model))
        if wanted(getattr(model, "final_estimator_", None)):
            yield model.final_estimator_, model.transform(rows)


def _members(model: Any) -> Iterator[Any]:
    yield from (step for _, step in getattr(model, "transformer_list", ()) if does_something(step))
    yield from (member.estimator for member in getattr(model, "calibrated_classifiers_", ()))
    members = getattr(model, "estimators_", ())
    if isinstance(members, list | tuple):
        yield from (member for member in members if not isinstance(member, str))
    yield from (getattr(model, name) for name in _SINGLE if hasattr(model, name))


def _columns(rows: Any, numbers: Any) -> Any:
    return rows.iloc[:, numbers] if hasattr(rows, "iloc") else rows[:, numbers]
