"""Rows that a model is asked about: like those of its training, at borders between them, far outside, and with unknown categories."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import pandas as pd

from fuzz.random_tables import Random, Values, is_number

UNSEEN: Final = "never seen"


def questions(random: Random, train: pd.DataFrame, fresh: pd.DataFrame, narrow: Callable[[str], bool]) -> dict[str, pd.DataFrame]:
    """Tables by what their rows are. At borders and far outside, columns that are ``narrow`` hold numbers of float32: no others reach it."""
    return {
        "inside": fresh,
        "borders": _each(fresh, lambda column: _borders(random, column, train[column.name], narrow(str(column.name)))),
        "far outside": _each(fresh, lambda column: _far(random, column, narrow(str(column.name)))),
        "unseen": _each(fresh, lambda column: _unseen(random, column)),
    }


def _each(table: pd.DataFrame, change: Callable[[pd.Series[Any]], pd.Series[Any]]) -> pd.DataFrame:
    return pd.DataFrame({name: change(table[name]) for name in table})


def _borders(random: Random, column: pd.Series[Any], train: pd.Series[Any], narrow: bool) -> pd.Series[Any]:
    if not is_number(column) or pd.api.types.is_bool_dtype(column):
        return column
    known = np.unique(train.dropna().to_numpy(dtype=np.float64))
    if not known.size:
        return column
    at = random.integers(0, len(known), len(column))
    values, after = known[at], known[np.minimum(at + 1, len(known) - 1)]
    if pd.api.types.is_float_dtype(column):
        values = np.where(random.random(len(column)) < 0.5, values, (values + after) / 2)
        kind: Any = np.float32 if narrow else np.float64
        side = random.choice([-np.inf, 0.0, np.inf], len(column))
        values = np.where(side == 0, values.astype(kind), np.nextafter(values.astype(kind), side.astype(kind)))
    return _as(column, values)


def _far(random: Random, column: pd.Series[Any], narrow: bool) -> pd.Series[Any]:
    if not is_number(column) or pd.api.types.is_bool_dtype(column):
        return column
    values = column.to_numpy(dtype=np.float64, na_value=np.nan) * random.choice([-10.0, 1.0, 10.0, 1000.0, 0.0], len(column))
    return _as(column, values.astype(np.float32).astype(np.float64) if narrow and pd.api.types.is_float_dtype(column) else values)


def _unseen(random: Random, column: pd.Series[Any]) -> pd.Series[Any]:
    if is_number(column):
        return column
    chosen = random.random(len(column)) < 0.5
    if not isinstance(column.dtype, pd.CategoricalDtype):
        return column.mask(chosen, UNSEEN)
    known = column.cat.categories
    new = UNSEEN if known.dtype.kind not in "iuf" else known.max() + 1000
    changed = column.cat.add_categories([new])
    changed[chosen] = new
    return changed


def _as(column: pd.Series[Any], values: Values) -> pd.Series[Any]:
    """The values as the column's type holds them; gaps stay."""
    name, gaps = str(column.dtype), column.isna()
    if not pd.api.types.is_float_dtype(column):
        limits = np.iinfo(name.lower())
        values = np.clip(np.round(np.nan_to_num(values)), max(limits.min, -(2.0**53)), min(limits.max, 2.0**53)).astype(name.lower())
    return pd.Series(values, index=column.index).astype(column.dtype).mask(gaps)
