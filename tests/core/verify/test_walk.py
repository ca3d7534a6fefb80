"""A walk over a protobuf message, byte by byte: what a table allows, and where each bound lies."""

from __future__ import annotations

from typing import Any

import pytest

from sealift_core.errors import DocumentError, LimitError
from sealift_core.verify import protobuf
from sealift_core.verify.protobuf import (
    FIXED32,
    FIXED64,
    LENGTH,
    MAX_DEPTH,
    MAX_TEXT_BYTES,
    VARINT,
    Field,
    Kept,
    MessageTable,
    Walk,
    fixed_run,
    numbers_run,
    texts_run,
)
from support.hostile_graphs import number, part, varint

INNER = MessageTable("Inner", done="inner").add(Field(1, (VARINT,), keep=True))
OUTER = MessageTable("Outer").add(
    Field(1, (VARINT,), keep=True),
    Field(2, (LENGTH,), keep=True),
    Field(3, (LENGTH,), many=True, keep=True, message=INNER),
    Field(4, (LENGTH,), message=INNER),
    Field(5, (FIXED32,)),
    Field(6, (FIXED64,)),
    Field(7, (VARINT, LENGTH), many=True, run=numbers_run(7)),
    Field(8, (LENGTH,)),
    Field(9, (VARINT,)),
    Field(300, (VARINT,), keep=True),
)


def walk(data: bytes, table: MessageTable = OUTER) -> Kept:
    return Walk(data, {"inner": lambda _: None}, where="x").message(table, 0, len(data))


def refused(data: bytes, message: str, table: MessageTable = OUTER) -> None:
    with pytest.raises(DocumentError, match=f"^x: {message}: expected a plain ONNX file$"):
        walk(data, table)


def test_what_is_to_be_kept_is_kept_and_nothing_else() -> None:
    data = number(1, 300) + part(2, "text") + part(3, number(1, 5)) + part(3, b"") + part(4, number(1, 6)) + b"\x2dabcd" + b"\x31abcdefgh"
    assert walk(data + number(7, 1) + part(8, "skipped") + number(9, 3) + number(300, 2**63)) == {
        1: 300, 2: b"text", 3: [{1: 5}, {}], 300: 2**63,
    }  # fmt: skip
    assert walk(b"") == {}


def test_the_function_of_a_message_is_called_with_what_was_kept_of_it_inner_ones_first() -> None:
    calls: list[tuple[str, Kept]] = []
    inner = MessageTable("Inner", done="inner").add(Field(1, (VARINT,), keep=True))
    outer = MessageTable("Outer", done="outer").add(Field(1, (VARINT,), keep=True), Field(3, (LENGTH,), many=True, message=inner))
    data = part(3, number(1, 5)) + number(1, 9) + part(3, b"")
    done = {name: lambda kept, name=name: calls.append((name, kept)) for name in ("inner", "outer")}
    Walk(data, done, where="x").message(outer, 0, len(data))
    assert calls == [("inner", {1: 5}), ("inner", {}), ("outer", {1: 9})]


def test_a_part_of_the_bytes_can_be_walked_alone() -> None:
    data = b"??" + number(1, 5) + b"??"
    assert Walk(data, {}, where="x").message(OUTER, 2, len(data) - 2) == {1: 5}


@pytest.mark.parametrize(("data", "message"), [
    (number(99, 1), "Outer has a field that this version doesn't know: number 99, wire type 0"),
    (part(1, b""), "Outer has a field that this version doesn't know: number 1, wire type 2"),
    (number(2, 1), "Outer has a field that this version doesn't know: number 2, wire type 0"),
    (b"\x0b\x0c", "Outer has a field that this version doesn't know: number 1, wire type 3"),
    (part(3, number(2, 1)), "Inner has a field that this version doesn't know: number 2, wire type 0"),
    (number(1, 1) + number(1, 1), "field 1 of Outer appears twice"),
    (part(4, b"") + part(4, b""), "field 4 of Outer appears twice"),
    (part(2, b"") + number(9, 1) + part(2, b""), "field 2 of Outer appears twice"),
])  # fmt: skip
def test_a_field_that_may_not_stand_there_is_named(data: bytes, message: str) -> None:
    refused(data, message)


def test_a_repeated_field_may_stand_there_often_in_each_of_its_forms() -> None:
    assert walk((number(7, 1) + part(7, b"\x01\x02")) * 3 + part(3, b"") * 3) == {3: [{}, {}, {}]}


CUT = "a field extends beyond the end of its message"


@pytest.mark.parametrize("data", [
    b"\x08", b"\x08\x80", b"\x88", b"\x12", b"\x12\x05text", b"\x12\x80", b"\x2dabc", b"\x31abcdefg", b"\x1a\x02\x08", b"\x1a\x01\x08\x05",
    b"\x08" + b"\x80" * 10 + b"\x01",
])  # fmt: skip
def test_what_is_cut_off_is_refused(data: bytes) -> None:
    refused(data, CUT)


def test_a_number_has_ten_bytes_at_most() -> None:
    assert walk(b"\x08" + b"\xff" * 9 + b"\x01") == {1: 2**64 - 1}
    assert walk(b"\x08" + b"\x80" * 9 + b"\x00") == {1: 0}


@pytest.mark.parametrize("data", [b"\x88\x00\x05", b"\x12\x84\x00text", b"\x12\x80\x00", b"\x88\x80\x00\x05"])
def test_tags_and_lengths_take_as_few_bytes_as_they_need(data: bytes) -> None:
    refused(data, "a tag or a length takes more bytes than it needs")


def test_lengths_and_tags_of_two_bytes_are_read() -> None:
    assert walk(part(2, b"a" * 127))[2] == b"a" * 127
    assert walk(part(2, b"a" * 128))[2] == b"a" * 128
    assert walk(part(2, b"a" * 300) + number(1, 1)) == {2: b"a" * 300, 1: 1}


def test_a_message_ends_where_its_length_says() -> None:
    assert walk(part(3, number(1, 5)) + number(1, 6)) == {3: [{1: 5}], 1: 6}


def test_a_text_of_4096_bytes_is_kept_and_one_more_is_too_long() -> None:
    assert len(walk(part(2, b"a" * MAX_TEXT_BYTES))[2]) == MAX_TEXT_BYTES
    with pytest.raises(LimitError, match="^x: a name is too long: expected at most 4096 bytes, found 4097$"):
        walk(part(2, b"a" * (MAX_TEXT_BYTES + 1)))
    assert walk(part(8, b"a" * 10_000)) == {}


def test_messages_are_100_deep_at_most() -> None:
    table = MessageTable("Deep")
    table.add(Field(1, (LENGTH,), message=table))

    def nested(depth: int) -> bytes:
        data = b""
        for _ in range(depth - 1):
            data = part(1, data)
        return data

    assert walk(nested(MAX_DEPTH), table) == {}
    with pytest.raises(LimitError, match="^x: nested too deep: expected at most 100 nested messages$"):
        walk(nested(MAX_DEPTH + 1), table)


def test_fields_of_all_messages_together_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protobuf, "MAX_FIELDS", 4)
    assert walk(part(3, number(1, 5)) * 2) == {3: [{1: 5}, {1: 5}]}
    with pytest.raises(LimitError, match="^x: too many fields: expected at most 4$"):
        walk(part(3, number(1, 5)) * 2 + part(3, b""))


def test_numbers_in_a_row_are_one_field(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protobuf, "MAX_FIELDS", 2)
    assert walk(number(7, 1) * 100 + number(1, 3)) == {1: 3}
    assert walk(number(7, 1) + number(7, 300) + number(7, 2**64 - 1) + number(1, 3)) == {1: 3}


def test_numbers_in_a_row_end_with_their_message() -> None:
    assert walk(number(7, 1) * 3) == {}
    refused(number(7, 1) * 3 + b"\x38", CUT)


# Runs


def match(pattern: Any, data: bytes) -> int:
    found = pattern.match(data)
    return found.end() if found else 0


def test_a_run_of_numbers_is_all_of_one_field_that_stand_side_by_side() -> None:
    pattern = numbers_run(7)
    row = number(7, 0) + number(7, 127) + number(7, 128) + number(7, 2**64 - 1)
    assert match(pattern, row) == len(row)
    assert match(pattern, row + number(8, 1)) == len(row)
    assert match(pattern, number(8, 1) + row) == 0
    assert match(pattern, b"\x38" + b"\xff" * 9 + b"\x01") == 11
    assert match(pattern, b"\x38" + b"\xff" * 10 + b"\x01") == 0
    assert match(pattern, b"\x38\n\x38\n") == 4


@pytest.mark.parametrize(("kind", "size"), [(FIXED32, 4), (FIXED64, 8)])
def test_a_run_of_fixed_numbers_takes_their_bytes_whatever_they_are(kind: int, size: int) -> None:
    pattern = fixed_run(4, kind)
    row = varint(4 << 3 | kind) + b"\n" * size
    assert match(pattern, row * 3) == 3 * len(row)
    assert match(pattern, row * 3 + row[:-1]) == 3 * len(row)
    assert match(pattern, varint(5 << 3 | kind) + bytes(size)) == 0


def test_a_run_of_texts_takes_those_of_less_than_64_bytes() -> None:
    pattern = texts_run(6)
    row = part(6, "") + part(6, b"\n\xff") + part(6, b"a" * 63)
    assert match(pattern, row) == len(row)
    assert match(pattern, row + part(6, b"a" * 64)) == len(row)
    assert match(pattern, row + part(5, "a")) == len(row)
    assert match(pattern, part(6, b"a" * 64)) == 0
    assert match(pattern, b"\x32\x03ab") == 0


def test_a_field_of_a_tag_that_is_there_replaces_it() -> None:
    table = MessageTable("M").add(Field(1, (VARINT,)))
    assert table.add(Field(1, (VARINT,), keep=True), Field(2, (VARINT, FIXED32))) is table
    assert walk(number(1, 5), table) == {1: 5}
    assert sorted(table.fields) == [8, 16, 21]


def test_a_fixed_number_may_be_the_last_of_its_message() -> None:
    assert walk(b"\x2dabcd") == {}
    assert walk(b"\x31abcdefgh") == {}


def test_a_table_keeps_what_was_added_before() -> None:
    table = MessageTable("M").add(Field(1, (VARINT,)))
    table.add(Field(2, (VARINT,)))
    assert sorted(table.fields) == [8, 16]
