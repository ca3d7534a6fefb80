"""Typed getters that turn a parsed JSON or TOML document into one constructor call.

A `Document` is a mapping with a path. Each getter checks the type and the bounds of one field and raises a
`DocumentError` that names the path: ``profile.int8.weight: not a known value: expected one of …, found 'in8'``.
Documents that people write end with `Document.refuse_unknown`, which offers the nearest spelling; documents that
machines write leave it out, so a newer minor version of a schema may add fields.
"""

from __future__ import annotations

import datetime
import itertools
import json
import math
import re
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar, overload

from sealift_core.clock import parse_time
from sealift_core.errors import DocumentError, LimitError, UnsupportedSchemaError, nearest
from sealift_core.schema import strict_json

#: What `json` can write. (Recursive aliases need Python 3.12's ``type``; this is as near as 3.11 comes.)
Json = None | bool | int | float | str | Sequence[Any] | Mapping[str, Any]

T = TypeVar("T")

_MISSING: Final[Any] = object()
MAX_TEXT_CHARACTERS: Final = 1_000_000
MAX_ITEMS: Final = 1_000_000
#: How much of a text from outside an error shows, and among how many fields an unknown one's name is sought.
SHOWN_CHARACTERS: Final = 100
COMPARED_FIELDS: Final = 50
_SHOWN_BITS: Final = 128
#: More parts than any key of ours has: for each part of a key, the parser of TOML looks at all before it.
MAX_KEY_PARTS: Final = 32

_KEY_PART: Final = r"""(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+"""
_LONG_KEY: Final = re.compile(rf"""(?<![\w"'-]){_KEY_PART}(?:\.[ \t]*+{_KEY_PART}){{{MAX_KEY_PARTS}}}""")


def canonical_json(value: Json) -> bytes:
    """Write a JSON document in the one way of this project: sorted keys, two spaces, UTF-8, a final newline.

    Args:
        value: What to write.

    Returns:
        The document's bytes; the same for equal values.

    Raises:
        ValueError: If a number in it is NaN or infinite.
    """
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return text.encode() + b"\n"


def _type_name(value: object) -> str:
    names = {dict: "a table", list: "a list", str: "a text", bool: "a boolean", int: "an integer", float: "a number"}
    return "null" if value is None else names.get(type(value), type(value).__name__)


class Document:
    """A mapping from outside, with the path that leads to it, read by typed getters.

    Every getter takes a key and, if the field may be left out, a ``default``, which is given back as it is. Each raises `DocumentError`, with the
    path, for a field that is missing without a default, or of another type; `LimitError` for one that is larger than its bound.

    Attributes:
        where: What errors call the document.
    """

    def __init__(self, value: object, where: str) -> None:
        """Take a parsed value.

        Args:
            value: A dict, whose keys are text.
            where: What errors call it.

        Raises:
            DocumentError: If ``value`` isn't a dict.
        """
        if not isinstance(value, dict):
            raise DocumentError("not a table", where=where, expected="a table of named fields", found=_type_name(value))
        self._fields: dict[str, Any] = value
        self._read: set[str] = set()
        self.where = where

    @classmethod
    def parse_json(cls, data: bytes, *, where: str, max_bytes: int, budget: strict_json.JsonBudget = strict_json.BUDGET) -> Document:
        """Parse UTF-8 JSON (RFC 8259); duplicate keys, NaN, lone surrogates and deep nesting are refused.

        Args:
            data: The document's bytes.
            where: What errors call it.
            max_bytes: The most bytes that it may have.
            budget: The most values and structures that it may hold.

        Returns:
            The document.

        Raises:
            DocumentError: If it isn't such JSON, or no object.
            LimitError: If it is larger than ``max_bytes`` or ``budget``.
        """
        _check_size(data, where, max_bytes)
        try:
            value = strict_json.parse(data, where=where, budget=budget)
        except ValueError as error:
            raise DocumentError(f"not valid JSON (caused by: {error})", where=where) from error
        return cls(value, where)

    @classmethod
    def parse_toml(cls, data: bytes, *, where: str, max_bytes: int) -> Document:
        """Parse UTF-8 TOML 1.0.

        Args:
            data: The document's bytes.
            where: What errors call it.
            max_bytes: The most bytes that it may have.

        Returns:
            The document.

        Raises:
            DocumentError: If it isn't TOML, or a key has more than 32 parts.
            LimitError: If it is larger than ``max_bytes``.
        """  # noqa: DOC501  (ValueError is caught)
        _check_size(data, where, max_bytes)
        try:
            text = data.decode()
            if _LONG_KEY.search(text):
                raise ValueError(f"a key of more than {MAX_KEY_PARTS} parts")
            value = tomllib.loads(text)
        except (ValueError, RecursionError) as error:
            raise DocumentError(f"not valid TOML (caused by: {error})", where=where) from error
        return cls(value, where)

    def _at(self, key: str) -> str:
        key = key[: 2 * SHOWN_CHARACTERS]
        return f"{self.where}: {key}" if ":" not in self.where else f"{self.where}.{key}"

    def _get(self, key: str, default: Any) -> Any:
        self._read.add(key)
        value = self._fields.get(key, default)
        if value is _MISSING:
            unread = itertools.islice((name for name in self._fields if name not in self._read), COMPARED_FIELDS)
            advice = nearest(key, list(unread))
            raise DocumentError("a required field is missing", where=self._at(key), advice=advice)
        return value

    def _typed(self, key: str, default: Any, types: tuple[type, ...], expected: str) -> Any:
        value = self._get(key, default)
        if value is default:
            return value
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            raise DocumentError("wrong type", where=self._at(key), expected=expected, found=_type_name(value))
        return value

    def names(self) -> list[str]:
        """List the names of all fields, in document order."""
        return list(self._fields)

    def has(self, key: str) -> bool:
        """Tell whether a field is there and not null.

        Args:
            key: The field's name.

        Returns:
            True if it is.
        """
        return self._fields.get(key) is not None

    def schema(self, name: str, major: int, *, key: str = "schema") -> None:
        """Check a ``"schema": "NAME/MAJOR"`` field.

        Args:
            name: The schema's name.
            major: The major version that is read.
            key: The field's name.

        Raises:
            UnsupportedSchemaError: If it is of another major version.
            DocumentError: If it is of another schema, or has none.
            LimitError: If it has more than 200 characters.
        """
        schema = self.text(key, max_characters=200)
        if schema == f"{name}/{major}":
            return
        error = UnsupportedSchemaError if schema.startswith(f"{name}/") else DocumentError
        raise error(
            "not a schema that this version reads",
            where=self._at(key),
            expected=f"{name}/{major}",
            found=repr(schema),
            advice="Use the version of Sealift that wrote it, or a newer one." if error is UnsupportedSchemaError else None,
        )

    @overload
    def text(self, key: str, *, one_of: Sequence[str] = ..., pattern: str = ..., max_characters: int = ...) -> str: ...
    @overload
    def text(self, key: str, default: T, *, one_of: Sequence[str] = ..., pattern: str = ..., max_characters: int = ...) -> str | T: ...
    def text(
        self,
        key: str,
        default: Any = _MISSING,
        *,
        one_of: Sequence[str] = (),
        pattern: str = "",
        max_characters: int = MAX_TEXT_CHARACTERS,
    ) -> Any:
        """Read a text.

        Args:
            key: The field's name.
            default: What stands for a missing field; without it, the field is required.
            one_of: The words that it may be; empty for any.
            pattern: A regular expression that it must match as a whole; empty for any.
            max_characters: The longest that it may be.

        Returns:
            The text.

        Raises:
            DocumentError: If it is missing, no text, none of the words, or doesn't match.
            LimitError: If it is too long.
        """
        value = self._typed(key, default, (str,), "a text")
        if value is default:
            return value
        if len(value) > max_characters:
            raise LimitError("too long", where=self._at(key), expected=f"at most {max_characters} characters", found=f"{len(value)}")
        if one_of and value not in one_of:
            allowed = ", ".join(repr(word) for word in one_of)
            raise DocumentError(
                "not a known value",
                where=self._at(key),
                expected=f"one of {allowed}",
                found=repr(value[:SHOWN_CHARACTERS]),
                advice=nearest(value, one_of),
            )
        if pattern and not re.fullmatch(pattern, value):
            raise DocumentError("malformed", where=self._at(key), expected=f"a text matching {pattern}", found=repr(value[:SHOWN_CHARACTERS]))
        return value

    @overload
    def boolean(self, key: str) -> bool: ...
    @overload
    def boolean(self, key: str, default: T) -> bool | T: ...
    def boolean(self, key: str, default: Any = _MISSING) -> Any:
        """Read true or false.

        Args:
            key: The field's name.
            default: What stands for a missing field; without it, the field is required.

        Returns:
            The value.

        Raises:
            DocumentError: If it is missing, or neither.
        """
        return self._typed(key, default, (bool,), "true or false")

    @overload
    def integer(self, key: str, *, minimum: int = ..., maximum: int = ...) -> int: ...
    @overload
    def integer(self, key: str, default: T, *, minimum: int = ..., maximum: int = ...) -> int | T: ...
    def integer(self, key: str, default: Any = _MISSING, *, minimum: int = -(2**63), maximum: int = 2**63 - 1) -> Any:
        """Read an integer.

        Args:
            key: The field's name.
            default: What stands for a missing field; without it, the field is required.
            minimum: The smallest that it may be.
            maximum: The largest that it may be.

        Returns:
            The integer.

        Raises:
            DocumentError: If it is missing, no integer, or out of bounds.
        """
        value = self._typed(key, default, (int,), "an integer")
        return value if value is default else self._within(key, value, minimum, maximum)

    @overload
    def number(self, key: str, *, minimum: float = ..., maximum: float = ...) -> float: ...
    @overload
    def number(self, key: str, default: T, *, minimum: float = ..., maximum: float = ...) -> float | T: ...
    def number(self, key: str, default: Any = _MISSING, *, minimum: float = -math.inf, maximum: float = math.inf) -> Any:
        """Read a finite number.

        Args:
            key: The field's name.
            default: What stands for a missing field; without it, the field is required.
            minimum: The smallest that it may be.
            maximum: The largest that it may be.

        Returns:
            The number, as a float.

        Raises:
            DocumentError: If it is missing, no number, not finite, or out of bounds.
        """
        value = self._typed(key, default, (int, float), "a number")
        if value is default:
            return value
        value = self._within(key, value, minimum, maximum)
        try:
            return float(value)
        except OverflowError:
            raise self._out_of_range(key, value, minimum, maximum) from None

    def _within(self, key: str, value: float, minimum: float, maximum: float) -> float:
        if (isinstance(value, float) and not math.isfinite(value)) or not minimum <= value <= maximum:
            raise self._out_of_range(key, value, minimum, maximum)
        return value

    def _out_of_range(self, key: str, value: float, minimum: float, maximum: float) -> DocumentError:
        shown = "a larger one" if isinstance(value, int) and value.bit_length() > _SHOWN_BITS else str(value)
        return DocumentError("out of range", where=self._at(key), expected=f"{minimum} to {maximum}", found=shown)

    def time(self, key: str) -> datetime.datetime:
        """Read a moment in UTC, written like ``2026-01-31T12:00:00Z`` (RFC 3339).

        Args:
            key: The field's name.

        Returns:
            The moment, timezone-aware.

        Raises:
            DocumentError: If it is missing, or written otherwise.
            LimitError: If it has more than 40 characters.
        """
        text = self.text(key, max_characters=40)
        try:
            return parse_time(text)
        except ValueError as error:
            raise DocumentError("not a time", where=self._at(key), expected="like 2026-01-31T12:00:00Z", found=repr(text)) from error

    def items(self, key: str, default: Any = _MISSING, *, max_items: int = MAX_ITEMS) -> Any:
        """Read a list of anything.

        Args:
            key: The field's name.
            default: What stands for a missing field; without it, the field is required.
            max_items: The most items that it may have.

        Returns:
            The list as it was parsed.

        Raises:
            DocumentError: If it is missing, or no list.
            LimitError: If it has too many items.
        """
        value = self._typed(key, default, (list,), "a list")
        if value is default:
            return value
        if len(value) > max_items:
            raise LimitError("too many", where=self._at(key), expected=f"at most {max_items} items", found=str(len(value)))
        return value

    @overload
    def texts(self, key: str, *, one_of: Sequence[str] = ..., max_items: int = ...) -> tuple[str, ...]: ...
    @overload
    def texts(self, key: str, default: T, *, one_of: Sequence[str] = ..., max_items: int = ...) -> tuple[str, ...] | T: ...
    def texts(self, key: str, default: Any = _MISSING, *, one_of: Sequence[str] = (), max_items: int = MAX_ITEMS) -> tuple[str, ...]:
        """Read a list of texts.

        Args:
            key: The field's name.
            default: What stands for a missing field, a tuple; without it, the field is required.
            one_of: The words that each may be; empty for any.
            max_items: The most items that it may have.

        Returns:
            The texts.

        Raises:
            DocumentError: If it is missing, no list, or an item is no text or none of the words.
            LimitError: If it has too many items, or one is too long.
        """
        quick = self._uniform(key, default, max_items, str)
        if quick is not None and (not one_of or set(quick) <= set(one_of)) and max(map(len, quick), default=0) <= MAX_TEXT_CHARACTERS:
            return quick
        return tuple(cell.text(name, one_of=one_of) for name, cell in self._cells(key, default, max_items))

    @overload
    def numbers(self, key: str, *, minimum: float = ..., max_items: int = ...) -> tuple[float, ...]: ...
    @overload
    def numbers(self, key: str, default: T, *, minimum: float = ..., max_items: int = ...) -> tuple[float, ...] | T: ...
    def numbers(self, key: str, default: Any = _MISSING, *, minimum: float = -math.inf, max_items: int = MAX_ITEMS) -> tuple[float, ...]:
        """Read a list of finite numbers.

        Args:
            key: The field's name.
            default: What stands for a missing field, a tuple; without it, the field is required.
            minimum: The smallest that each may be.
            max_items: The most items that it may have.

        Returns:
            The numbers, as floats.

        Raises:
            DocumentError: If it is missing, no list, or an item is no number, not finite, or too small.
            LimitError: If it has too many items.
        """
        quick = self._uniform(key, default, max_items, float)
        if quick and min(quick) >= minimum and all(map(math.isfinite, quick)):
            return quick
        return tuple(cell.number(name, minimum=minimum) for name, cell in self._cells(key, default, max_items))

    @overload
    def integers(self, key: str, *, minimum: int = ..., max_items: int = ...) -> tuple[int, ...]: ...
    @overload
    def integers(self, key: str, default: T, *, minimum: int = ..., max_items: int = ...) -> tuple[int, ...] | T: ...
    def integers(self, key: str, default: Any = _MISSING, *, minimum: int = -(2**63), max_items: int = MAX_ITEMS) -> tuple[int, ...]:
        """Read a list of integers below 2⁶³.

        Args:
            key: The field's name.
            default: What stands for a missing field, a tuple; without it, the field is required.
            minimum: The smallest that each may be.
            max_items: The most items that it may have.

        Returns:
            The integers.

        Raises:
            DocumentError: If it is missing, no list, or an item is no integer or out of bounds.
            LimitError: If it has too many items.
        """
        quick = self._uniform(key, default, max_items, int)
        if quick and min(quick) >= minimum and max(quick) < 2**63:
            return quick
        return tuple(cell.integer(name, minimum=minimum) for name, cell in self._cells(key, default, max_items))

    def _uniform(self, key: str, default: Any, max_items: int, item_type: type) -> tuple[Any, ...] | None:
        """A list whose items are all of one type, which is then checked as a whole; None where each item has to be looked at by itself."""
        items = self.items(key, default, max_items=max_items)
        return tuple(items) if isinstance(items, list) and set(map(type, items)) <= {item_type} else None

    def _cells(self, key: str, default: Any, max_items: int) -> list[tuple[str, Document]]:
        items = self.items(key, default, max_items=max_items)
        return [(f"{key}[{i}]", Document({f"{key}[{i}]": item}, self.where)) for i, item in enumerate(items)]

    def document(self, key: str, default: Any = _MISSING) -> Document:
        """Read a nested table.

        Args:
            key: The field's name.
            default: The dict that stands for a missing table; without it, the field is required.

        Returns:
            The table as a document of its own.

        Raises:
            DocumentError: If it is missing, or no table.
        """
        return Document(self._get(key, default), self._at(key))

    def documents(self, key: str, default: Any = _MISSING, *, max_items: int = MAX_ITEMS) -> list[Document]:
        """Read a list of nested tables.

        Args:
            key: The field's name.
            default: The list that stands for a missing field; without it, the field is required.
            max_items: The most items that it may have.

        Returns:
            Each table as a document of its own.

        Raises:
            DocumentError: If it is missing, no list, or an item is no table.
            LimitError: If it has too many items.
        """
        items = self.items(key, default, max_items=max_items)
        return [Document(item, f"{self._at(key)}[{i}]") for i, item in enumerate(items)]

    def value(self, key: str, default: Any = _MISSING) -> Any:
        """Read a field as it was parsed, unchecked.

        Args:
            key: The field's name.
            default: What stands for a missing field; without it, the field is required.

        Returns:
            Whatever is there.

        Raises:
            DocumentError: If it is missing.
        """
        return self._get(key, default)

    def raw(self) -> dict[str, Any]:
        """Take the whole table as it was parsed; every field counts as read."""
        self._read.update(self._fields)
        return self._fields

    def refuse_unknown(self) -> None:
        """Check that no field is left that no getter asked for, which is a misspelling, most likely. Call it after all getters.

        Raises:
            DocumentError: If one is left; it names the nearest known field.
        """
        for name in self._fields:
            if name not in self._read:
                fields = sorted(self._read)
                raise DocumentError("unknown field", where=self._at(name), expected=f"one of {', '.join(fields)}", advice=nearest(name, fields))


def _check_size(data: bytes, where: str, max_bytes: int) -> None:
    if len(data) > max_bytes:
        raise LimitError("too large", where=where, expected=f"at most {max_bytes} bytes", found=f"{len(data)} bytes")
