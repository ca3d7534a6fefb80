"""A process that updates a device and is killed with SIGKILL at a chosen point: ``python crashing.py HOME REPOSITORY POINT``.

``POINT`` is ``entering:STATE`` (just before the state becomes durable), ``entered:STATE`` (just after version 1.1.0 is
in it, durably), ``blob:N`` (in the middle of the Nth blob), ``naming`` (the new desired state is written, but not under its name yet),
``sending`` (it is on disk, but wasn't sent), ``activating`` (while the data plane loads the new bundle), or ``never``.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from sealift_core.hardware.machine import detect_machine
from sealift_runtime.store.device_store import DeviceStore
from sealift_runtime.transport.directory import DirectoryTransport
from sealift_runtime.update.data_plane import NoDataPlane
from sealift_runtime.update.desired import DesiredState
from sealift_runtime.update.policy import ProbationPolicy, UpdatePolicy
from sealift_runtime.update.records import Update
from sealift_runtime.update.state import StateDatabase
from sealift_runtime.update.updater import Updater
from support.clocks import ManualClock
from support.repositories import NOW


def die() -> None:
    """As a power cut does: at once, without any cleaning up."""
    os.kill(os.getpid(), signal.SIGKILL)


class MortalState(StateDatabase):
    """A database whose process dies around a transition."""

    point = ""

    def enter(self, update: Update) -> None:
        super().enter(update)
        if self.point == f"entering:{update.state}":  # inside the transaction, so it is rolled back
            die()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        outermost = self._depth == 0
        with super().transaction():
            yield
        if outermost and any(self.point == f"entered:{update.state}" and update.version == "1.1.0" for update in self.updates()):
            die()


class MortalTransport(DirectoryTransport):
    """A transport whose process dies in the middle of the Nth blob."""

    point = ""
    blobs = 0

    @contextlib.contextmanager
    def open(self, path: str, offset: int = 0, *, max_bytes: int | None = None) -> Iterator[Iterator[bytes]]:
        MortalTransport.blobs += path.startswith("blobs/")
        dying = self.point == f"blob:{MortalTransport.blobs}"
        with super().open(path, offset, max_bytes=max_bytes) as chunks:
            yield self._halves(chunks) if dying else chunks

    def _halves(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        chunk = next(chunks)
        yield chunk[: len(chunk) // 2]
        die()


class MortalDataPlane(NoDataPlane):
    """A data plane whose host dies while it loads a document, or before it is sent one that is on disk already."""

    point = ""

    def generation(self) -> int | None:
        if self.point == "sending":
            die()
        return 0

    def follow(self, desired: DesiredState, model: str = "", checked: str | None = None) -> None:  # noqa: ARG002  # it dies whatever it loads
        if self.point == "activating" and model:
            die()


def die_before_naming(point: str) -> None:
    """At point ``naming``: die when a new document is written, and stands beside the old one under another name."""
    replace = os.replace

    def dying(source: str, target: str, **folders: int) -> None:
        if point == "naming" and target == "desired.json":
            die()
        replace(source, target, **folders)

    os.replace = dying  # type: ignore[assignment]


def main(home: Path, repository: Path, point: str) -> None:
    """Update until rest, or death."""
    MortalState.point = MortalTransport.point = MortalDataPlane.point = point
    die_before_naming(point)
    clock = ManualClock(NOW)
    updater = Updater(
        home=home,
        transport=lambda: MortalTransport(repository),
        machine=detect_machine(),
        state=MortalState(home / "state.sqlite"),
        store=DeviceStore(home, reserve_bytes=0),
        policy=UpdatePolicy(reserve_bytes=0, probation=ProbationPolicy(duration_s=60)),
        data_plane=MortalDataPlane(),
        clock=clock,
    )
    updater.recover()
    updater.refresh()
    for _ in range(2):
        for problem in updater.advance().problems:
            raise problem
        clock.advance(61)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
