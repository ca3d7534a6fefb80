"""A random table and its target: the user's own frame, with types, ranges and gaps as tables have them."""

from __future__ import annotations

import dataclasses
from typing import Any, Final

import numpy as np
import pandas as pd

Random = np.random.Generator
Values = np.ndarray[Any, Any]
WORDS: Final = ("Oslo", "Bern", "São Paulo", "NA", "x y", "0", "1.0", "True", "nan", "Straße", "b,c", "Nairobi")
SCALES: Final = (1.0, 1.0, 1.0, 1e-3, 50.0, 1e4, 1e6, 1e9, 1e12, 1e-10, 1e-40)
OFFSETS: Final = (0.0, 0.0, 0.0, 1e3, 5e7, 1e9, -3e6)
NUMBERS: Final = ("float64", "float64", "float64", "float32", "int64", "int32", "int8", "uint8", "bool")
NULLABLE: Final = ("Int64", "Float64", "boolean")
TEXTS: Final = ("text", "string", "category-text")
CODES: Final = ("category-int", "category-float")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """How a column's values are drawn; ``levels`` are what a column of text or categories has."""

    dtype: str
    scale: float
    offset: float
    shape: str
    missing: float
    levels: tuple[Any, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """A table's columns by name; without names it is one array."""

    columns: dict[str, Column]
    named: bool

    def draw(self, random: Random, rows: int) -> pd.DataFrame:
        """So many rows."""
        return pd.DataFrame({name: _series(column, random, rows) for name, column in self.columns.items()})


def draw_schema(random: Random, dtypes: tuple[str, ...], *, gaps: bool, named: bool) -> Schema:
    """One to six columns of these types."""
    uniform = str(random.choice(dtypes)) if not named else ""
    return Schema(
        named=named, columns={f"c{at}": _column(random, uniform or str(random.choice(dtypes)), gaps) for at in range(random.integers(1, 7))}
    )


def _column(random: Random, dtype: str, gaps: bool) -> Column:
    count = int(random.integers(2, 8))
    levels: list[Any] = [1001 + 7 * at for at in range(count)] if dtype == "category-int" else [at + 0.5 for at in range(count)]
    if dtype in TEXTS:
        levels = [str(word) for word in random.choice(WORDS, count, replace=False)]
    return Column(
        dtype=dtype,
        scale=float(random.choice(SCALES)),
        offset=float(random.choice(OFFSETS)),
        shape=str(random.choice(["normal", "normal", "skewed", "counts", "steps", "constant"], p=[0.3, 0.3, 0.15, 0.1, 0.1, 0.05])),
        missing=float(random.choice([0.0, 0.0, 0.05, 0.3])) if gaps else 0.0,
        levels=tuple(levels),
    )


def draw_target(random: Random, table: pd.DataFrame, task: str) -> Values:
    """What depends on the columns: ``number``, or two to four classes of whole numbers, text or bool."""
    signal = random.normal(0, 0.3, len(table)) + sum(_standard(table[name]) * random.normal() for name in table)
    if task == "number":
        scale, offset = float(random.choice([1.0, 1.0, 1e-6, 1e5, 1e9])), float(random.choice([0.0, 0.0, 100.0]))
        return np.asarray((signal - signal.min() + 0.1 + offset) * scale)
    if task == "bool":
        return np.asarray(signal > np.median(signal))
    classes = int(random.integers(2, 5))
    codes = np.searchsorted(np.quantile(signal, np.arange(1, classes) / classes), signal)
    names = {"text": ["no", "yes", "1", "İ ß"], "int": [0, 1, 2, 3], "odd": [-5, 7, 900, 2**40]}[task]
    return np.array(names)[codes]


def is_number(column: pd.Series[Any]) -> bool:
    """Whether steps for numbers take it."""
    return bool(pd.api.types.is_numeric_dtype(column) and not isinstance(column.dtype, pd.CategoricalDtype))


def _standard(column: pd.Series[Any]) -> Values:
    values = column.to_numpy(dtype=np.float64, na_value=np.nan) if is_number(column) else pd.factorize(column)[0].astype(np.float64)
    values = np.where(np.isfinite(values), values, 0.0)
    deviation = values.std()
    return np.asarray((values - values.mean()) / deviation) if deviation > 0 else values * 0


def _series(column: Column, random: Random, rows: int) -> pd.Series[Any]:
    gaps = pd.Series(random.random(rows) < column.missing)
    if column.dtype in TEXTS + CODES:
        series = pd.Series(random.choice(np.array(column.levels, dtype=object), rows), dtype=object)
        series[gaps] = np.nan
        if column.dtype in ("text", "string"):
            return series if column.dtype == "text" else series.astype("string")
        return series.astype(pd.CategoricalDtype(list(column.levels)))
    if column.dtype in ("bool", "boolean"):
        series = pd.Series(random.random(rows) < 0.4)
        return series if column.dtype == "bool" else series.astype("boolean").mask(gaps)
    values = _numbers(column, random, rows)
    if column.dtype in ("float64", "float32", "Float64"):
        return pd.Series(values).astype(column.dtype).mask(gaps)
    limits = np.iinfo(column.dtype.lower())
    whole = pd.Series(np.clip(np.round(values), limits.min / 2, limits.max / 2).astype(column.dtype.lower()))
    return whole.astype("Int64").mask(gaps) if column.dtype == "Int64" else whole


def _numbers(column: Column, random: Random, rows: int) -> Values:
    plain = random.normal(0, 1, rows)
    shapes = {
        "normal": column.offset + plain * column.scale,
        "skewed": np.exp(2 * plain) * column.scale,
        "counts": random.poisson(4, rows).astype(np.float64) + column.offset,
        "steps": random.integers(0, 4, rows) * column.scale,
        "constant": np.full(rows, column.offset),
    }
    return np.asarray(shapes[column.shape])
