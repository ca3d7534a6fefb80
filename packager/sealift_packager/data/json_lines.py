"""JSON lines: an object for each row, as ``to_json(orient="records", lines=True)`` writes them. Text stays text there, and numbers stay numbers."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from sealift_packager.archives.memory_limit import bounded_memory
from sealift_packager.archives.own_copy import OwnCopy
from sealift_packager.data.limits import LIMITS
from sealift_packager.errors import DataError
from sealift_packager.model.source import Array

_EXPECTED: Final = 'a line for each row, such as {"age": 41, "city": "Rome"}'
_ONE_TYPE: Final = "text, or numbers, or truth values, or lists of one length, with null where a value is missing"
_SEVERAL: Final = "a column of several types, or of one that models don't accept"
#: Up to it float64, which has room for missing values, holds every whole number.
_MOST_WHOLE: Final = 2**53


def read_jsonl(copy: OwnCopy) -> dict[str, Array]:
    """The columns of a file of JSON lines by name; a name that a row doesn't have is a missing value there; `DataError`."""
    path = copy.path
    size = path.stat().st_size
    if size > LIMITS.csv_bytes:
        raise DataError("too much data", where=str(path), expected=f"at most {LIMITS.csv_bytes:,} bytes", found=f"{size:,}")
    with bounded_memory(path, DataError):
        rows = _rows(path)
        if not rows:
            raise DataError("the file has no rows", where=str(path), expected=_EXPECTED)
        names = dict.fromkeys(name for row in rows for name in row)
        if len(rows) > LIMITS.csv_rows or len(names) > LIMITS.csv_columns:
            expected = f"at most {LIMITS.csv_rows:,} rows and {LIMITS.csv_columns:,} columns"
            raise DataError("too much data", where=str(path), expected=expected, found="more")
        return {name: _column([row.get(name) for row in rows], f"{path}: {name}") for name in names}


def _rows(path: Path) -> list[dict[str, Any]]:
    rows = []
    try:
        with path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    rows.append(_row(line, f"{path}: line {number}"))
    except UnicodeDecodeError as error:
        raise DataError("the file isn't UTF-8 text", where=str(path), expected="UTF-8", advice="Save it as UTF-8.") from error
    return rows


def _row(line: str, where: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        advice = "If the whole file is one JSON document, save it with orient='records', lines=True."
        raise DataError("not a line of JSON", where=where, expected=_EXPECTED, found=repr(line.strip()[:60]), advice=advice) from error
    if not isinstance(row, dict):
        raise DataError("not an object", where=where, expected=_EXPECTED, found=repr(line.strip()[:60]))
    return row


def _column(values: list[Any], where: str) -> Array:
    there = [value for value in values if value is not None]
    missing = len(there) < len(values)
    if not there:
        return np.full(len(values), math.nan)
    types = {type(value) for value in there}
    if types == {bool}:
        return np.array([math.nan if value is None else float(value) for value in values]) if missing else np.array(values)
    if types <= {int, float}:
        return _numbers(values, where, whole=types == {int} and not missing)
    if types == {str}:
        return np.array(values, dtype=object)
    if types == {list} and not missing:
        return _lists(values, where)
    raise DataError(_SEVERAL, where=where, expected=_ONE_TYPE, found=_named(types))


_NAMES: Final = {str: "text", int: "numbers", float: "numbers", bool: "truth values", list: "lists", dict: "objects", type(None): "null"}


def _named(types: set[type]) -> str:
    return ", ".join(sorted({_NAMES[one] for one in types}))


def _items(values: list[Any]) -> Iterator[Any]:
    """What lists within each other hold."""
    waiting = list(values)
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting.extend(value)
        else:
            yield value


def _lists(values: list[Any], where: str) -> Array:
    """Lists [rows, …] of one type and one length; numpy by itself makes text of a number beside text."""
    types = {type(item) for item in _items(values)}
    if types and types not in ({int}, {float}, {int, float}, {bool}, {str}):
        raise DataError(_SEVERAL, where=where, expected=_ONE_TYPE, found=f"lists of {_named(types)}")
    if types <= {int, float}:
        _check_digits(_items(values), where, whole=types == {int})
    try:
        return np.array(values)
    except ValueError as error:
        raise DataError(_SEVERAL, where=where, expected=_ONE_TYPE, found="lists of different lengths") from error


def _numbers(values: list[Any], where: str, *, whole: bool) -> Array:
    _check_digits(values, where, whole=whole)
    return np.array(values, dtype=np.int64) if whole else np.array([math.nan if value is None else value for value in values], dtype=np.float64)


def _check_digits(values: Iterable[Any], where: str, *, whole: bool) -> None:
    """Raise `DataError` for a whole number that int64 doesn't hold or, where they aren't all ``whole``, float64."""
    least, most = (-(2**63), 2**63 - 1) if whole else (-_MOST_WHOLE, _MOST_WHOLE)
    large = next((value for value in values if isinstance(value, int) and not least <= value <= most), None)
    if large is not None:
        beside = "from -2^63 to 2^63 - 1" if whole else f"of at most {_MOST_WHOLE} (2^53) beside missing values and fractions"
        message = "a whole number with more digits than can be held"
        raise DataError(message, where=where, expected=f"whole numbers {beside}", found=str(large)[:40])
