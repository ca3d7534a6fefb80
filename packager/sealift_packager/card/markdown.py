"""Text from outside in Markdown (CommonMark and GitHub's extensions), shown as the text that it is: no markup, no HTML, no link. Pure.

A cell or a sentence is made of `Markdown`, what we write ourselves, and of plain text, which `table` and `plain` escape.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from sealift_runtime.printable import printable

#: What means something wherever it stands; an underscore inside a word doesn't, nor a "<" or "&" before a space.
_ANYWHERE: Final = re.compile(r"[\\`*\[\]|~$]|(?<!\w)_|_(?!\w)|<(?=[A-Za-z/!?])|&(?=[#\w])|@(?=\w)|:(?=//)|(?<=[Ww])\.|(?<=mailto|xmpp:):")
#: What makes a line a heading, a list, a quotation, a rule or an underline of a heading.
_AT_START: Final = re.compile(r"^([#>+=-]|\d{1,9}(?=[.)]))", re.MULTILINE)
_CODE: Final = re.compile(r"[^`\\|\s]([^`\\|]*[^`\\|\s])?")


class Markdown(str):
    """Text that is Markdown already; all other text is escaped where Markdown is put together."""

    __slots__ = ()


def plain(text: str) -> Markdown:
    """The text, whatever is in it, as Markdown that shows it on one line."""
    return text if isinstance(text, Markdown) else _escaped(printable(" ".join(text.split("\n"))))


def paragraphs(text: str) -> Markdown:
    """The text with its lines and paragraphs, but nothing else of what it might mean as Markdown."""
    return Markdown("\n".join(_escaped(printable(line)) for line in text.strip().split("\n")))


def _escaped(line: str) -> Markdown:
    text = _ANYWHERE.sub(r"\\\g<0>", line.strip())
    return Markdown(_AT_START.sub(lambda match: f"{match[0]}\\" if match[0].isdigit() else f"\\{match[0]}", text))


def code(text: str) -> Markdown:
    """The text in the type of code; escaped instead where a backtick, a bar or a backslash in it would end that."""
    shown = printable(text)
    return Markdown(f"`{shown}`") if _CODE.fullmatch(shown) else plain(text)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; cells that aren't `Markdown` are escaped."""
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    lines += ["| " + " | ".join(map(plain, row)) + " |" for row in rows]
    return "\n".join(lines)
