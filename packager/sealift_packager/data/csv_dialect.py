"""How a CSV file is written: what stands between its columns and before its decimals, seen in its first lines. Pure."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from typing import Final

#: The likeliest first.
_SEPARATORS: Final = (b",", b";", b"\t", b"|")
#: A quoted part of a line, in which a separator is none.
_QUOTED: Final = re.compile(rb'"[^"]*+(?:""[^"]*+)*+"?+')
_INNER_COMMA: Final = re.compile(rb"(?<=[0-9]),(?=[0-9])")
_WITH_COMMA: Final = re.compile(rb"[ ]*+[-+]?+[0-9]++,[0-9]++[ ]*+")
_THOUSAND: Final = re.compile(rb"[ ]*+[-+]?+[1-9][0-9]{0,2},[0-9]{3}[ ]*+")
_WITH_POINT: Final = re.compile(rb"[ ]*+[-+]?+[0-9]++\.[0-9]++[ ]*+")
_NUMBER: Final = re.compile(rb"[-+]?+(?:[0-9]++(?:\.[0-9]*+)?+|\.[0-9]++)(?:[eE][-+]?+[0-9]++)?+")
#: Data lines that are looked at for decimals.
_LINES: Final = 1000


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """``separator`` is one byte; ``decimal`` is ``.`` or ``,``."""

    separator: bytes = b","
    decimal: str = "."

    def options(self) -> dict[str, str]:
        """Pandas' options for it."""
        return {"sep": self.separator.decode(), "decimal": self.decimal}


def dialect_of(head: bytes) -> Dialect:
    """The dialect of a file that begins with these bytes, a byte order mark left out.

    Columns are separated by what each line has as often as the header line; if nothing is so regular, by a comma if there is one in the header
    line, else by what it has most of. A comma within numbers is a decimal comma where the columns are separated by something else and no value
    looks like ``1.5``, unless each may as well be a thousand with its separator (``1,234``).
    """
    lines = [_QUOTED.sub(b"", line) for line in head.splitlines()[: _LINES + 1] if line.strip()]
    separator = _separator(lines)
    if separator == b",":
        return Dialect()
    values = [value for line in lines[1:] for value in line.split(separator)]
    with_comma = [value for value in values if _WITH_COMMA.fullmatch(value)]
    thousands = all(map(_THOUSAND.fullmatch, with_comma))
    decimal = "." if thousands or any(map(_WITH_POINT.fullmatch, values)) else ","
    return Dialect(separator=separator, decimal=decimal)


def _separator(lines: Sequence[bytes]) -> bytes:
    if not lines:
        return b","
    counts = {separator: lines[0].count(separator) for separator in _SEPARATORS}
    regular = [sep for sep, count in counts.items() if count and all(line.count(sep) == count for line in lines[1:-1])]  # the last may be cut off
    if len(regular) > 1 and regular[0] == b"," and b"," not in _INNER_COMMA.sub(b"", lines[0]):  # data without names, with decimal commas
        regular.remove(b",")
    if regular or counts[b","]:
        return regular[0] if regular else b","
    return max(_SEPARATORS, key=lambda separator: counts[separator])


def is_data(line: bytes, dialect: Dialect) -> bool:
    """Whether a first line holds data in place of names: numbers alone, or nothing, one of which is no column's number."""
    values = [_as_number(value, dialect) for value in line.split(dialect.separator)]
    numbers = [value for value in values if value]
    return bool(numbers) and all(map(_NUMBER.fullmatch, numbers)) and not all(value.isdigit() for value in numbers)


def _as_number(value: bytes, dialect: Dialect) -> bytes:
    """A value without its quotes, with a point before its decimals."""
    bare = value.strip().strip(b'"').strip()
    return bare.replace(b",", b".") if dialect.decimal == "," and _WITH_COMMA.fullmatch(bare) else bare
