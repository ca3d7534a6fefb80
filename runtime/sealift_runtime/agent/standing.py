"""How each model of this device stands to its channel: what runs, what the channel names, why they differ, and what to do.

`status`, `sync`, `doctor` and the reports tell this one answer.
"""

from __future__ import annotations

import dataclasses
import datetime
import enum
from collections.abc import Mapping

from sealift_core.bundle.digest import Digest
from sealift_core.clock import format_time
from sealift_core.errors import SealiftError
from sealift_core.messages.channel import MAX_BYTES, Channel
from sealift_core.schema.documents import Json
from sealift_runtime.agent.device import LocalDevice
from sealift_runtime.update.noted import LEFT_OUT, WITHDRAWN, noted
from sealift_runtime.update.records import RefusedRelease, Update
from sealift_runtime.update.table import TABLE, State
from sealift_runtime.update.updater import CHANNEL_DIGEST, CHANNEL_NAME


class Condition(enum.StrEnum):
    """How a model stands to its channel."""

    CURRENT = "current"
    PROBATION = "on probation"
    UPDATING = "updating"
    HELD_UP = "held up"
    REJECTED = "rejected"
    ROLLED_BACK = "rolled back"
    BEHIND = "behind the channel"
    UNNAMED = "not in the channel"
    WITHDRAWN = "withdrawn"
    LEFT_OUT = "left out of the kit"


#: The channel names a release that this device won't take.
REFUSED = (Condition.REJECTED, Condition.ROLLED_BACK)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One model: ``running`` and ``named`` are versions, empty for none; ``since`` is when it was refused or held up, ``retry_at`` the next try."""

    name: str
    running: str
    named: str
    condition: Condition
    reason: str = ""
    since: datetime.datetime | None = None
    retry_at: datetime.datetime | None = None

    @property
    def behind(self) -> bool:
        """Whether the channel names another version than the one that runs, for whatever reason."""
        return bool(self.named) and self.running != self.named

    @property
    def sentence(self) -> str:
        """What there is to tell of a model that isn't as the channel says; empty for one that is."""
        stays = f"{self.running} stays." if self.running else "No version of it is installed."
        since = f" since {format_time(self.since)}" if self.since else ""
        match self.condition:
            case Condition.REJECTED | Condition.ROLLED_BACK:
                how = "was rolled back and is refused" if self.condition is Condition.ROLLED_BACK else "is refused"
                return f"{self.name} {self.named} {how}{since}: {self.reason.rstrip('.')}. {stays}"
            case Condition.HELD_UP:
                return f"{self.name} {self.named} is held up{since}: {self.reason.rstrip('.')}. {stays}"
            case Condition.BEHIND:
                return f"{self.name}: the channel names {self.named}; {stays}"
            case Condition.LEFT_OUT:
                return f"{self.name} {self.named} isn't in the kit, which was built without it. {stays}"
            case Condition.WITHDRAWN:
                return f"{self.name} {self.running} was withdrawn by its publisher, and the channel names no other version. {stays}"
            case _:
                return ""

    @property
    def advice(self) -> str:
        """What to do about it; empty if nothing is to be done."""
        match self.condition:
            case Condition.REJECTED | Condition.ROLLED_BACK:
                return f"Publish a mended version, or try this one again with sealift-agent sync --retry {self.name}."
            case Condition.HELD_UP:
                when = f" at {format_time(self.retry_at)}" if self.retry_at else ""
                return f"A running agent tries again{when}. To try now, run sealift-agent sync."
            case Condition.BEHIND:
                return "A running agent installs it at its next poll. To install it now, run sealift-agent sync."
            case Condition.LEFT_OUT:
                return "To install it, import a kit that has it."
            case Condition.WITHDRAWN:
                return f"Ask the publisher for another version, or go back with sealift-agent rollback {self.name}."
            case _:
                return ""

    def json(self) -> dict[str, Json]:
        """For ``--json``."""
        times: dict[str, Json] = {name: format_time(time) if time else None for name, time in (("since", self.since), ("retry_at", self.retry_at))}
        texts: dict[str, Json] = {"name": self.name, "running": self.running, "channel": self.named, "condition": str(self.condition)}
        return texts | {"behind": self.behind, "reason": self.reason, "sentence": self.sentence, "advice": self.advice} | times

    def lines(self) -> list[str]:
        """For people; none if it is as the channel says."""
        return [f"{self.sentence} {self.advice}"] if self.sentence else []


def standings(device: LocalDevice) -> list[Standing]:
    """Every model that is installed, on its way, or named by the channel, by name."""
    named = named_versions(device)
    deployments = {deployment.name: deployment for deployment in device.state.deployments()}
    updates = {update.name: update for update in device.state.updates()}
    refusals = {refusal.name: refusal for refusal in device.state.refusals() if named.get(refusal.name) in (None, refusal.version)}
    withdrawn, absent = noted(device.state, WITHDRAWN), noted(device.state, LEFT_OUT)
    unfinished = {name for name, update in updates.items() if not TABLE[update.state].rest}
    made = []
    for name in sorted({*named, *unfinished, *refusals, *(name for name, deployment in deployments.items() if deployment.current)}):
        current = deployments[name].current if name in deployments else None
        running, wanted = current.version if current else "", named.get(name, "")
        standing = _standing(name, running, wanted, updates.get(name), refusals.get(name))
        if standing.condition is Condition.UNNAMED and (name, running) in withdrawn:
            standing = dataclasses.replace(standing, condition=Condition.WITHDRAWN)
        if standing.condition in (Condition.BEHIND, Condition.UPDATING, Condition.HELD_UP) and (name, standing.named) in absent:
            standing = dataclasses.replace(standing, condition=Condition.LEFT_OUT)
        made.append(standing)
    return made


def named_versions(device: LocalDevice) -> Mapping[str, str]:
    """What the channel named when it was last looked at; nothing if that was another channel, or can't be read any more."""
    digest = device.state.setting(CHANNEL_DIGEST)
    if not digest or device.state.setting(CHANNEL_NAME) not in (None, device.config.channel):
        return {}
    try:
        return Channel.parse(device.store.layout.read(Digest(digest), max_bytes=MAX_BYTES), where=device.config.channel).models
    except (SealiftError, OSError):  # this disk damaged it: the next refresh fetches it again
        return {}


def _standing(name: str, running: str, named: str, update: Update | None, refusal: RefusedRelease | None) -> Standing:
    coming = update if update and not TABLE[update.state].rest and (update.version == named or not named) else None
    if refusal:
        rolled_back = not refusal.machine and not (update and update.release == refusal.release and update.state is State.REJECTED)
        condition = Condition.ROLLED_BACK if rolled_back else Condition.REJECTED
        return Standing(name=name, running=running, named=refusal.version, condition=condition, reason=refusal.reason, since=refusal.since)
    if coming and coming.retry_at:
        times = {"since": coming.held_since, "retry_at": coming.retry_at}
        return Standing(name=name, running=running, named=coming.version, condition=Condition.HELD_UP, reason=coming.reason, **times)
    if coming:
        condition = Condition.PROBATION if coming.state is State.PROBATION else Condition.UPDATING
    elif not named:
        condition = Condition.UNNAMED
    else:
        condition = Condition.CURRENT if running == named else Condition.BEHIND
    return Standing(name=name, running=running, named=named, condition=condition)
