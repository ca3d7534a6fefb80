"""The update as one table: what is durable when a state is entered, where a crash leads, what may come next."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from typing import Final

from sealift_core.errors import UpdateError


class State(enum.StrEnum):
    """Where an update of one model is."""

    CHECKING = "checking"
    FETCHING = "fetching"
    VERIFYING = "verifying"
    STAGED = "staged"
    SELF_TESTING = "self-testing"
    ACTIVATING = "activating"
    PROBATION = "probation"
    COMMITTED = "committed"
    ROLLED_BACK = "rolled-back"
    REJECTED = "rejected"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StateRule:
    """One state.

    ``durable`` is on disk when the state is entered, ``crash`` what a restart from there comes to, ``next`` what may
    follow, ``serves`` which bundle serves meanwhile (in state activating the old one, until the desired state that names
    the new one is written), ``rest`` whether the update has ended here.
    """

    durable: str
    crash: State
    next: tuple[State, ...]
    serves: str
    rest: bool = False


S = State
TABLE: Final[Mapping[State, StateRule]] = {
    S.CHECKING: StateRule(durable="the release's digest and size", crash=S.CHECKING, next=(S.FETCHING, S.REJECTED), serves="old"),
    S.FETCHING: StateRule(durable="the bundle's digest and profile, its OCI manifest", crash=S.FETCHING, next=(S.VERIFYING,), serves="old"),
    S.VERIFYING: StateRule(durable="all blobs, synced", crash=S.VERIFYING, next=(S.STAGED, S.FETCHING, S.REJECTED), serves="old"),
    S.STAGED: StateRule(
        durable="the directory, synced; files, signature, manifest checked", crash=S.SELF_TESTING, next=(S.SELF_TESTING,), serves="old"
    ),
    S.SELF_TESTING: StateRule(durable="the number of attempts", crash=S.SELF_TESTING, next=(S.ACTIVATING, S.REJECTED, S.FETCHING), serves="old"),
    S.ACTIVATING: StateRule(
        durable="current is the new bundle, previous the old", crash=S.PROBATION, next=(S.PROBATION, S.ROLLED_BACK), serves="either"
    ),
    S.PROBATION: StateRule(durable="the deadline, the counters at the start", crash=S.PROBATION, next=(S.COMMITTED, S.ROLLED_BACK), serves="new"),
    S.COMMITTED: StateRule(durable="that it passed", crash=S.COMMITTED, next=(S.ROLLED_BACK,), serves="new", rest=True),
    S.ROLLED_BACK: StateRule(durable="the reason; current is the old; the release is refused", crash=S.ROLLED_BACK, next=(), serves="old", rest=True),
    S.REJECTED: StateRule(durable="the reason; the release is refused", crash=S.REJECTED, next=(), serves="old", rest=True),
}


def check_transition(before: State, after: State) -> None:
    """Raise `UpdateError` unless the table has this transition (staying is none)."""
    if after not in TABLE[before].next:
        expected = " or ".join(TABLE[before].next) or "no further state: the update has ended"
        raise UpdateError("no such transition", where=f"update in {before}", expected=expected, found=after)
