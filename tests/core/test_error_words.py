"""Words that errors and notes list."""

from __future__ import annotations

from sealift_core.errors import first_few


def test_all_words_are_listed_where_they_are_few() -> None:
    assert first_few([], 2) == ""
    assert first_few(["a", "b"], 2) == "a, b"


def test_of_many_words_the_first_are_listed_and_how_many_there_are() -> None:
    assert first_few(["a", "b", "c"], 2) == "a, b, … (3 in all)"
    assert first_few(["a"] * 12345, 1) == "a, … (12,345 in all)"
    assert first_few(["a", "b", "c"], 2, counted=False) == "a, b, …"
