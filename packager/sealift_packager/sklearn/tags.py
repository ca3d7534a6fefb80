"""What scikit-learn says a model is and takes, asked as the installed version answers: from 1.6 on by tags, before by names."""

from __future__ import annotations

import dataclasses
from typing import Any, Final

#: What a model before 1.6 says that it takes, by the name of the tag since.
_X_TYPES: Final = {
    "one_d_array": {"1darray"},
    "two_d_array": {"2darray", "categorical", "sparse"},
    "string": {"string"},
    "dict": {"dict"},
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class InputTags:
    """What a model takes as rows: numbers one by one, a table, texts, or dicts; and whether a number may be missing."""

    one_d_array: bool
    two_d_array: bool
    string: bool
    dict: bool
    allow_nan: bool


def input_tags(model: Any) -> InputTags:
    """The tags of a model's input."""
    try:
        from sklearn.utils import get_tags
    except ImportError:
        return _older_tags(model)
    tags = get_tags(model).input_tags
    return InputTags(**{field.name: bool(getattr(tags, field.name)) for field in dataclasses.fields(InputTags)})


def is_clusterer(model: Any) -> bool:
    """Whether a model finds clusters."""
    try:
        from sklearn.base import is_clusterer as says_so
    except ImportError:
        return getattr(model, "_estimator_type", None) == "clusterer"
    return bool(says_so(model))


def _older_tags(model: Any) -> InputTags:
    from sklearn.utils._tags import _safe_tags

    tags = _safe_tags(model)
    return InputTags(allow_nan=bool(tags["allow_nan"]), **{name: not words.isdisjoint(tags["X_types"]) for name, words in _X_TYPES.items()})
