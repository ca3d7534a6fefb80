"""JSON from outside, read in time and memory that grow no faster than its bytes.

Before anything is parsed, a scan of the bytes counts what parsing costs: values, and the lists, tables and names that take the most
memory. So a document that is small on the wire can't become gigabytes, and nobody's signature has to be trusted for that.
"""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import json
import math
import re
from collections.abc import Iterator
from typing import Any, Final

from sealift_core.errors import LimitError

#: Far more than any document of ours; Python's own parser gives up at about 1000.
MAX_DEPTH: Final = 100
#: Parsing less than this makes too little garbage to hold the collector off.
LARGE_BYTES: Final = 64 * 1024
_MAX_NAME_CHARACTERS: Final = 100
_NAME_END: Final = re.compile(rb'"[ \t\n\r]*:')
_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class JsonBudget:
    """The most that a document may hold, counted in the raw bytes: commas and brackets inside of texts count, too.

    Attributes:
        values: How many values, which commas separate.
        structures: How many lists, tables, and names in tables.
    """

    values: int = 2**23
    structures: int = 2**20

    def check(self, data: bytes | bytearray, *, where: str, advice: str | None = None) -> None:
        """Check a document against the budget: a scan at the speed of memory.

        Args:
            data: The document's bytes.
            where: What errors call it.
            advice: What the error tells the reader to do; None for nothing.

        Raises:
            LimitError: If it holds more.
        """
        if len(data) <= min(self.values, self.structures):  # each takes a byte at least
            return
        values, structures = data.count(b",") + 1, data.count(b"[") + data.count(b"{")
        if values <= self.values and structures <= self.structures:
            structures += len(_NAME_END.findall(data))
        self.compare(values, structures, where=where, advice=advice)

    def compare(self, values: int, structures: int, *, where: str, advice: str | None = None) -> None:
        """Check what was counted in a document against the budget.

        Args:
            values: The values in it.
            structures: The lists, tables and names in it.
            where: What errors call the document.
            advice: What the error tells the reader to do; None for nothing.

        Raises:
            LimitError: If it holds more.
        """
        if values > self.values:
            raise LimitError("too many values", where=where, expected=f"at most {self.values}", found=f"up to {values}", advice=advice)
        if structures > self.structures:
            expected, counted = f"at most {self.structures}", f"{structures} or more"
            raise LimitError("too many lists, tables and names", where=where, expected=expected, found=counted, advice=advice)


BUDGET: Final = JsonBudget()
#: What surrounds a signed payload, which is one text.
ENVELOPE_BUDGET: Final = JsonBudget(values=1000, structures=1000)


def parse(data: bytes, *, where: str, budget: JsonBudget = BUDGET) -> Any:
    """Parse UTF-8 JSON (RFC 8259), strictly.

    Args:
        data: The document's bytes.
        where: What errors call it.
        budget: The most values and structures that it may hold.

    Returns:
        The value.

    Raises:
        LimitError: If it is above the budget.
        ValueError: If it isn't JSON, has a name twice, a number that isn't finite, half a surrogate pair (it is no text: it can't be written again),
            or nesting beyond `MAX_DEPTH`. The message is for a person.
    """
    budget.check(data, where=where)
    try:
        with collecting_later() if len(data) > LARGE_BYTES else contextlib.nullcontext():
            value = json.loads(data.decode(), object_pairs_hook=_no_duplicates, parse_constant=_no_constant, parse_float=_finite)
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    if data.count(b"[") + data.count(b"{") > MAX_DEPTH and is_deeper(value, MAX_DEPTH):  # else it can't be that deep
        raise ValueError(f"nested deeper than {MAX_DEPTH} levels")
    check_texts(value, data)
    return value


def check_texts(value: Any, data: bytes | bytearray) -> None:
    """Check that no text of a parsed document holds half a surrogate pair: it is no text, and can't be written again.

    Args:
        value: What was parsed.
        data: The document's bytes.

    Raises:
        ValueError: If one does.
    """
    if _SURROGATE.search(data):
        json.dumps(value, ensure_ascii=False).encode()


@contextlib.contextmanager
def collecting_later() -> Iterator[None]:
    """Hold the garbage collector off while something large is parsed: it would look at all that is new, again and again.

    Yields:
        Nothing; on leaving the block the collector is as it was.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def is_deeper(value: Any, levels: int) -> bool:
    """Tell whether lists and tables are nested deeper than a number of levels.

    Args:
        value: A parsed JSON document that is a list or a table.
        levels: How many levels are allowed.

    Returns:
        True if it is deeper.
    """
    level = [value]
    for _ in range(levels):
        level = [child for item in level for child in (item.values() if isinstance(item, dict) else item) if isinstance(child, list | dict)]
        if not level:
            return False
    return True


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise ValueError(f"the field {name[:_MAX_NAME_CHARACTERS]!r} appears twice")
            seen.add(name)
    return fields


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text[:40]} is too large a number")
    return number
