"""What is expired, and what is only stale; time is an argument.

1. Expired root, targets or channels metadata vouches for nothing new.
2. Expired timestamp or snapshot metadata is stale: a warning, as an air-gapped site must live with it, until it is
   stale for longer than the site's policy allows.
3. Neither stops what is installed from serving, and neither lets older metadata in.
4. The time that this is judged by is the clock's, but never before what surely lies in the past: when this version was made, when all was last within
   its expiry, when the trusted root was signed, and the newest signing time that other metadata claims. That last one counts only as far as nothing
   that is trusted expires by it: otherwise whoever holds the key of timestamp, or one wrong clock at the publisher, would keep every device from
   updating. Root isn't bound so: its keys can end everything anyway, and its next version corrects it.
"""

from __future__ import annotations

import datetime
from typing import Final

from sealift_core.clock import format_time
from sealift_core.errors import ExpiredError
from sealift_core.messages.roles import CHANNELS, ROOT, SNAPSHOT, TARGETS, TIMESTAMP
from sealift_runtime.trust.metadata import ROLE_TYPES, where
from sealift_runtime.trust.state import ROLES, TrustState
from sealift_runtime.trust.workflow import trusted

_SECOND: Final = datetime.timedelta(seconds=1)


def certain_time(state: TrustState, clock: datetime.datetime, build_time: datetime.datetime) -> datetime.datetime:
    """The time to judge expiry by: rule 4."""
    signed = {role: trusted(ROLE_TYPES[role], role, state) for role in ROLES if role in state.files}
    claimed = min([state.signed_time, *(file.signed.expires - _SECOND for file in signed.values())])
    by_root = [moment for role, file in signed.items() if role == ROOT and (moment := file.signed_at)]
    return max(clock, build_time, state.seen_time, claimed, *by_root)


def check_root_expiry(state: TrustState, time: datetime.datetime) -> None:
    """Rule 1 for root alone, once it is the newest (TUF 5.3.10)."""
    _refuse_expired(state, ROOT, time)


def check_expiry(state: TrustState, time: datetime.datetime, max_staleness: datetime.timedelta) -> str | None:
    """None if all is fresh, a sentence if something is stale (rule 2), `ExpiredError` if it is too old (rules 1 and 2)."""
    for role in (ROOT, TARGETS, CHANNELS):
        _refuse_expired(state, role, time)
    expiries = {role: trusted(ROLE_TYPES[role], role, state).signed.expires for role in (TIMESTAMP, SNAPSHOT)}
    role = min(expiries, key=lambda name: expiries[name])
    if time < expiries[role]:
        return None
    stale = time - expiries[role]
    if stale > max_staleness:
        raise ExpiredError(
            "the metadata has been expired for longer than limits.stale_days allows",
            where=where(role),
            expected=f"at most {max_staleness} past its expiry",
            found=f"{stale} past {format_time(expiries[role])}",
            advice="Provide newer metadata in the repository or on a medium. Installed models keep serving.",
        )
    return f"{where(role)} expired at {format_time(expiries[role])}: this may not be the newest state of the repository"


def _refuse_expired(state: TrustState, role: str, time: datetime.datetime) -> None:
    expires = trusted(ROLE_TYPES[role], role, state).signed.expires
    if time >= expires:
        raise ExpiredError(
            "the metadata has expired",
            where=where(role),
            expected=f"an expiry after {format_time(time)}",
            found=format_time(expires),
            advice="Provide newer metadata in the repository or on a medium. Until then nothing new is installed; installed models keep serving.",
        )
