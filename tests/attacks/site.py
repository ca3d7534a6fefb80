"""The device under attack: its repository, its hub, and a client who means well all the while."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import http.client
import json
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import urlsplit

import numpy as np

from support.agents import AgentUnderTest, device, wait_until
from support.hub_double import HubDouble, running_hub
from support.models import MODELS, answer
from support.repositories import Repository
from support.static_server import StaticServer, serve_directory

X: Final = MODELS["linear"].requests[0]["x"]
INPUTS: Final = [{"name": "x", "shape": list(X.shape), "datatype": "FP32", "data": X.ravel().tolist()}]
EXPECTED: Final = answer("linear", {"x": X})["scores"].ravel()
#: The pause of the client who means well between two requests, in seconds.
PAUSE_S: Final = 0.02
OLD, NEW = "1.0.0", "1.1.0"


class SteadyClient:
    """Sends the same request again and again and compares the answer; counts what it got."""

    def __init__(self, url: str) -> None:
        self._address = urlsplit(url)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.answered = 0
        self.failures: list[str] = []
        self.longest_wait_s = 0.0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Send no more."""
        self._stopping.set()
        self._thread.join(90)

    def _run(self) -> None:
        connection = http.client.HTTPConnection(self._address.hostname or "", self._address.port, timeout=60)
        with contextlib.closing(connection):
            while not self._stopping.is_set():
                begun = time.monotonic()
                self._ask(connection)
                self.longest_wait_s = max(self.longest_wait_s, time.monotonic() - begun)
                self._stopping.wait(PAUSE_S)

    def _ask(self, connection: http.client.HTTPConnection) -> None:
        try:
            connection.request("POST", "/v2/models/linear/infer", json.dumps({"inputs": INPUTS}))
            reply = connection.getresponse()
            body = json.loads(reply.read())
            if reply.status != 200:
                raise ValueError(f"{reply.status} {body}")
            np.testing.assert_allclose(body["outputs"][0]["data"], EXPECTED, rtol=1e-6)
        except (OSError, http.client.HTTPException, ValueError, AssertionError) as error:
            self.failures.append(repr(error))
            connection.close()
        else:
            self.answered += 1


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A device that serves ``linear`` 1.0.0, what it is connected to, and an empty folder for the attacker."""

    agent: AgentUnderTest
    repository: Repository
    server: StaticServer
    hub: HubDouble
    client: SteadyClient
    work: Path

    @property
    def address(self) -> tuple[str, int]:
        """Where the device listens."""
        parts = urlsplit(self.agent.url)
        return parts.hostname or "", parts.port or 0

    def configure(self, *options: object, repository: str = "") -> None:
        """Configure the agent anew, as its operator would; it takes that over while it runs."""
        root = self.repository.metadata / "1.root.json"
        self.agent.init(repository or self.server.url, root, *options)

    def still_serves(self, version: str = OLD) -> None:
        """Assert that this version answers."""
        assert self.agent.serving() == version, self.agent.serving()

    def takes_the_next(self, seconds: float = 60, **changes: Any) -> None:
        """Publish an honest update and wait until it serves and stays: an attack that keeps a device from updates has won, too."""
        self.repository.add_release(NEW, **changes)
        self.settles(NEW, seconds)

    def settles(self, version: str, seconds: float = 60) -> None:
        """Wait until a version serves and its probation is over."""
        wait_until(lambda: self.agent.serving() == version, seconds, f"{version} to serve")
        wait_until(lambda: self.agent.status()["models"][0]["state"] == "committed", seconds, f"{version} to stay")

    def refusal(self, seconds: float = 60) -> str:
        """Wait until a release is refused; the reason."""
        refused = wait_until(lambda: self.agent.status()["refused"], seconds, "a release to be refused")
        return str(refused[-1]["reason"])

    def event(self, kind: str, seconds: float = 60) -> str:
        """Wait for an event of a kind; its words."""
        found = wait_until(lambda: [text for text in self.agent.events() if text.startswith(kind)], seconds, f"an event {kind}")
        return str(found[-1]).split(": ", 1)[1]


@contextlib.contextmanager
def site() -> Iterator[Site]:
    """A new device that serves while the block runs."""
    with tempfile.TemporaryDirectory() as folder, running_hub() as hub:
        place = Path(folder)
        repository = Repository(place / "repository", now=datetime.datetime.now(datetime.UTC).replace(microsecond=0))
        repository.add_release(OLD)
        (place / "work").mkdir()
        with serve_directory(repository.directory) as server, device(place / "device") as agent:
            agent.init(server.url, repository.metadata / "1.root.json", "--hub", hub.url)
            agent.start()
            wait_until(lambda: agent.serving() == OLD, 60, "the model to serve")
            wait_until(lambda: agent.status()["models"][0]["state"] == "committed", 60, "its probation to end")
            with SteadyClient(agent.url) as client:
                yield Site(agent=agent, repository=repository, server=server, hub=hub, client=client, work=place / "work")
