"""Steps of category_encoders and feature_engine: what they make of a column follows from that column alone. Pure; neither is imported.

They are known by the module and the name of their class.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

#: Of category_encoders: all but those that hash, or encode by several columns.
_ENCODERS: Final = frozenset(
    (
        "BackwardDifferenceEncoder",
        "BaseNEncoder",
        "BinaryEncoder",
        "CatBoostEncoder",
        "CountEncoder",
        "GLMMEncoder",
        "GrayEncoder",
        "HelmertEncoder",
        "JamesSteinEncoder",
        "LeaveOneOutEncoder",
        "MEstimateEncoder",
        "OneHotEncoder",
        "OrdinalEncoder",
        "PolynomialEncoder",
        "QuantileEncoder",
        "RankHotEncoder",
        "SumEncoder",
        "SummaryEncoder",
        "TargetEncoder",
        "WOEEncoder",
    )
)
#: Of feature_engine: these, and those that leave the columns in their places, before others that they add.
_OTHERS: Final = frozenset(("CountFrequencyEncoder", "MeanEncoder", "OneHotEncoder", "OrdinalEncoder", "WoEEncoder"))
_KEEPING: Final = frozenset(
    ("AddMissingIndicator", "ArbitraryNumberImputer", "CategoricalImputer", "EndTailImputer", "MeanMedianImputer", "RareLabelEncoder")
)


def is_table_step(step: Any) -> bool:
    """Whether a step is one of them."""
    library, name = type(step).__module__.partition(".")[0], type(step).__name__
    return (library == "category_encoders" and name in _ENCODERS) or (library == "feature_engine" and name in _OTHERS | _KEEPING)


def keeps_columns(step: Any) -> bool:
    """Whether the step behind is given the same columns, with the same values but for rare and missing ones."""
    return is_table_step(step) and type(step).__name__ in _KEEPING


def columns_of(step: Any) -> list[str]:
    """The names of the columns that it was fitted on."""
    return [str(name) for name in step.feature_names_in_]


def categories_of(step: Any) -> dict[str, list[Any]]:
    """The categories that it knows, by column, without missing ones."""
    known = dict(_of_feature_engine(step) if type(step).__module__.startswith("feature_engine") else _of_category_encoders(step))
    return {str(column): [value for value in _plain(values) if not _is_missing(value)] for column, values in known.items()}


def encoded_columns(step: Any, columns: Sequence[int]) -> Iterator[tuple[int, Any]]:
    """The numbers of its columns, given those that it takes, each with its categories."""
    known = categories_of(step)
    for number, name in zip(columns, columns_of(step), strict=False):
        if known.get(name):
            yield number, np.array(known[name], dtype=object if any(isinstance(value, str) for value in known[name]) else None)


def _of_feature_engine(step: Any) -> Iterator[tuple[str, Any]]:
    for column, values in getattr(step, "encoder_dict_", {}).items():
        yield column, [*values, step.replace_with] if type(step).__name__ == "RareLabelEncoder" else list(values)


def _of_category_encoders(step: Any) -> Iterator[tuple[str, Any]]:
    """From the encoder by number that most have within them, or from a table by category."""
    numbering = (part for part in _within(step) if type(part).__name__ == "OrdinalEncoder")
    inner = next((part for part in numbering if getattr(part, "category_mapping", None)), None)
    if inner is not None:
        for mapping in inner.category_mapping:
            values = mapping["mapping"]
            yield mapping["col"], list(values) if isinstance(values, Mapping) else list(values.index)
        return
    if isinstance(getattr(step, "mapping", None), Mapping):
        for column, table in step.mapping.items():
            yield column, list(table) if isinstance(table, Mapping) else list(table.index)


def _within(step: Any) -> Iterator[Any]:
    yield step
    for value in vars(step).values():
        for part in value if isinstance(value, list | tuple) else [value]:
            if type(part).__module__.startswith("category_encoders") and hasattr(part, "__dict__"):
                yield from _within(part)


def _plain(values: Sequence[Any]) -> list[Any]:
    return [value.item() if isinstance(value, np.generic) else value for value in values]


def _is_missing(value: Any) -> bool:
    return value is None or type(value).__name__ in ("NAType", "NaTType") or value != value
