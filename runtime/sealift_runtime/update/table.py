"""The update as one table: what is durable when a state is entered, where a crash leads, what may come next, what refuses the release.

Whatever goes wrong in a state is a verdict or a hindrance. A verdict is about what the release itself is: `StateRule.refuses` names it, and after
how many attempts it refuses the release. Everything else (no room, no memory, a busy machine, a disk that can't be read, a line that is down, a
process of ours that doesn't start) is a hindrance: the update is held up in its state, that is told, and it is tried again after `retry_after_s`,
as often as it takes.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from typing import Final

from sealift_core.errors import (
    DocumentError,
    EngineError,
    HardwareError,
    IntegrityError,
    LimitError,
    MemoryShortageError,
    SandboxError,
    SealiftError,
    SelfTestError,
    UpdateError,
)
from sealift_runtime.engine.selftest import Failure


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


class Ground(enum.StrEnum):
    """What may be a release's own fault."""

    CONTENT = "what was signed can't be used"
    MACHINE = "no bundle of it fits this machine"
    ENDLESS = "its self-test never finished"
    ANSWERS = "its answers in the self-test are wrong"
    SELF_TEST = "its self-test failed"
    SERVING = "the data plane can't load it"


#: An error in work on what was signed, and checked to the last byte → what it says; of two classes the first one that fits. None: nothing.
GROUNDS: Final[tuple[tuple[type[SealiftError], Ground | None], ...]] = (
    (SandboxError, None),
    (MemoryShortageError, None),
    (SelfTestError, Ground.SELF_TEST),
    (HardwareError, Ground.MACHINE),
    (EngineError, Ground.SERVING),
    (DocumentError, Ground.CONTENT),
    (IntegrityError, Ground.CONTENT),
    (LimitError, Ground.CONTENT),
)
#: Failed self-tests that another machine, or a less busy moment, wouldn't mend.
CERTAIN: Final = {Failure.OUTPUTS: Ground.ANSWERS, Failure.DOCUMENT: Ground.CONTENT}
#: How often a self-test is begun for one update, whatever ended the others: crash, time-out, too much memory, a power cut.
ATTEMPTS: Final = 3


def ground_of(error: SealiftError) -> Ground | None:
    """What an error in work on what was signed may say of the release; None if it says nothing."""
    ground = next((ground for kind, ground in GROUNDS if isinstance(error, kind)), None)
    if ground is Ground.SELF_TEST and isinstance(error, SelfTestError) and error.failure in CERTAIN:
        return CERTAIN[Failure(error.failure)]
    return ground


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
    refuses: Mapping[Ground, int] = dataclasses.field(default_factory=dict)


S = State
G = Ground
TABLE: Final[Mapping[State, StateRule]] = {
    S.CHECKING: StateRule(
        durable="the release's digest and size",
        crash=S.CHECKING,
        next=(S.FETCHING, S.REJECTED),
        serves="old",
        refuses={G.CONTENT: 1, G.MACHINE: 1},
    ),
    S.FETCHING: StateRule(durable="the bundle's digest and profile, its OCI manifest", crash=S.FETCHING, next=(S.VERIFYING,), serves="old"),
    S.VERIFYING: StateRule(
        durable="all blobs, synced", crash=S.VERIFYING, next=(S.STAGED, S.FETCHING, S.REJECTED), serves="old", refuses={G.CONTENT: 1}
    ),
    S.STAGED: StateRule(
        durable="the directory, synced; files, signature, manifest checked", crash=S.SELF_TESTING, next=(S.SELF_TESTING,), serves="old"
    ),
    S.SELF_TESTING: StateRule(
        durable="the number of attempts",
        crash=S.SELF_TESTING,
        next=(S.ACTIVATING, S.REJECTED, S.FETCHING),
        serves="old",
        refuses={G.ANSWERS: 1, G.CONTENT: 1, G.SELF_TEST: ATTEMPTS, G.ENDLESS: ATTEMPTS},
    ),
    S.ACTIVATING: StateRule(
        durable="current is the new bundle, previous the old",
        crash=S.PROBATION,
        next=(S.PROBATION, S.ROLLED_BACK, S.SELF_TESTING, S.FETCHING),
        serves="either",
        refuses={G.SERVING: ATTEMPTS},
    ),
    S.PROBATION: StateRule(durable="the deadline, the counters at the start", crash=S.PROBATION, next=(S.COMMITTED, S.ROLLED_BACK), serves="new"),
    S.COMMITTED: StateRule(durable="that it passed", crash=S.COMMITTED, next=(S.ROLLED_BACK,), serves="new", rest=True),
    S.ROLLED_BACK: StateRule(durable="the reason; current is the old; the release is refused", crash=S.ROLLED_BACK, next=(), serves="old", rest=True),
    S.REJECTED: StateRule(durable="the reason; the release is refused", crash=S.REJECTED, next=(), serves="old", rest=True),
}


def retry_after_s(hindrances: int, first_s: float, longest_s: float) -> float:
    """How long an update that was held up so many times rests until it is tried again, in seconds: each time twice as long, up to a bound."""
    return float(min(first_s * 2.0 ** min(max(hindrances, 1) - 1, 30), max(first_s, longest_s)))


def check_transition(before: State, after: State) -> None:
    """Raise `UpdateError` unless the table has this transition (staying is none)."""
    if after not in TABLE[before].next:
        expected = " or ".join(TABLE[before].next) or "no further state: the update has ended"
        raise UpdateError("no such transition", where=f"update in {before}", expected=expected, found=after)
