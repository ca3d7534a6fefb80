"""Missing text: NaN or None in a table, ``""`` in a tensor, which has nothing else for it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np

from sealift_packager.errors import SourceModelError
from sealift_packager.model.categories import first_steps_by_column
from sealift_packager.model.table_steps import is_table_step
from sealift_packager.trees.within import fitted_parts

#: What stands for missing text in the tables that a model was fitted on; empty for a model that knows none.
Missing = Literal["", "NaN", "None"]


def missing_text_of(model: Any) -> Missing:
    """What a step was fitted to do something with among text; empty if none was, or if one takes ``""`` for a category of its own.

    scikit-learn's encoders tell None from NaN. A model that knows both is given NaN.
    """
    known = set[Missing]()
    for part in fitted_parts(model):
        if is_table_step(part):
            known.add("NaN")
        if fills_text(part):
            known.add("None" if part.missing_values is None else "NaN")
        for categories in getattr(part, "categories_", ()):
            values = np.asarray(categories, dtype=object)
            if any(isinstance(item, str) and item == "" for item in values):
                return ""
            if any(isinstance(item, str) for item in values):
                known.update(_missing_among(values))
    return "NaN" if "NaN" in known else "None" if known else ""


def gaps_by_column(model: Any, names: Sequence[str], where: str) -> dict[int, Missing]:
    """What stands for missing text in the columns whose encoder shows it, by number; `SourceModelError` for one that tells None from NaN.

    An encoder that knows one of them was given it, whatever an imputer before it fills.
    """
    gaps: dict[int, Missing] = {}
    for step, columns in first_steps_by_column(model, list(names), list(range(int(getattr(model, "n_features_in_", 0))))):
        categories = getattr(step, "categories_", ())
        for column, known in zip(columns, categories if len(categories) == len(columns) else (), strict=False):
            kinds = gaps_of(known)
            if len(kinds) > 1:
                raise SourceModelError(
                    "the model tells two kinds of missing text apart, None and NaN, and a request has only empty text for both",
                    where=f"{where}: {names[column] if names else f'column {column}'}",
                    found=f"both among the categories of {type(step).__name__}",
                    advice="Train it on a table with one of them: table.fillna(np.nan).",
                )
            gaps |= dict.fromkeys([column] if kinds else [], next(iter(kinds), "NaN"))
    return gaps


def gaps_of(categories: Any) -> set[Missing]:
    """What an encoder knows as missing among text; nothing where it knows no text."""
    values = np.asarray(categories, dtype=object)
    return set(_missing_among(values)) if any(isinstance(item, str) for item in values) else set()


def _missing_among(values: Any) -> Iterator[Missing]:
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
