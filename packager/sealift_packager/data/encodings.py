"""Bytes of a text file that isn't UTF-8: whether they look like Windows-1252, the encoding of Western Europe on Windows. Pure.

Nothing in a file proves its encoding, so it is named and shown, and never taken for granted: a wrong letter would be another category.
"""

from __future__ import annotations

import re
from typing import Final

#: So many bytes on either side are looked at, and shown as far as the line and its value go.
_AROUND: Final = 24
_ENDS: Final = re.compile(rb"[\r\n]")
#: Letters and signs of Western languages and of typography, as Windows-1252 has them.
_WESTERN: Final = re.compile("[ÄÖÜäöüßÀÁÂÃÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕØÙÚÛÝàáâãåæçèéêëìíîïñòóôõøùúûýÿŒœŸŠšŽž€£¥§°µ±²³¼½¾«»¿¡ªº©®™–—‘’‚“”„•…†‡‰‹›´· \x00-\x7f]*")
#: As one finds it in no Western word: several such letters in a row, as every Cyrillic or Greek word is.
_OTHER_WORD: Final = re.compile("[À-ÿ]{4}")


def as_western(data: bytes, at: int) -> str:
    """The text around a byte that is no UTF-8, if it looks like Windows-1252; else empty."""
    before = _ENDS.split(data[max(at - _AROUND, 0) : at])[-1]
    after = _ENDS.split(data[at : at + _AROUND])[0]
    try:
        text = (before + after).decode("cp1252")
    except UnicodeDecodeError:
        return ""
    return text.strip() if _WESTERN.fullmatch(text) and not _OTHER_WORD.search(text) else ""


def describe_bytes(data: bytes, at: int) -> str:
    """What a byte that is no UTF-8 may be, in words."""
    text = as_western(data, at)
    return f"what looks like Windows-1252 (Western Europe): {text!r}" if text else f"a byte {data[at]:#x} of another encoding"
