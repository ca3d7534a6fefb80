"""What no test notices and no behaviour depends on: listed, with the reason, and compared with what a run finds."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent / "survivors"
#: The least share of changes that an area's tests notice, of those that behaviour depends on.
LEAST: Final = 0.95


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AreaVerdict:
    """What a run over an area comes to.

    Attributes:
        mutants: How many changes there are.
        noticed: How many a test noticed.
        listed: How many of the others are listed.
        unlisted: The others that aren't.
        stale: Listed ones that a test notices now, or that there are no longer.
    """

    mutants: int
    noticed: int
    listed: int
    unlisted: tuple[str, ...]
    stale: tuple[str, ...]

    @property
    def share(self) -> float:
        """The noticed ones among those that behaviour depends on."""
        return self.noticed / max(1, self.mutants - self.listed)

    @property
    def is_enough(self) -> bool:
        """Whether so few are unnoticed that the area passes."""
        return self.share >= LEAST


def name(module: str, function: str, change: str) -> str:
    """A change as it is listed: by where it is and what it does, so that it stays the same when lines move."""
    return f"{module} {function}: {change}"


def read(area: str) -> dict[str, str]:
    """The reason for each survivor that is listed for an area; ValueError for one listed twice, or without a reason."""
    path = FOLDER / f"{area}.toml"
    return parse(path.read_text(encoding="utf-8")) if path.exists() else {}


def parse(text: str) -> dict[str, str]:
    """Read a list: tables ``[[same]]``, each a ``reason`` and the ``changes`` that it holds for."""
    reasons: dict[str, str] = {}
    for group in tomllib.loads(text).get("same", []):
        for change in group["changes"]:
            if change in reasons or not group["reason"].strip():
                raise ValueError(f"listed twice, or without a reason: {change}")
            reasons[change] = group["reason"]
    return reasons


def judge(mutants: Collection[str], unnoticed: Collection[str], reasons: Mapping[str, str]) -> AreaVerdict:
    """Compare a run with the list."""
    unlisted = [one for one in unnoticed if one not in reasons]
    return AreaVerdict(
        mutants=len(mutants),
        noticed=len(mutants) - len(unnoticed),
        listed=len(unnoticed) - len(unlisted),
        unlisted=tuple(sorted(unlisted)),
        stale=tuple(sorted(set(reasons) - set(unnoticed))),
    )
