"""How well a device is: one definition, by which the device judges itself (`doctor`, `/metrics`) and the hub judges it.

Each side fills in of `Signs` what it knows: the hub sees how long a device has been silent, the device sees its own spool.
"""

from __future__ import annotations

import dataclasses
import datetime
import enum
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

#: So many crashes of the agent's processes in `DAY` are no accident.
CRASHES: Final = 3
DAY: Final = datetime.timedelta(days=1)
#: A device that didn't report for so long is silent.
SILENCE: Final = DAY
#: A model fails if this part of its requests does, and at least `LEAST_FAILURES`.
FAILED_PART: Final = 0.01
LEAST_FAILURES: Final = 5
#: The kinds of events by which crashes are in a device's ledger.
CRASH_EVENTS: Final = frozenset({"server-crashed", "control-crashed"})
#: The words for how a model stands to its channel that say that something is wrong.
REFUSED: Final = frozenset({"rejected", "rolled back"})
HELD_UP: Final = "held up"


class Trouble(enum.StrEnum):
    """What can be wrong with a device, the most urgent first."""

    CONFLICT = "conflict"
    GAP = "gap"
    CRASH_LOOP = "crash-loop"
    ABSENT = "model-absent"
    NOT_TAKEN = "reports-not-taken"
    SPOOL_FULL = "spool-full"
    FAILURES = "failures"
    REFUSED = "release-refused"
    HELD_UP = "update-held-up"
    SILENT = "silent"
    CLOCK = "clock"


#: Somebody has to act, for these don't end by themselves.
SEVERE: Final = frozenset({Trouble.CONFLICT, Trouble.GAP, Trouble.CRASH_LOOP, Trouble.ABSENT, Trouble.NOT_TAKEN, Trouble.SPOOL_FULL})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ModelSigns:
    """What is known of one model.

    Attributes:
        name: The model's name.
        requests: How many requests it answered, in the last day or since it was loaded.
        failures: How many it failed with meanwhile; a client's mistakes are none.
        condition: How it stands to its channel, in the words of `sealift-agent status`; empty if that isn't known.
        absent: Why it doesn't serve though it should; empty if it does, or nobody knows.
    """

    name: str
    requests: int = 0
    failures: int = 0
    condition: str = ""
    absent: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """What is known of a device; what isn't known stays as it is by default.

    Attributes:
        now: The time by which the others are judged, in UTC.
        last_seen: When it last reported.
        crashes: When processes of the agent crashed.
        models: Its models.
        spool_full: Whether no more reports fit into its spool.
        not_taken: Why the hub refuses its reports, or it the hub's receipts; empty if it doesn't.
        clock: What is wrong with its clock; empty if nothing is.
        conflict: How its reports contradict each other; empty if they don't.
        gap: Which of its reports are missing; empty if none are.
    """

    now: datetime.datetime
    last_seen: datetime.datetime | None = None
    crashes: Sequence[datetime.datetime] = ()
    models: Sequence[ModelSigns] = ()
    spool_full: bool = False
    not_taken: str = ""
    clock: str = ""
    conflict: str = ""
    gap: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        trouble: What it is.
        sentence: It in words.
    """

    trouble: Trouble
    sentence: str

    @property
    def severe(self) -> bool:
        """Whether somebody has to act."""
        return self.trouble in SEVERE


def assess(signs: Signs) -> tuple[Problem, ...]:
    """Judge a device.

    Args:
        signs: What is known of it.

    Returns:
        What is wrong, the most urgent first; nothing for a device that is well.
    """
    found = {trouble: sentence for trouble, look in _LOOKS.items() if (sentence := look(signs))}
    return tuple(Problem(trouble=trouble, sentence=found[trouble]) for trouble in Trouble if trouble in found)


def _conflict(signs: Signs) -> str:
    return f"Its reports conflict: {signs.conflict}." if signs.conflict else ""


def _gap(signs: Signs) -> str:
    return f"Its reports can't be taken: {signs.gap}." if signs.gap else ""


def _crash_loop(signs: Signs) -> str:
    recent = sum(signs.now - crash < DAY for crash in signs.crashes)
    return f"The agent crashed {recent} times in 24 hours." if recent >= CRASHES else ""


def _absent(signs: Signs) -> str:
    return _of_models("Not serving", (f"{model.name} ({model.absent.rstrip('.')})" for model in signs.models if model.absent))


def _not_taken(signs: Signs) -> str:
    return f"Its reports aren't taken: {signs.not_taken.rstrip('.')}." if signs.not_taken else ""


def _spool_full(signs: Signs) -> str:
    return "No more reports fit into its spool: windows are merged, and events wait." if signs.spool_full else ""


def _failures(signs: Signs) -> str:
    failing = [model for model in signs.models if model.failures >= max(LEAST_FAILURES, FAILED_PART * (model.requests + model.failures))]
    return _of_models("Failing", (f"{model.name} ({model.failures} of {model.requests + model.failures} requests)" for model in failing))


def _refused(signs: Signs) -> str:
    refused = [model for model in signs.models if model.condition in REFUSED]
    return _of_models("The channel's release is refused", (f"{model.name} ({model.condition})" for model in refused))


def _held_up(signs: Signs) -> str:
    return _of_models("The update is held up", (model.name for model in signs.models if model.condition == HELD_UP))


def _silent(signs: Signs) -> str:
    silent = signs.last_seen is not None and signs.now - signs.last_seen > SILENCE
    return "It didn't report for more than a day." if silent else ""


def _clock(signs: Signs) -> str:
    return signs.clock


def _of_models(what: str, names: Iterable[str]) -> str:
    words = list(names)
    more = f" and {len(words) - _SHOWN} more" if len(words) > _SHOWN else ""
    return f"{what}: {', '.join(words[:_SHOWN])}{more}." if words else ""


_SHOWN: Final = 5
_LOOKS: Final[Mapping[Trouble, Callable[[Signs], str]]] = {
    Trouble.CONFLICT: _conflict,
    Trouble.GAP: _gap,
    Trouble.CRASH_LOOP: _crash_loop,
    Trouble.ABSENT: _absent,
    Trouble.NOT_TAKEN: _not_taken,
    Trouble.SPOOL_FULL: _spool_full,
    Trouble.FAILURES: _failures,
    Trouble.REFUSED: _refused,
    Trouble.HELD_UP: _held_up,
    Trouble.SILENT: _silent,
    Trouble.CLOCK: _clock,
}
