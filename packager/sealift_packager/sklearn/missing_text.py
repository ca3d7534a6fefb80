"""Missing text: NaN or None in a table, ``""`` in a tensor, which has nothing else for it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np

from sealift_packager.errors import SourceModelError
from sealift_packager.model.categories import ADDED, first_steps_by_column
from sealift_packager.model.table_steps import encoded_columns, is_table_step
from sealift_packager.trees.within import fitted_parts

#: What stands for missing text in the tables that a model was fitted on; empty for a model that knows none.
Missing = Literal["", "NaN", "None"]


def missing_text_of(model: Any) -> Missing:
    """What a step was fitted to do something with among text; empty if none was.

    scikit-learn's encoders tell None from NaN. A model that knows both is given NaN. `gaps_by_column` says what differs by column.
    """
    known = set[Missing]()
    for part in fitted_parts(model):
        if is_table_step(part):
            known.add("NaN")
        if fills_text(part):
            known.add("None" if part.missing_values is None else "NaN")
        for categories in getattr(part, "categories_", ()):
            known |= gaps_of(categories) - {""}
    return "NaN" if "NaN" in known else "None" if known else ""


def gaps_by_column(model: Any, names: Sequence[str], where: str) -> dict[int, Missing]:
    """What stands for missing text in the columns whose encoder shows it, by number: empty text where that is a category of its own.

    An encoder that knows one of them was given it, whatever an imputer before it fills; but empty text is what an imputer fills where it does. Where
    an encoder knows empty text and it isn't seen of which column, it is every column that shows nothing.

    Raises `SourceModelError` for a column whose encoder tells None from NaN, or empty text from either.
    """
    width = int(getattr(model, "n_features_in_", 0))
    steps = list(first_steps_by_column(model, list(names), list(range(width))))
    gaps: dict[int, Missing] = {}
    seen = set[int]()
    for step, columns in steps:
        seen.add(id(step))
        if is_table_step(step):
            _check_full(step, columns, names, where)
        for column, known in _known_by_column(step, columns):
            kinds = gaps_of(known) | (_filled_before(steps, column) if "" in gaps_of(known) else set())
            _check_one(kinds, step, f"{where}: {names[column] if names else f'column {column}'}")
            gaps |= dict.fromkeys([column] if kinds else [], next(iter(kinds), ""))
    shown = {column for step, columns in steps for column, _ in _known_by_column(step, columns)}
    unseen = (part for part in fitted_parts(model) if id(part) not in seen)
    if any("" in gaps_of(known) for part in unseen for known in getattr(part, "categories_", ())):
        gaps |= {column: "" for column in range(width) if column not in shown}
    return gaps


def _check_full(step: Any, columns: Sequence[int], names: Sequence[str], where: str) -> None:
    """Raise `SourceModelError` for a step of category_encoders or feature_engine that knows empty text: it may always be given missing text, too."""
    for column, known in encoded_columns(step, columns):
        if column != ADDED and "" in gaps_of(known):
            raise SourceModelError(
                "the model takes empty text for a category, and in a request it is missing text",
                where=f"{where}: {names[column] if names else f'column {column}'}",
                expected="no empty text among the categories",
                found=f"empty text among the categories of {type(step).__name__}",
                advice='Train it on a table without empty text: table.replace("", np.nan).',
            )


def _known_by_column(step: Any, columns: Sequence[int]) -> list[tuple[int, Any]]:
    categories = getattr(step, "categories_", ())
    known = zip(columns, categories, strict=True) if len(categories) == len(columns) else ()
    return [(column, values) for column, values in known if column != ADDED]


def _filled_before(steps: Sequence[tuple[Any, Sequence[int]]], column: int) -> set[Missing]:
    """What an imputer makes of a column other than empty text."""
    return {
        "None" if step.missing_values is None else "NaN"
        for step, columns in steps
        if fills_text(step) and column in columns and step.statistics_[list(columns).index(column)] != ""
    }


def _check_one(kinds: set[Missing], step: Any, where: str) -> None:
    """Raise `SourceModelError` unless one thing at most stands for missing text."""
    if len(kinds) < 2:
        return
    both = f"both among the categories of {type(step).__name__}"
    empty = "" in kinds
    what, advised = ("empty text and missing text apart", '""') if empty else ("two kinds of missing text apart, None and NaN", "np.nan")
    raise SourceModelError(
        f"the model tells {what}, and a request has only empty text for both",
        where=where,
        expected="one of them in each column of text",
        found=f"{both}, or one of them filled before it" if empty else both,
        advice=f"Train it on a table with one of them: table.fillna({advised}).",
    )


def gaps_of(categories: Any) -> set[Missing]:
    """What an encoder knows as missing among text, and empty text; nothing where it knows no text."""
    values = np.asarray(categories, dtype=object)
    return set(_missing_among(values)) if any(isinstance(item, str) for item in values) else set()


def _missing_among(values: Any) -> Iterator[Missing]:
    if any(isinstance(item, str) and item == "" for item in values):
        yield ""
    if any(item is None for item in values):
        yield "None"
    if any(item is not None and item != item for item in values):
        yield "NaN"


def fills_text(part: Any) -> bool:
    """Whether a step is an imputer of text whose missing value is NaN or None. Constant numbers are objects too, as `statistics_` has them."""
    return (
        type(part).__name__ == "SimpleImputer"
        and (part.missing_values is None or part.missing_values != part.missing_values)
        and any(isinstance(value, str) for value in getattr(part, "statistics_", ()))
    )
