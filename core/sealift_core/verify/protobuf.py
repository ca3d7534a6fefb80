"""A walk over a protobuf message: only the fields of a table, each where and as often as it says. Linear in time, bounded in depth and count.

This is no decoder. It skips what the table doesn't ask for, by its length, so that a graph of 100 MB with its weights inside takes milliseconds.
It accepts less than protobuf does, so that no two readers can understand one file differently:

1. A field that the table doesn't have is refused: a group, an unknown number, a known number with another wire type.
2. A field that isn't repeated stands there once: protobuf would take the last one, or merge messages.
3. Tags and lengths are written in as few bytes as they need.
4. Messages are at most `MAX_DEPTH` deep, and have at most `MAX_FIELDS` fields in all.

The wire format: https://protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

import dataclasses
import mmap
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from sealift_core.errors import DocumentError, LimitError

#: As many as protobuf's own readers take.
MAX_DEPTH: Final = 100
#: A graph of a hundred thousand nodes has about 700,000. Numbers and short texts in a row count as one.
MAX_FIELDS: Final = 4_000_000
#: The longest text that is kept: names of operators, domains, files.
MAX_TEXT_BYTES: Final = 4096
VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
_SIZES: Final = {FIXED64: 8, FIXED32: 4}
_VARINT_BYTES: Final = 10
#: Set in every byte of a varint but the last.
_MORE: Final = 0x80

Data = bytes | mmap.mmap
#: What a walk kept of a message, by field number: an integer, bytes, or a list of what it kept of each sub-message.
Kept = dict[int, Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Field:
    """One field of a message.

    Attributes:
        number: Its number in the ``.proto`` file.
        wire_types: The wire types that it may have.
        many: Whether it may be repeated.
        keep: Whether the walk keeps its value.
        message: The table of a sub-message that is to be walked; None for any other field.
        run: Matches several of it in a row, which are skipped at once; None if there is no such shortcut.
    """

    number: int
    wire_types: tuple[int, ...]
    many: bool = False
    keep: bool = False
    message: MessageTable | None = None
    run: re.Pattern[bytes] | None = None


@dataclasses.dataclass(slots=True, eq=False)
class MessageTable:
    """The table of a message.

    Attributes:
        name: Its name in the ``.proto`` file, for errors.
        fields: Its fields by tag, which is the field's number and wire type.
        done: The name of the function that a `Walk` calls with what it kept of each such message; empty for none.
    """

    name: str
    fields: dict[int, Field] = dataclasses.field(default_factory=dict)
    done: str = ""

    def add(self, *fields: Field) -> MessageTable:
        """Add fields afterwards, so that a message can hold others of its own type.

        Args:
            *fields: The fields; one of a tag that is there replaces it.

        Returns:
            The message itself.
        """
        self.fields |= {field.number << 3 | wire_type: field for field in fields for wire_type in field.wire_types}
        return self


def numbers_run(number: int) -> re.Pattern[bytes]:
    """Make the pattern of several varints of one field, unpacked.

    Args:
        number: The field's number, below 16.

    Returns:
        A pattern that matches one or more of them in a row.
    """
    return re.compile(rb"(?:%s[\x80-\xff]{0,9}+[\x00-\x7f])++" % re.escape(bytes([number << 3 | VARINT])), re.DOTALL)


def fixed_run(number: int, wire_type: int) -> re.Pattern[bytes]:
    """Make the pattern of several fixed-size numbers of one field, unpacked.

    Args:
        number: The field's number, below 16.
        wire_type: The wire type: `FIXED32` or `FIXED64`.

    Returns:
        A pattern that matches one or more of them in a row.
    """
    return re.compile(rb"(?:%s.{%d})++" % (re.escape(bytes([number << 3 | wire_type])), _SIZES[wire_type]), re.DOTALL)


def texts_run(number: int) -> re.Pattern[bytes]:
    """Make the pattern of several short texts of one field.

    Args:
        number: The field's number, below 16.

    Returns:
        A pattern that matches one or more texts of less than 64 bytes in a row.
    """
    lengths = b"|".join(re.escape(bytes([size])) + b".{%d}" % size for size in range(64))
    return re.compile(rb"(?:%s(?:%s))++" % (re.escape(bytes([number << 3 | LENGTH])), lengths), re.DOTALL)


class Walk:
    """One walk over a message's bytes; all its messages share one budget of `MAX_FIELDS` fields."""

    def __init__(self, data: Data, done: Mapping[str, Callable[[Kept], None]], *, where: str) -> None:
        """Prepare a walk.

        Args:
            data: The bytes, or a map of them.
            done: The functions that the tables name, called with what the walk kept of a message.
            where: What errors call the file.
        """
        self._data = data
        self._done = done
        self._where = where
        self._left = MAX_FIELDS

    def message(self, table: MessageTable, start: int, end: int, depth: int = 0) -> Kept:
        """Walk one message, and those in it.

        Args:
            table: The fields that it may have.
            start: The offset in bytes where it begins.
            end: The offset in bytes behind its last byte.
            depth: In how many messages it lies.

        Returns:
            What was kept of it, by field number.

        Raises:
            DocumentError: If it has a field that the table doesn't allow, or is cut off.
            LimitError: If it is nested too deep, or has too many fields or too long a text.
        """
        if depth >= MAX_DEPTH:
            raise LimitError("nested too deep", where=self._where, expected=f"at most {MAX_DEPTH} nested messages")
        kept: Kept = {}
        seen: set[int] = set()
        at = start
        while at < end:
            tag, at = self._canonical(at, end)
            field = self._field(table, tag, seen)
            at = self._sized(field, at, end, depth, kept) if tag & 7 == LENGTH else self._number(field, tag & 7, at, end, kept)
            if field.run is not None and (run := field.run.match(self._data, at, end)):
                at = run.end()
        if table.done:
            self._done[table.done](kept)
        return kept

    def _field(self, table: MessageTable, tag: int, seen: set[int]) -> Field:
        """The field that a tag is of, if it may stand here."""
        self._left -= 1
        if self._left < 0:
            raise LimitError("too many fields", where=self._where, expected=f"at most {MAX_FIELDS:,}")
        field = table.fields.get(tag)
        if field is None:
            raise self._wrong(f"{table.name} has a field that this version doesn't know: number {tag >> 3}, wire type {tag & 7}")
        if not field.many:
            if field.number in seen:
                raise self._wrong(f"field {field.number} of {table.name} appears twice")
            seen.add(field.number)
        return field

    def _sized(self, field: Field, at: int, end: int, depth: int, kept: Kept) -> int:
        """Walk, keep or skip what a length stands before; where it ends."""
        size, at = self._canonical(at, end)
        stop = at + size
        if stop > end:
            raise self._cut()
        if field.message is not None:
            part = self.message(field.message, at, stop, depth + 1)
            if field.keep:
                kept.setdefault(field.number, []).append(part)
        elif field.keep:
            kept[field.number] = self._text(at, stop)
        return stop

    def _number(self, field: Field, wire_type: int, at: int, end: int, kept: Kept) -> int:
        """Keep or skip a number; where it ends."""
        if wire_type == VARINT:
            value, stop = self._varint(at, end)
            if field.keep:
                kept[field.number] = value
            return stop
        stop = at + _SIZES[wire_type]
        if stop > end:
            raise self._cut()
        return stop

    def _varint(self, at: int, end: int) -> tuple[int, int]:
        value = shift = 0
        for place in range(at, min(end, at + _VARINT_BYTES)):
            byte = self._data[place]
            value |= (byte & 0x7F) << shift
            if byte < _MORE:
                return value, place + 1
            shift += 7
        raise self._cut()

    def _canonical(self, at: int, end: int) -> tuple[int, int]:
        """A tag or a length: as few bytes as it needs."""
        if at < end and self._data[at] < _MORE:
            return self._data[at], at + 1
        value, stop = self._varint(at, end)
        if self._data[stop - 1] == 0:
            raise self._wrong("a tag or a length takes more bytes than it needs")
        return value, stop

    def _text(self, start: int, stop: int) -> bytes:
        if stop - start > MAX_TEXT_BYTES:
            raise LimitError("a name is too long", where=self._where, expected=f"at most {MAX_TEXT_BYTES} bytes", found=f"{stop - start}")
        return bytes(self._data[start:stop])

    def _cut(self) -> DocumentError:
        return self._wrong("a field extends beyond the end of its message")

    def _wrong(self, message: str) -> DocumentError:
        return DocumentError(message, where=self._where, expected="a plain ONNX file")
