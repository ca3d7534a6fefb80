"""The five roles of a repository, and how long each one's word is good."""

from __future__ import annotations

import dataclasses
import datetime
from typing import Final

from sealift_packager.errors import RepositoryError
from sealift_runtime.documents import nearest

ROOT: Final = "root"
TARGETS: Final = "targets"
CHANNELS: Final = "channels"
SNAPSHOT: Final = "snapshot"
TIMESTAMP: Final = "timestamp"
ROLES: Final = (ROOT, TARGETS, CHANNELS, SNAPSHOT, TIMESTAMP)
MAX_DAYS: Final = 36_500


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
        days: dict[str, int] = {}
        for setting in settings:
            role, _, text = setting.partition("=")
            if role not in ROLES:
                raise RepositoryError(
                    "no such role", where=f"--expires {setting}", expected=f"one of {', '.join(ROLES)}", advice=nearest(role, ROLES)
                )
            if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= MAX_DAYS):
                raise RepositoryError("not a number of days", where=f"--expires {setting}", expected=f"1 to {MAX_DAYS}", found=repr(text))
            days[role] = int(text)
        return cls(**days)

    def of(self, role: str, now: datetime.datetime) -> datetime.datetime:
        """When what ``role`` signs at ``now`` expires; TUF counts whole seconds."""
        days = {ROOT: self.root, TARGETS: self.targets, CHANNELS: self.channels, SNAPSHOT: self.snapshot, TIMESTAMP: self.timestamp}[role]
        return now.replace(microsecond=0) + datetime.timedelta(days=days)
