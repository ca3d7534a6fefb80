"""JSON documents, compared field by field. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from sealift_packager.diff.difference import BundleDifference

MISSING: Final = "(not there)"
#: A list's rows are matched by the first of these that all of them have and that differs among them; else by position.
_KEYS: Final = ("name", "bom-ref", "ref", "path")


def compare_json(file: str, first: Any, second: Any, path: str = "$") -> Iterator[BundleDifference]:
    """Each leaf that differs, with its JSON path."""
    if isinstance(first, dict) and isinstance(second, dict):
        for key in sorted({*first, *second}):
            yield from _compare_at(file, first.get(key, _ABSENT), second.get(key, _ABSENT), f"{path}.{key}")
    elif isinstance(first, list) and isinstance(second, list) and not _numbers(first, second):
        yield from _compare_lists(file, first, second, path)
    elif not _same(first, second):
        yield BundleDifference(file=file, field=path, first=_text(first), second=_text(second))


class _Absent:
    """A field that is not there."""


_ABSENT: Final = _Absent()


def _compare_at(file: str, first: Any, second: Any, path: str) -> Iterator[BundleDifference]:
    if isinstance(first, _Absent) or isinstance(second, _Absent):
        yield BundleDifference(file=file, field=path, first=_text(first), second=_text(second))
    else:
        yield from compare_json(file, first, second, path)


def _compare_lists(file: str, first: list[Any], second: list[Any], path: str) -> Iterator[BundleDifference]:
    key = next((key for key in _KEYS if _unique(first, key) and _unique(second, key)), None)
    if key is None:
        for at in range(max(len(first), len(second))):
            mine, yours = (items[at] if at < len(items) else _ABSENT for items in (first, second))
            yield from _compare_at(file, mine, yours, f"{path}[{at}]")
        return
    left, right = {item[key]: item for item in first}, {item[key]: item for item in second}
    for name in dict.fromkeys([*left, *right]):
        yield from _compare_at(file, left.get(name, _ABSENT), right.get(name, _ABSENT), f"{path}[{name}]")


def _unique(items: list[Any], key: str) -> bool:
    names = [item.get(key) for item in items if isinstance(item, dict)]
    return len(names) == len(items) and all(isinstance(name, str) for name in names) and len(set(names)) == len(names)


def _numbers(first: list[Any], second: list[Any]) -> bool:
    """Lists of numbers are one value: histogram counts are looked at together."""
    return bool(first or second) and all(isinstance(item, int | float) for item in (*first, *second))


def _same(first: Any, second: Any) -> bool:
    return type(first) is type(second) and bool(first == second)


def _text(value: Any) -> str:
    return MISSING if isinstance(value, _Absent) else json.dumps(value, ensure_ascii=False, sort_keys=True)
