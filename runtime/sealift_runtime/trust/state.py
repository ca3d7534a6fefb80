"""What a device remembers of a repository's metadata between refreshes, as a value."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping
from typing import Final

from sealift_core.messages.roles import CHANNELS, ROOT, SNAPSHOT, TARGETS, TIMESTAMP

#: Every role, in the order in which the client workflow verifies them.
ROLES: Final = (ROOT, TIMESTAMP, SNAPSHOT, TARGETS, CHANNELS)
_LONG_AGO: Final = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TrustState:
    """Verified metadata and floors.

    ``files`` has the verified bytes by role; a role may be missing (not fetched yet, or lost), ``root`` never is.
    ``versions`` has the highest version of each role that verified metadata ever vouched for; it outlives the bytes.
    ``signed_time`` is the newest signing time that verified metadata claimed, ``seen_time`` the newest time of the device's clock at which all
    metadata was within its expiry. How much of both is believed, `expiry.certain_time` says.
    """

    files: Mapping[str, bytes]
    versions: Mapping[str, int]
    signed_time: datetime.datetime = _LONG_AGO
    seen_time: datetime.datetime = _LONG_AGO

    def with_file(self, role: str, data: bytes, versions: Mapping[str, int], signed_at: datetime.datetime | None) -> TrustState:
        """The state after a role's bytes were verified, which vouch for ``versions``."""
        return dataclasses.replace(
            self,
            files={**self.files, role: data},
            versions={**self.versions, **versions},
            signed_time=max(self.signed_time, signed_at or self.signed_time),
        )

    def without(self, *roles: str) -> TrustState:
        """The state without some roles' bytes; their version floors stay."""
        return dataclasses.replace(self, files={role: data for role, data in self.files.items() if role not in roles})
