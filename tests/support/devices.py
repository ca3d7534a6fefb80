"""A device's home with an updater over a real repository, for tests of updates."""

from __future__ import annotations

import copy
import dataclasses
import datetime
from collections.abc import Callable
from pathlib import Path

from sealift_core.errors import EngineError
from sealift_core.hardware.machine import Machine, detect_machine
from sealift_runtime.store.device_store import DeviceStore
from sealift_runtime.transport.base import Transport
from sealift_runtime.transport.directory import DirectoryTransport
from sealift_runtime.update.data_plane import DataPlaneLink
from sealift_runtime.update.desired import DesiredState
from sealift_runtime.update.policy import ProbationPolicy, Subscription, UpdatePolicy
from sealift_runtime.update.records import InstalledBundle, ServingCounters
from sealift_runtime.update.state import StateDatabase
from sealift_runtime.update.table import State
from sealift_runtime.update.updater import Updater
from support.clocks import ManualClock
from support.repositories import Repository

POLICY = UpdatePolicy(reserve_bytes=0, max_staleness=datetime.timedelta(days=30), probation=ProbationPolicy(duration_s=60))


class RecordingDataPlane:
    """A `DataPlaneLink` that serves nothing, but remembers what it was sent and counts what a test says."""

    def __init__(self) -> None:
        self.desired = DesiredState()
        self.activated: list[str | None] = []
        self.refuses: set[str] = set()
        self.counts: ServingCounters | None = None

    def generation(self) -> int | None:
        return self.desired.generation

    def follow(self, desired: DesiredState, model: str = "", checked: str | None = None) -> None:  # noqa: ARG002
        self.desired = desired
        if not model:
            return
        deployment = desired.model(model)
        version = deployment.current.version if deployment and deployment.current else None
        self.activated.append(version)
        if version in self.refuses:
            raise EngineError("the model does not load", where=model)

    def counters(self, name: str) -> ServingCounters | None:  # noqa: ARG002  # the same for all
        return self.counts


class Device:
    """A home, enrolled with a repository's first root."""

    def __init__(
        self,
        home: Path,
        repository: Repository,
        *,
        policy: UpdatePolicy = POLICY,
        machine: Machine | None = None,
        subscription: Subscription | None = None,
        transport: Callable[[], Transport] | None = None,
        data_plane: DataPlaneLink | None = None,
        onnxruntime: str | None = None,
    ) -> None:
        self.home = home
        self.clock = ManualClock(repository.now)
        self.state = StateDatabase(home / "state.sqlite")
        self.store = DeviceStore(home, reserve_bytes=policy.reserve_bytes)
        self.data_plane = RecordingDataPlane()
        self.updater = Updater(
            home=home,
            transport=transport or (lambda: DirectoryTransport(repository.directory)),
            machine=machine or detect_machine(),
            state=self.state,
            store=self.store,
            subscription=subscription,
            policy=policy,
            data_plane=data_plane or self.data_plane,
            clock=self.clock,
            onnxruntime=onnxruntime,
        )
        if not self.updater.trust.enrolled():
            self.updater.trust.enrol(repository.trusted_root())

    def reading_from(self, transport: Callable[[], Transport]) -> Updater:
        """The same updater, lock included, with another place to read from."""
        other = copy.copy(self.updater)
        other._context = dataclasses.replace(other._context, transport=transport)
        return other

    def sync(self) -> None:
        """Refresh and advance to rest, probation included; the first problem is raised."""
        self.updater.refresh()
        for _ in range(2):
            advanced = self.updater.advance()
            if advanced.problems:
                raise advanced.problems[0]
            self.clock.advance(POLICY.probation.duration_s)

    def current(self, name: str = "linear") -> InstalledBundle:
        """What is to serve."""
        deployment = self.state.deployment(name)
        assert deployment
        assert deployment.current
        return deployment.current

    def stage(self, name: str = "linear") -> State:
        """How far the latest update of a model has come."""
        update = self.state.update(name)
        assert update
        return update.state

    def kinds(self) -> list[str]:
        """The kinds of all events, in order."""
        return [event.kind for event in self.state.events()]

    def last_detail(self, kind: str) -> str:
        """The detail of the last event of a kind."""
        return [event.detail for event in self.state.events() if event.kind == kind][-1]
