"""Text from outside in Markdown (CommonMark and GitHub's extensions), shown as the text that it is: no markup, no HTML, no link. Pure.

A cell or a sentence is made of `Markdown`, what we write ourselves, and of plain text, which `table` and `plain` escape.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from sealift_core.terminal.printable import printable

#: What means something wherever it stands; an underscore inside a word doesn't, nor a "<" or "&" before a space.
_ANYWHERE: Final = re.compile(r"[\\`*\[\]|~$]|(?<![^\W_])_|_(?![^\W_])|<(?=[A-Za-z/!?])|&(?=[#\w])|:(?=//)|(?<=mailto):|(?<=xmpp):|(?<=[Ww]{3})\.")
#: What makes a line a heading, a list, a quotation, a rule or an underline of a heading.
_AT_START: Final = re.compile(r"^([#>+=-]|\d{1,9}(?=[.)]))")
_CODE: Final = re.compile(r"[^`\\|\s]([^`\\|]*[^`\\|\s])?")


class Markdown(str):
    """Text that is Markdown already; all other text is escaped where Markdown is put together."""

    __slots__ = ()


def plain(text: str) -> Markdown:
    """The text, whatever is in it, as Markdown that shows it inside a line: behind a word, in a cell."""
    return text if isinstance(text, Markdown) else Markdown(_escaped(" ".join(text.split("\n"))))


def paragraphs(text: str) -> Markdown:
    """The text as lines of their own: its paragraphs stay, and nothing else of what it might mean as Markdown."""
    return Markdown("\n".join(_AT_START.sub(_not_a_mark, _escaped(line)) for line in text.strip(" \n").split("\n")))


def _escaped(line: str) -> str:
    return _ANYWHERE.sub(r"\\\g<0>", printable(line).strip())


def _not_a_mark(match: re.Match[str]) -> str:
    return f"{match[0]}\\" if match[0].isdigit() else f"\\{match[0]}"


def code(text: str) -> Markdown:
    """The text in the type of code inside a line; escaped instead where a backtick, a bar or a backslash in it would end that."""
    shown = printable(text)
    return Markdown(f"`{shown}`") if _CODE.fullmatch(shown) else plain(text)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; cells that aren't `Markdown` are escaped."""
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    lines += ["| " + " | ".join(map(plain, row)) + " |" for row in rows]
    return "\n".join(lines)
