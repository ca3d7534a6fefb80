"""What serving costs: requests per second and latency over HTTP, beside onnxruntime in the same process.

Starts a real server in a process of its own, loads it from this one over keep-alive connections, checks every reply, and
measures onnxruntime alone in between: rounds alternate, because a shared machine drifts. Takes about 30 seconds.

    python benchmarks/serving.py [--rounds 3] [--seconds 2] [--json]
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from sealift_runtime.bundle.digest import Digest
from sealift_runtime.engine.session import ModelSession
from sealift_runtime.serving.model import ServedModel, SilentObserver
from sealift_runtime.serving.server import InferenceServer, run
from sealift_runtime.serving.table import ModelTable
from support.models import MODELS, answer, make_bundle

MODEL = "linear"
CONNECTIONS = (1, 16)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """One round: requests per second, latencies in milliseconds, the serving process's CPU time per request in µs."""

    rate: float
    p50_ms: float
    p99_ms: float
    cpu_us: float


def in_process(directory: Path, seconds: float) -> Load:
    session = ModelSession.open(directory)
    times = []
    before = time.process_time()
    end = time.perf_counter() + seconds
    while (start := time.perf_counter()) < end:
        session.run(session.example)
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
    loop = asyncio.get_running_loop()
    before = cpu_seconds(pid)
    end = time.perf_counter() + seconds
    made = [await loop.create_connection(lambda: Client(*exchange, end), "127.0.0.1", port) for _ in range(connections)]
    clients = [client for _, client in made]
    await asyncio.gather(*(client.done for client in clients))
    cpu_s = cpu_seconds(pid) - before
    return summarize([latency for client in clients for latency in client.times], seconds, cpu_s)


def make_request() -> bytes:
    inputs = MODELS[MODEL].requests[0]
    rows = [{"name": name, "shape": list(value.shape), "datatype": "FP32", "data": value.ravel().tolist()} for name, value in inputs.items()]
    body = json.dumps({"inputs": rows}).encode()
    head = f"POST /v2/models/{MODEL}/infer HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def ask_once(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    body = await reader.readexactly(length)
    writer.close()
    check(json.loads(body))
    return body


def check(document: dict[str, list[dict[str, list[float]]]]) -> None:
    """The first reply holds what onnxruntime gives; later ones have to equal it byte for byte."""
    expected = answer(MODEL, MODELS[MODEL].requests[0])
    for row, (name, value) in zip(document["outputs"], expected.items(), strict=True):
        np.testing.assert_allclose(row["data"], value.ravel(), rtol=1e-6, err_msg=name)


async def serve(directory: Path) -> None:
    """The server's process: prints its port, ends when its standard input does."""
    table = ModelTable()
    table.activate(ServedModel(MODEL, "1.0.0", Digest.of(b"benchmark"), ModelSession.open(directory), SilentObserver()))
    server = InferenceServer(table)
    print(await server.start_tcp("127.0.0.1", 0), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await server.stop(1)


def measure(directory: Path, rounds: int, seconds: float) -> dict[str, list[Load]]:
    server = subprocess.Popen([sys.executable, __file__, "--serve", str(directory)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    port = int(server.stdout.readline())
    request = make_request()
    exchange = request, run(ask_once(port, request))
    results: dict[str, list[Load]] = {}
    try:
        for _ in range(rounds):
            results.setdefault("in process", []).append(in_process(directory, seconds))
            for connections in CONNECTIONS:
                load = run(over_http(server.pid, port, exchange, connections, seconds))
                results.setdefault(f"HTTP, {connections} connections" if connections > 1 else "HTTP, 1 connection", []).append(load)
    finally:
        server.communicate()
    return results


def medians(loads: list[Load]) -> Load:
    return Load(**{field.name: statistics.median(getattr(load, field.name) for load in loads) for field in dataclasses.fields(Load)})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        run(serve(options.serve))
        return
    with tempfile.TemporaryDirectory() as folder:
        make_bundle(Path(folder), model=MODEL)
        results = {name: medians(loads) for name, loads in measure(Path(folder), options.rounds, options.seconds).items()}
    if options.json:
        print(json.dumps({name: dataclasses.asdict(load) for name, load in results.items()}, indent=2))
        return
    alone = results["in process"].rate
    print(f"{'':20} {'requests/s':>10} {'p50 ms':>8} {'p99 ms':>8} {'CPU µs each':>12} {'of in process':>14}")
    for name, load in results.items():
        print(f"{name:20} {load.rate:10,.0f} {load.p50_ms:8.3f} {load.p99_ms:8.3f} {load.cpu_us:12.0f} {load.rate / alone:14.1%}")


if __name__ == "__main__":
    main()
