"""Metadata from a transport, through the rules of `trust`: the shell of the client workflow.

1. Each next root until there is none; each is kept at once, as a revocation must not be forgotten. [TUF 5.3]
2. What the newest root no longer vouches for is dropped; root must not be expired. [5.3.10]
3. Timestamp, then snapshot, targets and channels where they aren't the versions that are named. [5.4 to 5.6]
4. Each is kept as soon as it is verified, whatever becomes of the next [5.4.5, 5.5.7, 5.6.6], and before expiry is judged: even expired metadata
   refuses what is older.
5. The clock's time is remembered only if nothing is expired at it: a clock that ran ahead mustn't stay ahead for good.
"""

from __future__ import annotations

import dataclasses
import datetime
import logging
from collections.abc import Callable
from typing import Final

from tuf.api.metadata import Root

from sealift_core.bundle.digest import Digest
from sealift_core.clock import BUILD_TIME
from sealift_core.errors import ExpiredError, IntegrityError, LimitError, NotFoundError, RollbackRefusedError, TransportError, TrustError
from sealift_core.messages.roles import ROOT, TIMESTAMP
from sealift_core.terminal.records import facts
from sealift_runtime.transport.base import Transport, read_bounded
from sealift_runtime.trust import workflow
from sealift_runtime.trust.expiry import certain_time, check_expiry, check_root_expiry
from sealift_runtime.trust.metadata import MAX_BYTES
from sealift_runtime.trust.state import TrustState

#: How many roots may follow each other in one refresh; TUF asks for a bound, and nobody rotates that often.
MAX_ROOTS: Final = 256
_LOG: Final = logging.getLogger("sealift.trust")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RefreshResult:
    """The state after a refresh; ``stale`` is a sentence if timestamp or snapshot is past its expiry."""

    state: TrustState
    stale: str | None


def refresh_trust(
    state: TrustState, transport: Transport, *, clock: datetime.datetime, max_staleness: datetime.timedelta, save: Callable[[TrustState], None]
) -> RefreshResult:
    """The newest state that the other side can prove; ``save`` makes it durable on the way.

    Raises `TrustError`, `RollbackRefusedError` or `ExpiredError` naming the file, or what the transport raises. A repository with another root of
    trust, such as the kit of another site, is named as that.
    """
    try:
        return _refreshed(state, transport, clock, max_staleness, save)
    except (RollbackRefusedError, ExpiredError):
        raise
    except TrustError as error:
        _check_same_repository(state, transport, error)
        raise


def _check_same_repository(state: TrustState, transport: Transport, refusal: TrustError) -> None:
    """Raise `TrustError` if the other side's root of the version that is trusted here is another one."""
    own = state.files[ROOT]
    path = f"metadata/{workflow.trusted(Root, ROOT, state).signed.version}.root.json"
    try:
        other = read_bounded(transport, path, MAX_BYTES[ROOT])
    except (TransportError, LimitError, IntegrityError):
        return
    if other != own:
        raise TrustError(
            "this is another repository than the one that this device was set up with, such as the kit of another site",
            where=f"{transport.describe()}, {path}",
            expected=f"root of trust {Digest.of(own).hex[:16]}",
            found=f"{Digest.of(other).hex[:16]}",
            advice="Use the kit or the address that belongs to this device.",
        ) from refusal


def _refreshed(
    state: TrustState, transport: Transport, clock: datetime.datetime, max_staleness: datetime.timedelta, save: Callable[[TrustState], None]
) -> RefreshResult:
    state = _roots(state, transport, save)  # 1
    workflow.check_root_floor(state)
    state = workflow.still_trusted(state)  # 2
    check_root_expiry(state, certain_time(state, clock, BUILD_TIME))
    before = state.versions.get(TIMESTAMP)
    state = workflow.accept_timestamp(state, read_bounded(transport, "metadata/timestamp.json", MAX_BYTES[TIMESTAMP]))  # 3
    save(state)  # 4
    if state.versions[TIMESTAMP] != before:
        _tell(TIMESTAMP, state.versions[TIMESTAMP])
    while following := workflow.next_role(state):
        role, version = following
        state = workflow.ACCEPT[role](state, read_bounded(transport, f"metadata/{version}.{role}.json", MAX_BYTES[role]))
        save(state)  # 4
        _tell(role, version)
    stale = check_expiry(state, certain_time(state, clock, BUILD_TIME), max_staleness)
    if stale is None and clock > state.seen_time:  # 5
        state = dataclasses.replace(state, seen_time=clock)
        save(state)
    return RefreshResult(state=state, stale=stale)


def _tell(role: str, version: int) -> None:
    _LOG.info("Fetched %s version %d; its signatures are valid", role, version, extra=facts(role=role, version=version))


def _roots(state: TrustState, transport: Transport, save: Callable[[TrustState], None]) -> TrustState:
    for _ in range(MAX_ROOTS):
        path = f"metadata/{workflow.trusted(Root, ROOT, state).signed.version + 1}.root.json"
        try:
            data = read_bounded(transport, path, MAX_BYTES[ROOT])
        except NotFoundError:
            return state
        state = workflow.accept_root(state, data)
        _tell(ROOT, workflow.trusted(Root, ROOT, state).signed.version)
        save(state)
    raise TrustError("too many new roots", where="metadata/root.json", expected=f"at most {MAX_ROOTS} at a time")
