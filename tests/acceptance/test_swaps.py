"""Many swaps under traffic that changes: identical graphs stay, worse versions go back, and say why.

A real data plane in this process, its real HTTP server, clients on sockets, and a neighbour that takes the processor now and then. ``SWAPS`` sets how
many swaps of identical graphs there are (1,000 unless told, about half an hour).
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import itertools
import os
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np
import pytest

from sealift_core.clock import SystemClock
from sealift_runtime.agent.data_plane import DataPlane
from sealift_runtime.agent.home import Home
from sealift_runtime.engine.session import ModelSession
from sealift_runtime.serving.server import InferenceServer
from sealift_runtime.update.desired import DesiredState
from sealift_runtime.update.desired_file import DesiredFile
from sealift_runtime.update.policy import ProbationPolicy
from sealift_runtime.update.probation import Decision, ProbationVerdict, judge
from sealift_runtime.update.records import Deployment, Probation, ServingCounters
from support.agents import device
from support.repositories import Repository
from support.serving import RunningServer, running
from support.worse_sessions import WorseSession, failing, leaking, not_finite, slower

SWAPS: Final = int(os.environ.get("SWAPS", "1000"))
WORSE_SWAPS: Final = 25
POLICY: Final = ProbationPolicy()
MODELS: Final = ("slow", "hungry")
BUSY: Final = "import time\nwhile True:\n    end = time.monotonic() + 0.3\n    while time.monotonic() < end: pass\n    time.sleep(0.4)\n"
Spoil = Callable[..., Any]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home with 1.0.0 and 1.1.0 of two models."""
    place = tmp_path_factory.mktemp("swaps")
    repository = Repository(place / "repository", now=datetime.datetime.now(datetime.UTC).replace(microsecond=0))
    with device(place / "device") as agent:
        for version in ("1.0.0", "1.1.0"):
            for model in MODELS:
                repository.add_release(version, name=model, model=model)
            if version == "1.0.0":
                agent.init(repository.directory, repository.metadata / "1.root.json", timing__probation_s="0")
            for _ in range(2):
                agent.command("sync").ok()
    return Home(place / "device")


class Site:
    """The data plane with its server, swapped back and forth between two versions of each model."""

    def __init__(self, plane: DataPlane, server: RunningServer, installed: DesiredState) -> None:
        self.plane = plane
        self.server = server
        self._deployments = {deployment.name: deployment for deployment in installed.models}
        self._generation = installed.generation

    def swap(self, model: str, duration_s: float) -> ProbationVerdict:
        """Let the other version serve, on probation for so long; what its verdict was in the end."""
        was = self._deployments[model]
        self._deployments[model] = Deployment(name=model, current=was.previous, previous=was.current)
        self._follow(model, on_trial=True)
        now = SystemClock().now()
        probation = Probation(started=now, deadline=now + datetime.timedelta(seconds=duration_s), start=ServingCounters(), before=None)
        while True:
            self.plane.tick()
            verdict = judge(probation, self.plane.counters(model), SystemClock().now(), POLICY)
            if verdict.decision is not Decision.WAIT:
                self._follow("", on_trial=False)
                return verdict
            time.sleep(0.05)

    def _follow(self, model: str, *, on_trial: bool) -> None:
        self._generation += 1
        current = self._deployments[model].current if model else None
        updates = (f"{current.name} {current.version}",) if current and on_trial else ()
        self.plane.follow(DesiredState(generation=self._generation, models=tuple(self._deployments.values()), updates=updates), model)


@contextlib.contextmanager
def site(home: Home, spoil: Callable[[], Spoil] | None = None) -> Iterator[Site]:
    """The data plane of a home, with its server; with ``spoil``, which is made anew for each swap, 1.1.0 is a worse version than it is."""
    desired = DesiredFile(home.directory).read()
    assert desired
    plane = SpoilingPlane(home, spoil)
    plane.start()
    with running(lambda table: _server(plane, table)) as server:
        yield Site(plane, server, desired)


def _server(plane: DataPlane, table: Any) -> InferenceServer:
    plane.table, table = table, plane.table
    for model in table.list():
        plane.table.activate(model)
    return InferenceServer(plane.table, metrics=lambda: plane.monitors.metrics)


class SpoilingPlane(DataPlane):
    """A data plane in whose hands 1.1.0 is a worse version than it is."""

    def __init__(self, home: Home, spoil: Callable[[], Spoil] | None) -> None:
        super().__init__(home)
        self._spoil = spoil

    def _load(self, bundle: Any, checked: str | None) -> tuple[ModelSession, str]:
        session, state = super()._load(bundle, checked)
        return (WorseSession(session, self._spoil()) if self._spoil and bundle.version == "1.1.0" else session), state


@contextlib.contextmanager
def clients(server: RunningServer, seed: int, *, worse: bool = False) -> Iterator[None]:
    """Clients whose habits change: sizes of batches, values that a graph refuses, uploads that don't end.

    Where a version is ``worse``, failures are what they expect, and they send a few hundred requests a second, so that a leak leaves memory.
    """
    stopped, errors = threading.Event(), []

    def client(number: int) -> None:
        choices = random.Random(f"{seed} {number}")
        while not stopped.is_set():
            try:
                _ask(server, choices, worst=500 if worse else 499)
                time.sleep(0.01 if worse else 0)
            except OSError as error:  # reset by a server that ends
                if not stopped.is_set():
                    errors.append(error)

    def uploader() -> None:
        while not stopped.is_set():
            with socket.create_connection(("127.0.0.1", server.port)) as half, contextlib.suppress(OSError):
                half.sendall(b"POST /v2 HTTP/1.1\r\nHost: a\r\nContent-Length: 67108864\r\n\r\n" + bytes(random.Random(seed).randrange(40 * 2**20)))
                stopped.wait(0.5)

    threads = [threading.Thread(target=client, args=(number,)) for number in range(2)] + [threading.Thread(target=uploader)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stopped.set()
        for thread in threads:
            thread.join()
    assert not errors


def _ask(server: RunningServer, choices: random.Random, *, worst: int) -> None:
    if choices.random() < 0.5:
        rows, rounds = choices.choice([1, 1, 1, 8, 200, 4000]), choices.choice([1, 20, 200, 1000])
        x = np.random.default_rng(choices.randrange(2**32)).normal(size=(rows, 4)).astype(np.float32)
        inputs = [_tensor("x", "FP32", x), _tensor("rounds", "INT64", np.array([rounds]))]
        answer = server.infer("slow", inputs)
    else:
        size = choices.choice([1, 1000, 100_000, -1, -5])
        answer = server.infer("hungry", [_tensor("size", "INT64", np.array([size]))])
        assert answer.status in ((200, worst) if size > 0 else (400, worst)), answer.body
    assert answer.status <= worst, answer.body


def _tensor(name: str, datatype: str, value: Any) -> dict[str, Any]:
    return {"name": name, "shape": list(value.shape), "datatype": datatype, "data": value.ravel().tolist()}


@pytest.mark.timeout(0)
def test_swaps_of_identical_graphs_stay(installed: Home) -> None:
    rolled_back: list[str] = []
    neighbour = subprocess.Popen([sys.executable, "-c", BUSY])
    try:
        with site(installed) as here, clients(here.server, 1):
            for number, model in zip(range(SWAPS), itertools.cycle(MODELS), strict=False):
                verdict = here.swap(model, 1.0)
                if verdict.decision is Decision.ROLL_BACK:
                    rolled_back.append(f"swap {number} of {model}: {verdict.reason}")
    finally:
        neighbour.kill()
        neighbour.wait()
    print(f"\n{len(rolled_back)} of {SWAPS} swaps of identical graphs rolled back", *rolled_back, sep="\n")
    assert len(rolled_back) <= SWAPS / 1000


def one_in_twenty(inputs: Any) -> bool:
    """By the values, as a fault of a model is."""
    return "x" in inputs and hash(inputs["x"].tobytes()) % 20 == 0


@dataclasses.dataclass(frozen=True)
class Worse:
    spoil: Callable[[], Spoil]
    reasons: tuple[str, ...]


WORSE: Final = {
    "slower": Worse(lambda: slower(1.5), ("times as long",)),
    "wrong": Worse(lambda: failing(one_in_twenty), ("failed that the previous version",)),
    "non-finite": Worse(lambda: not_finite(one_in_twenty), ("gave non-finite outputs",)),
    "leaking": Worse(lambda: leaking(2**20), ("kB more for each request", "times as long")),  # to take a megabyte takes time, too
}


@pytest.mark.timeout(0)
@pytest.mark.parametrize("kind", WORSE)
def test_swaps_to_a_worse_version_go_back_and_say_why(installed: Home, kind: str) -> None:
    worse, stayed = WORSE[kind], list[str]()
    with site(installed, worse.spoil) as here, clients(here.server, 2, worse=True):
        for number in range(2 * WORSE_SWAPS):
            verdict = here.swap("slow", 10.0 if number % 2 else 0.1)
            if number % 2 and not (verdict.decision is Decision.ROLL_BACK and any(words in verdict.reason for words in worse.reasons)):
                stayed.append(verdict.reason)
    print(f"\n{kind}: {WORSE_SWAPS - len(stayed)} of {WORSE_SWAPS} rolled back", *stayed, sep="\n")
    assert len(stayed) <= WORSE_SWAPS // 20
