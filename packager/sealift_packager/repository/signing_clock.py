"""Whether the clock can be right by which something is about to be signed: devices believe what root says, and everything expires by it."""

from __future__ import annotations

import datetime
from collections.abc import Collection
from typing import Final

from tuf.api.metadata import Signed

from sealift_core.clock import BUILD_TIME, Clock, format_time, parse_time
from sealift_core.messages.roles import SIGNED_AT_FIELD, SNAPSHOT, TIMESTAMP
from sealift_packager.errors import RepositoryError
from sealift_packager.repository.directory import Repository

#: How far the clocks of those who sign may differ.
CLOCK_SKEW: Final = datetime.timedelta(days=1)
#: Longer than this nobody leaves a repository alone: its timestamp has expired long ago, by default after 30 days.
LONGEST_PAUSE: Final = datetime.timedelta(days=180)
_SET: Final = "Set this machine's clock. If it is right, pass --trust-clock"


def signed_at(signed: Signed) -> datetime.datetime | None:
    """When a role's metadata says that it was signed; `RepositoryError` if that is no time."""
    text = signed.unrecognized_fields.get(SIGNED_AT_FIELD)
    try:
        return None if text is None else parse_time(str(text))
    except ValueError as error:
        raise RepositoryError("not a time", where=SIGNED_AT_FIELD, expected="like 2026-01-31T12:00:00Z", found=repr(text)[:100]) from error


def signing_time(repository: Repository, clock: Clock, *, trust_clock: bool = False, replaced: Collection[str] = ()) -> datetime.datetime:
    """The clock's time, to sign by.

    1. It isn't before this version was made.
    2. It isn't before anything in the repository was signed. Roles whose key is about to be ``replaced`` don't count, nor do snapshot and timestamp
       then: what a thief of a key signed mustn't stop that.
    3. It isn't more than 180 days after all of that, unless the timestamp is still valid.

    With ``trust_clock`` nothing is asked. Raises `RepositoryError`, or what reading the repository raises.
    """
    now = clock.now()
    if trust_clock:
        return now
    if now < BUILD_TIME:  # 1
        raise _implausible("before this version of Sealift was made", now, f"after {format_time(BUILD_TIME)}", f"{_SET}.")
    if not repository.is_complete():
        return now
    signed = repository.read_metadata().roles()
    ignored = {*replaced, SNAPSHOT, TIMESTAMP} if replaced else set()
    times = {role: moment for role, says in signed.items() if role not in ignored and (moment := signed_at(says))}
    if not times:
        return now
    last = max(times, key=lambda role: times[role])
    if now < times[last] - CLOCK_SKEW:  # 2
        advice = f"{_SET}. If you signed nothing at that time, somebody else has the key of {last}: replace it (`sealift repo rotate DIR {last}`)."
        raise _implausible(f"before the time at which {last} was signed", now, f"after {format_time(times[last])}", advice)
    if now > max(times[last] + LONGEST_PAUSE, signed[TIMESTAMP].expires):  # 3
        raise _implausible("long after the last signature", now, f"at most {LONGEST_PAUSE.days} days after {format_time(times[last])}", f"{_SET}.")
    return now


def check_drafted(role: str, signed: Signed, now: datetime.datetime) -> None:
    """Raise `RepositoryError` if a request says that it was made in the future."""
    moment = signed_at(signed)
    if moment is not None and moment > now + CLOCK_SKEW:
        advice = "The clock of the machine that made it is wrong, and devices would take that time as certain. Make a new request."
        raise RepositoryError("the request says that it was signed in the future", where=role, found=format_time(moment), advice=advice)


def _implausible(what: str, now: datetime.datetime, expected: str, advice: str) -> RepositoryError:
    return RepositoryError(
        f"this machine's clock is {what}; nothing was signed", where="clock", expected=expected, found=format_time(now), advice=advice
    )
