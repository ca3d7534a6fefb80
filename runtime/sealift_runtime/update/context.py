"""What the steps of an update share: the parts they work with, and the two bad ends, rejection and the way back."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
from collections.abc import Callable, Iterator
from typing import Any, Final

from sealift_core.bundle.digest import Digest
from sealift_core.clock import Clock
from sealift_core.errors import DocumentError, EngineError, HardwareError, IntegrityError, LimitError, UpdateError
from sealift_core.hardware.machine import Machine
from sealift_core.terminal.records import facts
from sealift_runtime.store.device_store import DeviceStore
from sealift_runtime.transport.base import Transport
from sealift_runtime.update.data_plane import DataPlaneLink
from sealift_runtime.update.policy import UpdatePolicy
from sealift_runtime.update.publishing import Publisher
from sealift_runtime.update.records import InstalledBundle, RefusedRelease, Update
from sealift_runtime.update.state import StateDatabase
from sealift_runtime.update.table import State

_LOG: Final = logging.getLogger("sealift.update")


class RejectedError(UpdateError):
    """A release that would be as wrong tomorrow; the update ends in state rejected."""


@contextlib.contextmanager
def judging() -> Iterator[None]:
    """What is wrong in this block is the release's own fault. Nothing may be fetched in it."""
    try:
        yield
    except (DocumentError, EngineError, HardwareError, IntegrityError, LimitError) as error:
        raise RejectedError(str(error)) from error


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
        """Persist the update in its next state."""
        update = dataclasses.replace(update, state=state, **({"reason": ""} | changes))
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

    def reject(self, update: Update, reason: str) -> Update:
        """End an update before it serves; its release stays refused until `Updater.retry`."""
        with self.state.transaction():
            update = self.enter(update, State.REJECTED, reason=reason)
            self._refuse(update, reason)
            self.record("rejected", update, reason)
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

    def _refuse(self, update: Update, reason: str) -> None:
        self.state.refuse(RefusedRelease(release=update.release, name=update.name, version=update.version, reason=reason))
