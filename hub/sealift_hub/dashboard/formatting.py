"""Numbers and times as people read them."""

from __future__ import annotations

import datetime
from typing import Final

_STEPS: Final = ((60, "second", 1), (3600, "minute", 60), (86400, "hour", 3600), (7 * 86400, "day", 86400))
_LABELS: Final = {"os": "Operating system", "arch": "Architecture", "cpu": "Processor"}


def ago(moment: datetime.datetime | None, now: datetime.datetime) -> str:
    """How long ago something was: ``12 minutes ago``; a date where that is more than four weeks."""
    if moment is None:
        return "never"
    seconds = (now - moment).total_seconds()
    if seconds < -60:
        return f"{moment:%Y-%m-%d %H:%M} UTC"
    for bound, word, size in _STEPS:
        if seconds < bound:
            count = max(0, int(seconds // size))
            return "just now" if word == "second" else f"{count} {word}{'' if count == 1 else 's'} ago"
    days = int(seconds // 86400)
    return f"{days // 7} week{'' if days < 14 else 's'} ago" if days < 28 else f"{moment:%Y-%m-%d}"


def latency(milliseconds: float | None) -> str:
    """Three digits with a fitting unit: ``178 µs``, ``5.62 ms``, ``1.78 s``."""
    if milliseconds is None:
        return "–"
    for unit, size in (("µs", 1000.0), ("ms", 1.0), ("s", 0.001)):
        value = milliseconds * size
        if value < 999.5 or unit == "s":
            return f"{value:.3g} {unit}"
    raise AssertionError


def count(number: int) -> str:
    """A whole number with thin spaces between thousands, and a unit from a million on."""
    for size, unit in ((10**12, "T"), (10**9, "G"), (10**6, "M")):
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return f"{number:,}".replace(",", "\u2009")


def plural(number: int, word: str) -> str:
    """``1 device``, ``2 devices``."""
    return f"{count(number)} {word}{'' if number == 1 else 's'}"


def clipped(text: str, characters: int) -> str:
    """The beginning of a text that is too long, with an ellipsis: what a device calls itself may have 500 characters."""
    return text if len(text) <= characters else f"{text[: characters - 1]}…"


def fact_label(key: str) -> str:
    """What a device says about itself, as a label: ``cpu`` is the ``Processor``."""
    return _LABELS.get(key) or key.replace("_", " ").capitalize()


def day_time(moment: datetime.datetime) -> str:
    """``2026-01-31 12:00`` (UTC)."""
    return f"{moment:%Y-%m-%d %H:%M}"


def machine_time(moment: datetime.datetime) -> str:
    """For the attribute ``datetime``."""
    return moment.isoformat(timespec="seconds")
