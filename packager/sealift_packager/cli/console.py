"""The one way to rich: a console on which text is text, without markup, emoji codes and guesses at what to highlight.

What is drawn is made `printable` by whoever draws it, before it is laid out: an escape is wider than what it stands for.
"""

from __future__ import annotations

from typing import TextIO

from rich.console import Console


def plain_console(file: TextIO | None = None, *, width: int | None = None) -> Console:
    """A console that draws on standard error; on a ``file`` instead, as if there were no terminal."""
    return Console(file=file, stderr=True, width=width, force_terminal=None if file is None else False, markup=False, emoji=False, highlight=False)
