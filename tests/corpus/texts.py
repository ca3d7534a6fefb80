"""Texts that others may write and that must not reach a terminal, a log or a page as they are: each with what is shown instead."""

from __future__ import annotations

from typing import Final

#: Name → the text, and what a single line shows of it.
NASTY: Final[dict[str, tuple[str, str]]] = {
    "clears the screen": ("a\x1b[2J\x1b[Hb", "a\\x1b[2J\\x1b[Hb"),
    "sets the terminal's title": ("\x1b]0;owned\x07", "\\x1b]0;owned\\x07"),
    "a link of a terminal": ("\x1b]8;;http://evil.example\x1b\\safe", "\\x1b]8;;http://evil.example\\x1b\\safe"),
    "C1's own start of a sequence": ("\x9b31mred", "\\x9b31mred"),
    "goes back over the line": ("bad\rgood", "bad\\rgood"),
    "erases with backspaces": ("bad\b\b\bgood", "bad\\x08\\x08\\x08good"),
    "forges the next line": ("x\nerror: all is well", "x\\nerror: all is well"),
    "forges it with NEL": ("x\x85ok", "x\\x85ok"),
    "forges it with a separator": ("x\u2028ok\u2029ok", "x\\u2028ok\\u2029ok"),
    "vertical tab and form feed": ("a\vb\fc", "a\\x0bb\\x0cc"),
    "ends early": ("a\x00b", "a\\x00b"),
    "deletes": ("a\x7fb", "a\\x7fb"),
    "turns the order around": ("model-\u202egnp.exe", "model-\\u202egnp.exe"),
    "isolates": ("\u2066a\u2069\u2067b\u2068c", "\\u2066a\\u2069\\u2067b\\u2068c"),
    "marks a direction": ("a\u200eb\u200fc\u061cd", "a\\u200eb\\u200fc\\u061cd"),
    "hides a space without width": ("root\u200b", "root\\u200b"),
    "hides a joiner in a word": ("ad\u200dmin\u200c", "ad\\u200dmin\\u200c"),
    "hides a byte order mark": ("\ufeffadmin", "\\ufeffadmin"),
    "hides a soft hyphen": ("ad\u00admin", "ad\\xadmin"),
    "hides a filler": ("\u3164\u115f\uffa0", "\\u3164\\u115f\\uffa0"),
    "hides words in tags": ("ok\U000e0049\U000e0047", "ok\\U000e0049\\U000e0047"),
    "hides bytes in selectors": ("a\ufe00\ufe0f\U000e0100", "a\\ufe00\\ufe0f\\U000e0100"),
    "annotates": ("\ufff9a\ufffab\ufffb", "\\ufff9a\\ufffab\\ufffb"),
    "half a pair": ("\udcff\ud800", "\\udcff\\ud800"),
    "no character at all": ("\ufffe\ufdd0\U0010ffff", "\\ufffe\\ufdd0\\U0010ffff"),
}

#: What rich would take for its markup, and is only text.
MARKUP: Final = ("[red]x[/red]", "[link=http://evil.example]x[/link]", ":warning:", "[/]", "[bold")

#: What people read stays as it is.
READABLE: Final = (
    "plain",
    "Prüfstand Nr. 4 – Süd",
    "東京の検査モデル",
    "модель «Б»",
    "नमूना",
    "مدل می‌خواهم",
    "דגם בדיקה",
    "crème brûlée",
    "p50 ≤ 3 µs × 2",
    "👍🏽 👩‍💻 ❤️‍🔥 1️⃣ 🇩🇪",
    "C:\\models\\new",
    "a\u00a0b\u2009c\u3000d",
)
