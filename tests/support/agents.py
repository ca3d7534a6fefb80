"""A device under test: the installed ``sealift-agent`` runs it, its home is in a temporary directory, its processes are our own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from support.cli import BIN, Ran, call

COMMAND = BIN / "sealift-agent"
#: Timings that let a test see within seconds what takes minutes in operation.
QUICK = {
    "timing.poll_s": "0.3",
    "timing.report_s": "0.5",
    "timing.window_s": "1",
    "timing.probation_s": "1",
    "serving.port": "0",
    "serving.notice_s": "0",
}


class AgentUnderTest:
    """One device."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.log = home.with_name(f"{home.name}.log")
        self.process: subprocess.Popen[bytes] | None = None

    def command(self, *words: object) -> Ran:
        """Run a verb to its end, in this process: tests look often."""
        return call("sealift-agent", *words, "--home", self.home)

    def init(self, repository: object, root: Path, *options: object, **settings: str) -> Ran:
        """Make it a device, with quick timings."""
        chosen = QUICK | {key.replace("__", "."): value for key, value in settings.items()}
        entries = [word for key, value in chosen.items() for word in ("--set", f"{key}={value}")]
        return self.command("init", "--force", "--repo", repository, "--root", root, *entries, *options).ok()

    def start(self, *options: object, wait: bool = True) -> None:
        """Run the agent; by default until it has written where it listens."""
        (self.home / "run" / "server.json").unlink(missing_ok=True)
        with self.log.open("ab") as log:
            argv = [str(COMMAND), "run", "--home", str(self.home), *map(str, options)]
            self.process = subprocess.Popen(argv, stdout=log, stderr=log, start_new_session=True)
        if wait:
            wait_until(lambda: (self.home / "run" / "server.json").exists() or self._ended(), 60, "the agent to listen")
            assert not self._ended(), self.log.read_text()

    def _ended(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    @property
    def url(self) -> str:
        """Where it listens."""
        return str(json.loads((self.home / "run" / "server.json").read_text())["url"])

    def get(self, path: str) -> Any:
        """The JSON answer to a GET, whatever its status."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=30) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return json.loads(error.read())

    def infer(self, model: str, inputs: list[dict[str, Any]]) -> Any:
        """The JSON answer to an inference request; an error status raises."""
        body = json.dumps({"inputs": inputs}).encode()
        request = urllib.request.Request(f"{self.url}/v2/models/{model}/infer", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())

    def status(self) -> Any:
        """``status --json``."""
        return self.command("status", "--json", "--events", 100).ok().json

    def events(self) -> list[str]:
        """Each event as "kind model version: detail"."""
        return [f"{event['kind']} {event['model']} {event['version']}: {event['detail']}" for event in self.status()["events"]]

    def version(self, model: str = "linear") -> str | None:
        """Which version is installed."""
        return next((str(installed["version"]) for installed in self.status()["models"] if installed["name"] == model), None)

    def serving(self, model: str = "linear") -> str | None:
        """Which version answers."""
        try:
            return str(self.get(f"/v2/models/{model}")["versions"][0])
        except (OSError, KeyError):
            return None

    def pids(self, module: str) -> list[int]:
        """Our own processes that run a module of the agent."""
        pids = []
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                words = (folder / "cmdline").read_bytes().split(b"\0")
                if f"sealift_runtime.agent.{module}".encode() in words and str(self.home).encode() in words:
                    pids.append(int(folder.name))
        return pids

    def kill(self) -> None:
        """End all of its processes as a power cut would."""
        if self.process:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def stop(self) -> int:
        """Ask it to end; its exit code."""
        if self.process is None:
            return 0
        self.process.terminate()
        try:
            return self.process.wait(timeout=30)
        finally:
            self.kill()


def wait_until(look: Callable[[], Any], seconds: float, what: str) -> Any:
    """Look until there is something; what was seen."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if seen := look():
            return seen
        time.sleep(0.05)
    raise AssertionError(f"waited {seconds} s for {what}")


@contextlib.contextmanager
def device(home: Path) -> Iterator[AgentUnderTest]:
    """A device whose processes end with the block."""
    agent = AgentUnderTest(home)
    try:
        yield agent
    finally:
        agent.stop()
