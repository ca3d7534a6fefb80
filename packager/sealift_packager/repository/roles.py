"""The five roles of a repository, and how long each one's word is good."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from sealift_core.errors import nearest
from sealift_core.messages.roles import CHANNELS, ROOT, SNAPSHOT, TARGETS, TIMESTAMP
from sealift_packager.errors import RepositoryError

ROLES: Final = (ROOT, TARGETS, CHANNELS, SNAPSHOT, TIMESTAMP)
MAX_DAYS: Final = 36_500
#: Of one role; more people than that don't sign one file.
MAX_KEYS: Final = 32


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Expiry:
    """Days until what a role signs today expires.

    A site behind an air gap sees new metadata only when a medium arrives, so nothing here is as short as online
    repositories have it; a device that meets expired metadata warns and keeps serving.
    """

    root: int = 3 * 365
    targets: int = 365
    channels: int = 365
    snapshot: int = 90
    timestamp: int = 30

    @classmethod
    def parse(cls, settings: tuple[str, ...]) -> Expiry:
        """The defaults, with settings like ``timestamp=7`` on top."""
        return cls(**parse_numbers(settings, option="--expires", what="a number of days", least=1, most=MAX_DAYS))

    def of(self, role: str, now: datetime.datetime) -> datetime.datetime:
        """When what ``role`` signs at ``now`` expires; TUF counts whole seconds."""
        days = {ROOT: self.root, TARGETS: self.targets, CHANNELS: self.channels, SNAPSHOT: self.snapshot, TIMESTAMP: self.timestamp}[role]
        return now.replace(microsecond=0) + datetime.timedelta(days=days)


def parse_numbers(settings: Iterable[str], *, option: str, what: str, least: int, most: int) -> dict[str, int]:
    """Settings like ``root=2``, by role; `RepositoryError` names the one that is wrong."""
    numbers: dict[str, int] = {}
    for setting in settings:
        role, _, text = setting.partition("=")
        _check_role(role, f"{option} {setting}")
        if not (text.isascii() and text.isdecimal() and len(text) <= len(str(most)) and least <= int(text) <= most):
            raise RepositoryError(f"not {what}", where=f"{option} {setting}", expected=f"{least} to {most}", found=repr(text))
        numbers[role] = int(text)
    return numbers


def parse_paths(settings: Iterable[str], *, option: str) -> dict[str, list[Path]]:
    """Settings like ``root=alice.pub``, which may be several for a role."""
    paths: dict[str, list[Path]] = {}
    for setting in settings:
        role, _, text = setting.partition("=")
        _check_role(role, f"{option} {setting}")
        paths.setdefault(role, []).append(Path(text))
    return paths


def _check_role(role: str, where: str) -> None:
    if role not in ROLES:
        raise RepositoryError("no such role", where=where, expected=f"one of {', '.join(ROLES)}", advice=nearest(role, ROLES))
