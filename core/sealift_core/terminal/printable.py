r"""Text from outside as a terminal, a log or a page may show it: what would steer the display, or hide, becomes a visible escape. Pure.

A device's name, a model's description, a file's name or the words of another library's error can hold an escape sequence that
rewrites the screen, a line break that forges the next line, or a control that turns the reading order around. `printable` writes
each of these as Python would: ``\x1b``, ``\n``, ``\u202e``. Text that people read, in whatever script, stays as it is.

What is escaped: the controls of C0 and C1, line and paragraph separators, controls of the writing direction, characters without
a width, lone surrogates, noncharacters. Sources: Unicode's properties Bidi_Control and Default_Ignorable_Code_Point, and the
categories Cc, Cf, Cs, Zl and Zp. The joiners, and the selectors of a variant, stay where they make an emoji or a letter what it is.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable
from typing import Final

#: Characters that no display shows, beside those of Unicode's category Cf: fillers, selectors, and ranges that are kept for more of them.
_INVISIBLE: Final = "\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u3164\ufe00-\ufe0f\uffa0\ufff0-\ufff8\U000e0000-\U000e0fff"
#: Signs that stand around a number, and are seen, though Unicode counts them among the format characters.
_SEEN: Final = frozenset("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd")
_JOINERS: Final = frozenset("\u200c\u200d")
_VARIANT: Final = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")
_KEYCAPS: Final = frozenset("0123456789#*")
#: What may need an escape; text without any of it, which is nearly all, is given back after one look.
_SUSPECT: Final = re.compile(f"[^ -~\u00a1-\u00ac\u00ae-\u02ff]|[{_INVISIBLE}]")
_SHORT: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def printable(text: str, *, lines: bool = False) -> str:
    r"""Replace whatever isn't seen by a visible escape.

    Doing it twice changes nothing. It isn't made to be undone: text that holds the escape itself looks the same.

    Args:
        text: Any text.
        lines: Whether line breaks (``\n``) stay.

    Returns:
        The text to show.
    """
    return _replaced(text, escape, "\n" if lines else "")


def escape(character: str) -> str:
    r"""Write one character as an escape sequence of Python: ``\n``, ``\x1b``, ``\u202e``, ``\U000e0041``.

    Args:
        character: The character.

    Returns:
        The sequence.
    """
    code = ord(character)
    digits = f"x{code:02x}" if code < 0x100 else f"u{code:04x}" if code < 0x10000 else f"U{code:08x}"
    return _SHORT.get(character, f"\\{digits}")


def printable_json(text: str) -> str:
    """Make JSON that a terminal may show: the same document to a parser, `printable` to a person.

    Args:
        text: The document.

    Returns:
        The document with escapes of JSON for whatever isn't seen.
    """
    return _replaced(text, _json_escape, "\n")


def _replaced(text: str, written: Callable[[str], str], kept: str) -> str:
    """The text with every character that hides ``written`` another way, but those that are ``kept`` or belong where they are."""

    def replaced(match: re.Match[str]) -> str:
        character = match[0]
        stays = character in kept or not _hides(character) or _belongs(text, match.start())
        return character if stays else written(character)

    return _SUSPECT.sub(replaced, text)


def _json_escape(character: str) -> str:
    return json.dumps(character)[1:-1]


def _hides(character: str) -> bool:
    """Whether a character is never seen, or steers what is."""
    category = unicodedata.category(character)
    if category in ("Cc", "Cs", "Zl", "Zp"):
        return True
    nothing = ord(character) & 0xFFFE == 0xFFFE or "\ufdd0" <= character <= "\ufdef"
    return nothing or (category == "Cf" and character not in _SEEN) or re.match(f"[{_INVISIBLE}]", character) is not None


def _belongs(text: str, at: int) -> bool:
    """Whether the joiner or selector at a place makes its neighbours what they are, as in a family's emoji or in Persian."""
    if text[at] in _JOINERS:
        return _shows(text, at + 1) and (_shows(text, at - 1) or (_shows(text, at - 2) and _variant(text, at - 1)))
    return _variant(text, at) and (_shows(text, at - 1) or (at > 0 and text[at - 1] in _KEYCAPS))


def _shows(text: str, at: int) -> bool:
    """Whether there is a letter, mark or symbol beyond ASCII at a place, which is seen."""
    if not 0 <= at < len(text):
        return False
    character = text[at]
    return character > "\x7f" and unicodedata.category(character)[0] in "LMS" and not _hides(character)


def _variant(text: str, at: int) -> bool:
    return _VARIANT.match(text[at]) is not None
