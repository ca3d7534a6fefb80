"""What serving costs: requests per second and latency over HTTP, beside onnxruntime in the same process.

A server in a process of its own (the agent's, or a bare one) is loaded from this process over keep-alive connections, every reply
checked; in between onnxruntime alone is measured here: rounds alternate, because a shared machine drifts. Alone, with a bare
server and a tiny model, it takes about 30 seconds:

    python -m benchmarks.serving [BUNDLE-DIRECTORY] [--rounds 3] [--seconds 2] [--json]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import dataclasses
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime

import benchmarks
from benchmarks.figure import Figure
from benchmarks.models import MODELS, bundle_directory
from sealift_core.bundle.digest import Digest
from sealift_core.bundle.golden import Array
from sealift_core.bundle.manifest import BundleManifest
from sealift_runtime.engine.session import ModelSession, session_options
from sealift_runtime.inference.model import ServedModel
from sealift_runtime.inference.table import ModelTable
from sealift_runtime.serving.server import InferenceServer, run
from support.agents import AgentUnderTest
from support.models import make_bundle

CONNECTIONS: Final = (1, 16)
ALONE: Final = "in process"


class SilentObserver:
    """An observer for a model that isn't monitored."""

    def observed(self, inputs: Mapping[str, Array], outputs: Mapping[str, Array], latency_ms: float) -> None:
        """Nothing."""

    def failed(self, reason: str) -> None:
        """Nothing."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """One round: requests per second, latencies in milliseconds, the serving process's CPU time per request in µs."""

    rate: float
    p50_ms: float
    p99_ms: float
    cpu_us: float


@dataclasses.dataclass(frozen=True, slots=True)
class Subject:
    """A model that is measured, and one request for it."""

    session: ModelSession

    @property
    def manifest(self) -> BundleManifest:
        """Its bundle's."""
        return self.session.manifest

    @property
    def inputs(self) -> Mapping[str, Array]:
        """The inputs of its smallest golden case."""
        return self.session.example

    def body(self) -> bytes:
        """The request's body."""
        tensors = [
            {"name": spec.name, "shape": self.inputs[spec.name].shape, "datatype": spec.datatype, "data": self.inputs[spec.name].ravel().tolist()}
            for spec in self.manifest.inputs
        ]
        return json.dumps({"inputs": tensors}).encode()

    def request(self) -> bytes:
        """The request as it goes over the wire."""
        body = self.body()
        path = f"/v2/models/{self.manifest.name}/infer"
        head = f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        return head.encode() + body

    def check(self, document: dict[str, list[dict[str, Any]]]) -> None:
        """The first reply holds what onnxruntime gives here; later ones have to equal it byte for byte."""
        expected = self.session.run(self.inputs)
        for output, (name, value) in zip(document["outputs"], expected.items(), strict=True):
            np.testing.assert_allclose(output["data"], value.ravel(), rtol=1e-6, err_msg=name)


def in_process(subject: Subject, seconds: float) -> Load:
    """Onnxruntime's own `InferenceSession.run`, with the bundle's settings."""
    settings = subject.manifest.session
    path = subject.session.directory / subject.manifest.model.file
    session = onnxruntime.InferenceSession(str(path), session_options(settings), providers=list(settings.providers))
    feeds = dict(subject.inputs)
    session.run(None, feeds)
    times = []
    before = time.process_time()
    end = time.perf_counter() + seconds
    while (start := time.perf_counter()) < end:
        session.run(None, feeds)
        times.append(time.perf_counter() - start)
    return summarize(times, seconds, time.process_time() - before)


def summarize(times: list[float], seconds: float, cpu_s: float) -> Load:
    times.sort()
    count = len(times)
    return Load(rate=count / seconds, p50_ms=times[count // 2] * 1000, p99_ms=times[int(count * 0.99)] * 1000, cpu_us=cpu_s / count * 1e6)


def cpu_seconds(pid: int) -> float:
    """The CPU time that a process has used, from Linux's /proc."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Client(asyncio.Protocol):
    """Sends the next request when the answer to the last is there."""

    def __init__(self, request: bytes, expected: bytes, end: float) -> None:
        self.request = request
        self.expected = expected
        self.end = end
        self.times: list[float] = []
        self.done = asyncio.get_running_loop().create_future()
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self.transport = transport
        self.send()

    def send(self) -> None:
        """Send one request."""
        self.start = time.perf_counter()
        self.transport.write(self.request)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        """Check the answer and go on."""
        self.buffer += data
        if not self.buffer.endswith(self.expected):
            if len(self.buffer) > 1000 + len(self.expected):
                self.done.set_exception(AssertionError(f"a wrong reply: {self.buffer!r}"))
            return
        now = time.perf_counter()
        self.times.append(now - self.start)
        self.buffer = b""
        if now < self.end:
            self.send()
        else:
            self.transport.close()
            self.done.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail if that was too early."""
        if not self.done.done():
            self.done.set_exception(exc or ConnectionError("the server closed the connection"))


async def over_http(pid: int, port: int, exchange: tuple[bytes, bytes], connections: int, seconds: float) -> Load:
    """What so many connections get in so many seconds from the server on ``port`` (process ``pid``); ``exchange`` is a request and its answer."""
    loop = asyncio.get_running_loop()
    before = cpu_seconds(pid)
    end = time.perf_counter() + seconds
    made = [await loop.create_connection(lambda: Client(*exchange, end), "127.0.0.1", port) for _ in range(connections)]
    clients = [client for _, client in made]
    await asyncio.gather(*(client.done for client in clients))
    cpu_s = cpu_seconds(pid) - before
    return summarize([latency for client in clients for latency in client.times], seconds, cpu_s)


async def ask_once(port: int, subject: Subject) -> bytes:
    """The body of one checked reply."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(subject.request())
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    body = await reader.readexactly(length)
    writer.close()
    subject.check(json.loads(body))
    return body


async def serve(directory: Path) -> None:
    """A bare server's process: prints its port, ends when its standard input does."""
    table = ModelTable()
    session = ModelSession.open(directory)
    table.activate(ServedModel(session.manifest.name, session.manifest.version, Digest.of(b"benchmark"), session, SilentObserver()))
    server = InferenceServer(table)
    print(await server.start_tcp("127.0.0.1", 0), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await server.stop(1)


@contextlib.contextmanager
def bare_server(directory: Path) -> Iterator[tuple[int, int]]:
    """A server without an agent around it: its process and port."""
    argv = [sys.executable, "-m", "benchmarks.serving", "--serve", str(directory.absolute())]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=benchmarks.ROOT)
    assert process.stdout is not None
    try:
        yield process.pid, int(process.stdout.readline())
    finally:
        process.communicate()


def measure(subject: Subject, pid: int, port: int, rounds: int, seconds: float) -> dict[str, list[Load]]:
    """Rounds of onnxruntime alone and of the server, in turns."""
    exchange = subject.request(), run(ask_once(port, subject))
    results: dict[str, list[Load]] = {}
    for _ in range(rounds):
        results.setdefault(ALONE, []).append(in_process(subject, seconds))
        for connections in CONNECTIONS:
            load = run(over_http(pid, port, exchange, connections, seconds))
            results.setdefault(f"HTTP, {connections} connections" if connections > 1 else "HTTP, 1 connection", []).append(load)
    return results


def medians(loads: list[Load]) -> Load:
    return Load(**{field.name: statistics.median(getattr(load, field.name) for load in loads) for field in dataclasses.fields(Load)})


def ratio(results: dict[str, list[Load]], name: str) -> float:
    """The median over rounds of a rate as a part of onnxruntime's alone."""
    return statistics.median(load.rate / alone.rate for load, alone in zip(results[name], results[ALONE], strict=True))


def figures(agent: AgentUnderTest, rounds: int = 3, seconds: float = 2.0) -> list[Figure]:
    """What the running agent does for each model, monitoring included; the client runs on the same cores."""
    pid, port = agent.pids("data_plane")[0], int(agent.url.rsplit(":", 1)[1])
    result = []
    for model in MODELS:
        results = measure(Subject(ModelSession.open(bundle_directory(agent, model))), pid, port, rounds, seconds)
        result.append(Figure(f"{model}: `InferenceSession.run` in a loop, batch 1", f"{medians(results[ALONE]).rate:,.0f}/s"))
        for name in list(results)[1:]:
            load = medians(results[name])
            value = f"{load.rate:,.0f}/s, {ratio(results, name):.0%} of onnxruntime alone (p50 {load.p50_ms:.2f} ms, p99 {load.p99_ms:.2f} ms)"
            result.append(Figure(f"{model}: the agent, {name}, JSON, batch 1", value))
    return result


def main() -> None:
    """Measure, and print a table or JSON; with ``--serve``, be the server that is measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path, nargs="?", help="a bundle directory; a tiny linear model without it")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        run(serve(options.serve))
        return
    with tempfile.TemporaryDirectory() as folder:
        directory = options.bundle or Path(folder)
        if not options.bundle:
            make_bundle(directory, model="linear")
        with bare_server(directory) as (pid, port):
            results = measure(Subject(ModelSession.open(directory)), pid, port, options.rounds, options.seconds)
    if options.json:
        print(json.dumps({name: dataclasses.asdict(medians(loads)) for name, loads in results.items()}, indent=2))
        return
    print(f"{'':20} {'requests/s':>10} {'p50 ms':>8} {'p99 ms':>8} {'CPU µs each':>12} {'of in process':>14}")
    for name, loads in results.items():
        load = medians(loads)
        print(f"{name:20} {load.rate:10,.0f} {load.p50_ms:8.3f} {load.p99_ms:8.3f} {load.cpu_us:12.0f} {ratio(results, name):14.1%}")


if __name__ == "__main__":
    main()
