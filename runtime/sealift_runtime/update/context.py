"""What the steps of an update share: the parts they work with, the hold-up, and the two bad ends, rejection and the way back."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import hashlib
import logging
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from sealift_core import durable
from sealift_core.bundle.digest import Digest
from sealift_core.clock import Clock
from sealift_core.errors import IntegrityError, LimitError, MemoryShortageError, SealiftError, StoreError, UpdateError
from sealift_core.hardware.machine import Machine
from sealift_core.schema.documents import canonical_json
from sealift_core.terminal.records import facts
from sealift_runtime import __version__
from sealift_runtime.store.device_store import DeviceStore
from sealift_runtime.transport.base import Transport
from sealift_runtime.update.data_plane import DataPlaneLink
from sealift_runtime.update.policy import UpdatePolicy
from sealift_runtime.update.publishing import Publisher
from sealift_runtime.update.records import InstalledBundle, RefusedRelease, Update
from sealift_runtime.update.state import StateDatabase
from sealift_runtime.update.table import TABLE, Ground, State, ground_of, retry_after_s

_LOG: Final = logging.getLogger("sealift.update")


class AgainstReleaseError(UpdateError):
    """What went wrong may be the release's own fault. The table says whether it is, in this state and after so many attempts.

    ``cause`` is the error that says it; ``ground`` what it says.
    """

    def __init__(self, ground: Ground, cause: SealiftError) -> None:
        super().__init__(str(cause))
        self.ground = ground
        self.cause = cause


@contextlib.contextmanager
def judging() -> Iterator[None]:
    """What is wrong in this block may be the release's own fault: `AgainstReleaseError` for what `GROUNDS` lists, other errors as they are.

    Nothing may be fetched in it, and nothing be read that wasn't checked to the last byte.
    """
    try:
        yield
    except SealiftError as error:
        if ground := ground_of(error):
            raise AgainstReleaseError(ground, error) from error
        raise


@contextlib.contextmanager
def translating_device_errors(home: Path) -> Iterator[None]:
    """Turn what this device's disk or memory fails with into `DiskFullError`, `StoreError` or `MemoryShortageError`: an update is held up by it."""
    try:
        with durable.translate_full_disk(home):
            yield
    except OSError as error:
        advice = "Check the disk, and who owns the files of the agent's home."
        where = str(error.filename or home)
        raise StoreError(f"a file can't be read or written ({error.strerror or error})", where=where, advice=advice) from error
    except MemoryError as error:
        raise MemoryShortageError("there is no memory left for the update", where=str(home), advice="Free memory on this machine.") from error


def same_trouble(before: str, now: str) -> bool:
    """Whether two reasons say the same with other figures, such as the bytes that are free now or the attempt's number."""
    return re.sub(r"\d+", "0", before) == re.sub(r"\d+", "0", now)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What the steps work with; ``transport`` is asked for only when something is to be fetched.

    ``checked`` are the bundles whose every byte this process hashed, with the state of their files then (`bundle.files.state`), until they serve.
    """

    state: StateDatabase
    store: DeviceStore
    transport: Callable[[], Transport]
    machine: Machine
    onnxruntime: str
    clock: Clock
    data_plane: DataPlaneLink
    publisher: Publisher
    policy: UpdatePolicy
    checked: dict[Digest, str] = dataclasses.field(default_factory=dict)

    def record(self, kind: str, model: Update | InstalledBundle, detail: str) -> None:
        """Write an event about a model into the ledger, and into the log."""
        _LOG.info("%s %s: %s: %s", model.name, model.version, kind, detail, extra=facts(model=model.name, version=model.version, event=kind))
        self.state.record(kind, model=model.name, version=model.version, detail=detail, now=self.clock.now())

    def enter(self, update: Update, state: State, **changes: Any) -> Update:
        """Persist the update in its next state.

        What held it up is remembered until it serves or ends, so that the same hindrance isn't news again, but it waits for no next try any more.
        """
        over: dict[str, Any] = {"reason": "", "held_since": None} if state is State.PROBATION or TABLE[state].rest else {}
        update = dataclasses.replace(update, state=state, retry_at=None, **(over | changes))
        self.state.enter(update)
        _LOG.debug("%s %s: the update is in state %s", update.name, update.version, state)
        return update

    def installed(self, update: Update) -> InstalledBundle:
        """The bundle that an update brings, once it is chosen."""
        if update.bundle is None:
            raise UpdateError("no bundle was chosen yet", where=f"{update.name} {update.version} in {update.state}")
        return self.state.installed(
            name=update.name,
            version=update.version,
            digest=update.bundle,
            profile=update.profile,
            release=update.release,
            release_size=update.release_size,
        )

    def machine_state(self) -> str:
        """A short digest of what a release's fitness depends on beside itself: processor, accelerators, libraries, this agent's version.

        Cores and memory aren't in it: those that a service may use and those that a command may use differ.
        """
        machine = self.machine
        parts = (machine.arch, *sorted(machine.cpu_flags), *sorted(machine.accelerators), *sorted(machine.providers))
        text = canonical_json([*parts, self.onnxruntime, __version__])
        return hashlib.sha256(text).hexdigest()[:16]

    def hold_up(self, update: Update, error: SealiftError, attempt: str = "") -> None:
        """Remember what holds an update up and when it is tried again; an event, unless it is held up by the same already."""
        now, reason = self.clock.now(), f"{error} {attempt}".strip()
        hindrances = update.hindrances + 1
        rest_s = retry_after_s(hindrances, self.policy.retry_s, self.policy.longest_retry_s)
        since, retry_at = update.held_since or now, now + datetime.timedelta(seconds=rest_s)
        with self.state.transaction():
            self.state.put(dataclasses.replace(update, reason=reason, hindrances=hindrances, held_since=since, retry_at=retry_at))
            if not same_trouble(update.reason, reason):
                self.record("refused" if isinstance(error, IntegrityError | LimitError) else "held-up", update, reason)

    def rests(self, update: Update) -> bool:
        """Whether an update waits for its next try; one that is being activated or on probation never does, since it may serve.

        A clock that was set back doesn't make it wait longer than it ever would.
        """
        if update.state in (State.ACTIVATING, State.PROBATION):
            return False
        longest = datetime.timedelta(seconds=max(self.policy.longest_retry_s, self.policy.retry_s))
        return update.retry_at is not None and datetime.timedelta(0) < update.retry_at - self.clock.now() <= longest

    def reject(self, update: Update, reason: str) -> Update:
        """End an update before it serves; its release stays refused, until `Updater.retry`, another release in the channel, or another machine."""
        with self.state.transaction():
            update = self.enter(update, State.REJECTED, reason=reason)
            self._refuse(update, reason, self.machine_state())
            self.record("rejected", update, reason)
        return update

    def refuse(self, update: Update, error: AgainstReleaseError) -> Update | None:
        """What the table says of a release's own fault: the end of the update, or None if it is held up and may try again."""
        stored = self.state.update(update.name) or update
        allowed = TABLE[stored.state].refuses.get(error.ground)
        if allowed is None:
            self.hold_up(self.withdraw(stored, attempts=max(0, stored.attempts - 1)), error.cause)
            return None
        if max(stored.attempts, 1) < allowed:
            self.hold_up(self.withdraw(stored), error.cause, f"(attempt {stored.attempts} of {allowed})")
            return None
        if State.ROLLED_BACK in TABLE[stored.state].next:
            return self.roll_back(stored, f"it can't be served: {error.cause}")
        return self.reject(stored, str(error.cause))

    def withdraw(self, update: Update, state: State = State.SELF_TESTING, **changes: Any) -> Update:
        """Let the old bundle be current again while one that was activated waits; an update that wasn't activated stays as it is."""
        if update.state is not State.ACTIVATING:
            return dataclasses.replace(update, **changes)
        with self.state.transaction():
            deployment = self.state.deployment(update.name)
            self.state.set_deployment(update.name, deployment.previous if deployment else None, None)
            update = self.enter(update, state, probation=None, **changes)
        self.publisher.publish(update.name)
        return update

    def roll_back(self, update: Update, reason: str, checked: str | None = None) -> Update:
        """End an update that serves, or served: the old bundle is current again, at once and durably, then serves.

        ``checked`` is the state of the old bundle's files if they were checked a moment ago.
        `EngineError` if the data plane can't serve the old bundle either; the desired state says then what should serve.
        """
        with self.state.transaction():
            deployment = self.state.deployment(update.name)
            self.state.set_deployment(update.name, deployment.previous if deployment else None, None)
            update = self.enter(update, State.ROLLED_BACK, reason=reason)
            self._refuse(update, reason)
            self.record("rolled-back", update, reason)
        self.publisher.publish(update.name, checked)
        return update

    def _refuse(self, update: Update, reason: str, machine: str = "") -> None:
        since = self.clock.now()
        self.state.refuse(
            RefusedRelease(release=update.release, name=update.name, version=update.version, reason=reason, since=since, machine=machine)
        )
