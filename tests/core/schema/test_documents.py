"""Documents from outside: what is wrong is named by its path, with what was expected and what came."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealift_core.errors import DocumentError, LimitError, SealiftError, UnsupportedSchemaError
from sealift_core.schema.documents import Document, canonical_json


def document(**fields: Any) -> Document:
    return Document(fields, "profile.toml")


def test_a_getter_returns_a_value_of_its_type() -> None:
    fields = document(name="a", count=3, ratio=2, on=True, words=["x", "y"])
    assert fields.text("name") == "a"
    assert fields.integer("count") == 3
    assert isinstance(fields.number("ratio"), float)
    assert fields.boolean("on") is True
    assert fields.texts("words") == ("x", "y")


def test_a_missing_field_is_named_with_the_spelling_that_was_there() -> None:
    with pytest.raises(DocumentError, match=r"profile\.toml: summary: a required field is missing\. Did you mean 'sumary'\?"):
        document(sumary="x").text("summary")


def test_an_unknown_value_is_answered_with_the_nearest_known_one() -> None:
    nested = document(int8={"weight": "in8"}).document("int8")
    with pytest.raises(DocumentError) as caught:
        nested.text("weight", one_of=("int8", "uint8"))
    assert str(caught.value) == "profile.toml: int8.weight: not a known value: expected one of 'int8', 'uint8', found 'in8'. Did you mean 'int8'?"


@pytest.mark.parametrize(("value", "type_name"), [(None, "null"), (1, "an integer"), ([], "a list"), ({}, "a table"), (True, "a boolean")])
def test_a_wrong_type_is_named(value: object, type_name: str) -> None:
    with pytest.raises(DocumentError, match=f"expected a text, found {type_name}"):
        document(name=value).text("name")


def test_a_boolean_is_no_integer() -> None:
    with pytest.raises(DocumentError, match="expected an integer, found a boolean"):
        document(count=True).integer("count")


def test_an_integer_out_of_range_is_refused() -> None:
    with pytest.raises(DocumentError, match="expected 0 to 65535, found 70000"):
        document(port=70000).integer("port", minimum=0, maximum=65535)


def test_an_item_of_a_list_is_named_by_its_position() -> None:
    with pytest.raises(DocumentError, match=r"profile\.toml: words\[1\]: wrong type"):
        document(words=["a", 2]).texts("words")


def test_a_default_stands_in_for_a_missing_field() -> None:
    fields = document()
    assert fields.text("name", "x") == "x"
    assert fields.number("ratio", None) is None
    assert fields.document("table", {}).names() == []


def test_an_unknown_field_is_refused_with_the_nearest_spelling() -> None:
    fields = document(name="a", treads=[1])
    fields.text("name")
    fields.items("threads", [])
    with pytest.raises(DocumentError, match=r"treads: unknown field: expected one of name, threads\. Did you mean 'threads'\?"):
        fields.refuse_unknown()


def test_another_major_version_of_a_schema_says_what_can_read_it() -> None:
    with pytest.raises(UnsupportedSchemaError, match=r"expected sealift\.bundle/1, found 'sealift\.bundle/2'\. Use the version"):
        document(schema="sealift.bundle/2").schema("sealift.bundle", 1)


def test_another_schema_is_no_version_of_this_one() -> None:
    with pytest.raises(DocumentError) as caught:
        document(schema="sealift.report/1").schema("sealift.bundle", 1)
    assert not isinstance(caught.value, UnsupportedSchemaError)


BAD_JSON = {
    "empty": b"",
    "cut off": b'{"a": ',
    "not an object": b"[1]",
    "twice": b'{"a": 1, "a": 2}',
    "NaN": b'{"a": NaN}',
    "infinite": b'{"a": -Infinity}',
    "not UTF-8": b'{"a": "\xff"}',
    "deep": b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "long integer": b'{"a": ' + b"9" * 5000 + b"}",
}


@pytest.mark.parametrize("data", BAD_JSON.values(), ids=BAD_JSON.keys())
def test_json_that_is_none_is_a_document_error(data: bytes) -> None:
    with pytest.raises(DocumentError, match=r"bundle\.json"):
        Document.parse_json(data, where="bundle.json", max_bytes=10**7)


def test_a_large_document_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(LimitError, match="expected at most 10 bytes, found 11 bytes"):
        Document.parse_json(b'{"a": true}', where="x", max_bytes=10)


def test_a_broken_toml_document_is_named() -> None:
    with pytest.raises(DocumentError, match=r"agent\.toml: not valid TOML"):
        Document.parse_toml(b"a = ", where="agent.toml", max_bytes=100)


@given(st.binary(max_size=200))
def test_any_bytes_are_parsed_or_refused_with_our_error(data: bytes) -> None:
    for parse in (Document.parse_json, Document.parse_toml):
        try:
            parse(data, where="x", max_bytes=150)
        except SealiftError as error:
            assert "x" in str(error)


@given(st.dictionaries(st.text(max_size=5), st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False, allow_infinity=False)))
def test_canonical_json_reads_back_equal(fields: dict[str, Any]) -> None:
    assert json.loads(canonical_json(fields)) == fields
