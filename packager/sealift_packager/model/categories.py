"""The categories that a scikit-learn model's encoders know, by input and column: what a made-up request must be drawn from. Pure.

Of a vectorizer they are words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from sealift_core.bundle.tensors import TensorSpec
from sealift_packager.model.source import Array
from sealift_packager.model.table_steps import encoded_columns, is_table_step, keeps_columns
from sealift_packager.model.unwrapped import does_something

MOST_WORDS: Final = 1024
#: Leave values as they are, where there are any.
IMPUTERS: Final = ("SimpleImputer", "KNNImputer", "IterativeImputer")

#: The number of a column that the model isn't given: a step before made it, behind the model's own.
ADDED: Final = -1

#: Leave columns out, and the others as they are.
CHOICES: Final = ("RFE", "RFECV", "SelectFdr", "SelectFpr", "SelectFromModel", "SelectFwe", "SelectKBest", "SelectPercentile", "VarianceThreshold")


def known_categories(model: Any, names: Sequence[str], inputs: Sequence[TensorSpec]) -> dict[str, tuple[Array | None, ...]]:
    """For each input with such columns: the values of each of its columns, None where no encoder looks at it first.

    Looked for in encoders that the model's input comes to unchanged: at the head of pipelines, in column transformers, behind imputers.
    """
    categories: dict[int, Array] = {}
    for column, values in _encoded(model, list(names), list(range(sum(int(spec.shape[1]) for spec in inputs)))):
        categories.setdefault(column, values)
    result: dict[str, tuple[Array | None, ...]] = {}
    first = 0
    for spec in inputs:
        width = int(spec.shape[1])
        columns = tuple(_as_given(categories.get(at), spec) for at in range(first, first + width))
        if any(values is not None for values in columns):
            result[spec.name] = columns
        first += width
    return result


def worded_inputs(model: Any, names: Sequence[str], inputs: Sequence[TensorSpec]) -> frozenset[str]:
    """The inputs that a vectorizer reads first: of documents, whose categories are words."""
    columns = list(range(sum(int(spec.shape[1]) for spec in inputs)))
    read = {taken[0] for step, taken in first_steps_by_column(model, list(names), columns) if _is_vectorizer(step, taken)}
    by_column = [spec.name for spec in inputs for _ in range(int(spec.shape[1]))]
    return frozenset(by_column[column] for column in read)


def _is_vectorizer(step: Any, taken: Sequence[int]) -> bool:
    return isinstance(getattr(step, "vocabulary_", None), dict) and len(taken) == 1


def text_columns(model: Any, names: Sequence[str]) -> set[int]:
    """The numbers of the columns that such an encoder knows as text, or an imputer fills with text."""
    columns = list(range(int(getattr(model, "n_features_in_", 0))))
    encoded = {column for column, values in _encoded(model, list(names), columns) if any(isinstance(value, str) for value in values)}
    return encoded | set(_filled_text(model, list(names), columns))


def _filled_text(model: Any, names: list[str], columns: list[int]) -> Iterator[int]:
    """The numbers of the columns whose gaps an imputer fills with text."""
    for step, taken in first_steps_by_column(model, names, columns):
        values = getattr(step, "statistics_", ()) if type(step).__name__ in IMPUTERS else ()
        yield from (column for column, value in zip(taken, values, strict=False) if isinstance(value, str) and column != ADDED)


def number_columns(model: Any, names: Sequence[str]) -> set[int]:
    """The numbers of the columns that such an encoder knows as numbers or truth values alone, whatever the data looks like."""
    columns = list(range(int(getattr(model, "n_features_in_", 0))))
    known = {column for column, values in _encoded(model, list(names), columns) if np.asarray(values).dtype.kind in "biuf"}
    return known | flag_columns(model, names).keys()


def flag_columns(model: Any, names: Sequence[str]) -> dict[int, bool]:
    """The numbers of the columns that such an encoder knows as truth values among objects, as pandas has them beside gaps: whether a gap is None."""
    columns = list(range(int(getattr(model, "n_features_in_", 0))))
    flags = {}
    for column, values in _encoded(model, list(names), columns):
        known = np.asarray(values)
        kept = [value for value in known.tolist() if value is not None and value == value]
        if known.dtype == object and kept and all(isinstance(value, bool) for value in kept):
            flags[column] = any(value is None for value in known.tolist())
    return flags


def _encoded(part: Any, names: list[str], columns: list[int]) -> Iterator[tuple[int, Any]]:
    """Columns of the input and their categories, for a part that is given these columns."""
    for step, taken in first_steps_by_column(part, names, columns):
        yield from ((column, values) for column, values in _known_to(step, taken) if column != ADDED)


def _known_to(step: Any, taken: list[int]) -> Iterator[tuple[int, Any]]:
    if is_table_step(step):
        yield from encoded_columns(step, taken)
    elif _is_vectorizer(step, taken):
        yield taken[0], _words(step.vocabulary_)
    elif taken and len(getattr(step, "categories_", ())) == len(taken):  # an encoder of no columns is never fitted
        yield from zip(taken, step.categories_, strict=True)


def first_steps_by_column(part: Any, names: list[str], columns: list[int]) -> Iterator[tuple[Any, list[int]]]:
    """The steps that the model's input comes to unchanged, each with the numbers of the columns that it is given.

    Looked for at the head of pipelines, in column transformers and unions, behind imputers, and in pipelines that a vote, a stack or a calibration is
    made of.

    Args:
        part: A fitted model, or a part of one that is given these columns.
        names: The columns' names; empty if they have none.
        columns: Their numbers.

    Yields:
        Each step, and the number of each of its columns in its own order: `ADDED` for one that isn't the model's.
    """
    if hasattr(part, "steps"):
        for step in (step for _, step in part.steps if does_something(step)):
            yield from first_steps_by_column(step, names, columns)
            if not (type(step).__name__ in (*CHOICES, *IMPUTERS) or keeps_columns(step)):
                return
            names, columns = _behind(step, names, columns)
    elif hasattr(part, "transformers_"):
        numbers = part._transformer_to_input_indices  # noqa: SLF001  # names, masks, slices and functions, as the transformer read them
        for name, inner, _ in part.transformers_:
            if not isinstance(inner, str):
                places = [int(at) if at < len(columns) else ADDED for at in numbers.get(name, ())]
                given = [columns[at] if at != ADDED else ADDED for at in places]
                yield from first_steps_by_column(inner, [names[at] if at != ADDED else "" for at in places] if names else [], given)
    elif inner := _parts_with_steps(part):
        for member in inner:
            yield from first_steps_by_column(member, names, columns)
    else:
        yield part, columns


def _behind(step: Any, names: list[str], columns: list[int]) -> tuple[list[str], list[int]]:
    """The columns that such a step gives, with their names: those that it keeps, and behind an imputer what says where gaps were."""
    kept, added = list(range(len(columns))), 0
    if type(step).__name__ in CHOICES and len(step.get_support()) == len(columns):
        kept = step.get_support(indices=True).tolist()
    elif type(step).__name__ in IMPUTERS:
        given = [str(name) for name in getattr(step, "feature_names_in_", [f"x{at}" for at in kept])]
        made = [str(name) for name in step.get_feature_names_out()]
        added = len(step.indicator_.features_) if step.indicator_ is not None else 0
        kept = [given.index(name) for name in made[: len(made) - added]]  # one that was always empty is left out
    return [names[at] for at in kept] + [""] * added if names else [], [columns[at] for at in kept] + [ADDED] * added


def _parts_with_steps(part: Any) -> list[Any]:
    """Those parts of a union, and those pipelines in a model of several, that are given all of its columns."""
    if hasattr(part, "transformer_list"):
        return [step for _, step in part.transformer_list if step is not None and not isinstance(step, str)]
    if hasattr(part, "estimators_features_") or hasattr(part, "order_"):  # each of a bag's or a chain's members has columns of its own
        return []
    calibrated = [member.estimator for member in getattr(part, "calibrated_classifiers_", ())]
    members = getattr(part, "estimators_", ())
    listed = members if isinstance(members, list | tuple) else ()  # trees of a boosting are an array
    single = (getattr(part, name, None) for name in ("estimator_", "regressor_"))
    return [member for member in (*calibrated, *listed, *single) if hasattr(member, "steps")]


def _words(vocabulary: Mapping[str, int]) -> list[str]:
    """Entries of a vectorizer as they are and in capitals, which it may lower: texts that some word is found in."""
    entries = sorted(vocabulary)[:: len(vocabulary) // MOST_WORDS + 1]
    return [text for entry in entries for text in (entry, entry.upper())]


def _as_given(values: Any, spec: TensorSpec) -> Array | None:
    """Categories as values of the input; missing ones are left out. None if there are none, or they can't be such values."""
    if values is None:
        return None
    kept = [value for value in np.asarray(values, dtype=object).tolist() if value is not None and value == value]
    if not kept or any(isinstance(value, str) != (spec.dtype == "string") for value in kept):
        return None
    return np.array(kept, dtype=spec.numpy_dtype)
