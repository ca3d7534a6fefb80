"""How soon a command is there, and how soon a model answers after ``sealift-agent run``."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import statistics
import subprocess
import sys
import time
from typing import Final

from benchmarks.figure import Figure
from benchmarks.models import CANCER, bundle_directory
from benchmarks.serving import Subject
from sealift_runtime.engine.session import ModelSession
from support.agents import COMMAND, AgentUnderTest

HELPS: Final = 15
STARTS: Final = 5
LIMIT_S: Final = 30.0


def help_figures() -> list[Figure]:
    """The time of ``sealift-agent --help``, beside Python's own."""
    helps, empties = [], []
    for _ in range(HELPS):
        helps.append(_seconds([str(COMMAND), "--help"]))
        empties.append(_seconds([sys.executable, "-c", "pass"]))
    value = f"{statistics.median(helps) * 1000:.0f} ms (Python alone {statistics.median(empties) * 1000:.0f} ms)"
    return [Figure("`sealift-agent --help`", value)]


def _seconds(argv: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(argv, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def run_figures(agent: AgentUnderTest) -> list[Figure]:
    """The time from starting ``sealift-agent run`` to the first answer of a model."""
    body = Subject(ModelSession.open(bundle_directory(agent, CANCER))).body()
    times = [_first_answer_s(agent, body) for _ in range(STARTS)]
    return [Figure("`sealift-agent run` to the first answer, two models, every byte of them checked", f"{statistics.median(times):.2f} s")]


def _first_answer_s(agent: AgentUnderTest, body: bytes) -> float:
    port = _free_port()
    start = time.perf_counter()
    agent.start("--port", port, wait=False)
    try:
        while time.perf_counter() - start < LIMIT_S:
            if _answers(port, body):
                return time.perf_counter() - start
            time.sleep(0.005)
        raise SystemExit(f"no answer within {LIMIT_S:.0f} s: {agent.log.read_text()}")
    finally:
        agent.stop()


def _answers(port: int, body: bytes) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT_S)
    with contextlib.closing(connection), contextlib.suppress(OSError):
        connection.request("POST", f"/v2/models/{CANCER}/infer", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status == http.client.OK and bool(json.loads(answer.read())["outputs"])
    return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
