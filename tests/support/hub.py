"""The installed ``sealift-hub`` as a process, and what tests ask of it."""

from __future__ import annotations

import contextlib
import dataclasses
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests

from support.cli import BIN, Ran, call
from support.simulated import SimulatedDevice

COMMAND = str(BIN / "sealift-hub")
TIMEOUT_S = 30


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RunningHub:
    """A hub that listens; ``url`` ends without a slash."""

    url: str
    data: Path
    process: subprocess.Popen[str]

    def get(self, path: str, **headers: str) -> requests.Response:
        return requests.get(self.url + path, headers={name.replace("_", "-"): value for name, value in headers.items()}, timeout=TIMEOUT_S)

    def post(self, path: str, data: bytes) -> requests.Response:
        return requests.post(self.url + path, data=data, timeout=TIMEOUT_S)

    def enrol(self, device: SimulatedDevice) -> requests.Response:
        return requests.put(f"{self.url}/api/v1/devices/{device.id}", data=device.pem, timeout=TIMEOUT_S)

    def send(self, device: SimulatedDevice, data: bytes) -> requests.Response:
        return requests.post(f"{self.url}/api/v1/devices/{device.id}/reports", data=data, timeout=TIMEOUT_S)

    def device(self, device: SimulatedDevice) -> Any:
        return self.get(f"/api/v1/devices/{device.id}").json()


@contextlib.contextmanager
def running_hub(data: Path, repository: Path | None = None) -> Iterator[RunningHub]:
    """``sealift-hub serve`` on a free port; told to stop at the end, and it must then end well."""
    repo = [] if repository is None else ["--repo", str(repository)]
    with (data.parent / f"{data.name}.log").open("w") as log:
        process = subprocess.Popen(
            [COMMAND, "serve", "--data", str(data), "--port", "0", *repo], stdout=subprocess.PIPE, stderr=log, text=True, encoding="utf-8"
        )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line.startswith("listening on http://127.0.0.1:"), Path(log.name).read_text()
        yield RunningHub(url=line.removeprefix("listening on ").strip().rstrip("/"), data=data, process=process)
    finally:
        process.terminate()
        process.stdout.close()
        code = process.wait(TIMEOUT_S)
    assert code == 0


def made_hub(data: Path) -> Path:
    """A data directory with a hub in it, as ``sealift-hub init`` makes it."""
    hub_command("init", "--data", data).ok()
    return data


def hub_command(*words: str | Path) -> Ran:
    """Run ``sealift-hub WORDS`` to its end."""
    return call("sealift-hub", *words)


def hub_json(*words: str | Path) -> Any:
    """Run ``sealift-hub WORDS --json``; its result."""
    return hub_command(*words, "--json").json
