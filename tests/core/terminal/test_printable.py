"""Text from outside is shown with escapes in place of what would steer a terminal or hide."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.texts import NASTY, READABLE
from sealift_core.terminal.printable import printable, printable_json

#: Any text at all, half of it made of what is escaped or stands beside it.
TEXTS = st.text(st.one_of(st.characters(), st.sampled_from("".join(text for text, _ in NASTY.values()) + "".join(READABLE) + "\n")))
DIRECTIONS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@pytest.mark.parametrize("name", NASTY)
def test_what_steers_a_terminal_or_hides_is_shown_as_an_escape(name: str) -> None:
    text, shown = NASTY[name]
    assert printable(text) == shown


@pytest.mark.parametrize("text", READABLE)
def test_readable_text_in_any_script_stays_as_it_is(text: str) -> None:
    assert printable(text) == text


def test_a_line_break_stays_where_lines_are_meant_and_nothing_else_does() -> None:
    assert printable("a\nb\r\n\x1b", lines=True) == "a\nb\\r\n\\x1b"


@given(TEXTS, st.booleans())
def test_nothing_is_left_that_steers_or_breaks_a_line(text: str, lines: bool) -> None:
    shown = printable(text, lines=lines)
    rest = shown.replace("\n", "") if lines else shown
    assert not {unicodedata.category(character) for character in rest} & {"Cc", "Cs", "Zl", "Zp"}
    assert not DIRECTIONS & set(rest)
    shown.encode()


@given(TEXTS, st.booleans())
def test_doing_it_twice_changes_nothing(text: str, lines: bool) -> None:
    shown = printable(text, lines=lines)
    assert printable(shown, lines=lines) == shown


FILLERS = "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2065\u3164\uffa0"


@given(st.text(st.characters(categories=["L", "N", "P", "S"], exclude_characters=FILLERS)))
def test_letters_numbers_and_signs_of_every_script_are_unchanged(text: str) -> None:
    assert printable(text) == text


@given(st.recursive(TEXTS | st.integers() | st.booleans() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner)))
def test_json_for_a_terminal_is_printable_and_the_same_document(value: object) -> None:
    text = printable_json(json.dumps(value, indent=2, ensure_ascii=False))
    assert json.loads(text) == value
    assert printable(text, lines=True) == text
