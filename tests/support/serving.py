"""A real server on a free port, in a thread of its own, and the plainest client."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import http.client
import json
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from sealift_core.bundle.digest import Digest
from sealift_core.bundle.golden import Array
from sealift_core.bundle.tensors import TensorSpec
from sealift_runtime.engine.session import ModelSession
from sealift_runtime.inference.limits import LIMITS, InferenceLimits
from sealift_runtime.inference.messages import InferRequest
from sealift_runtime.inference.model import Observer, ServedModel
from sealift_runtime.inference.signature import Signature
from sealift_runtime.inference.table import ModelTable
from sealift_runtime.serving.decoding import RequestDecoder
from sealift_runtime.serving.server import InferenceServer, run
from support.models import make_bundle

T = TypeVar("T")
START_S: Final = 20.0


class Recorder:
    """An observer that keeps what it was told."""

    def __init__(self) -> None:
        self.seen: list[tuple[dict[str, Array], dict[str, Array], float]] = []
        self.failures: list[str] = []

    def observed(self, inputs: Mapping[str, Array], outputs: Mapping[str, Array], latency_ms: float) -> None:
        self.seen.append((dict(inputs), dict(outputs), latency_ms))

    def failed(self, reason: str) -> None:
        self.failures.append(reason)


def served(
    directory: Path,
    model: str = "linear",
    *,
    version: str = "1.0.0",
    observer: Observer | None = None,
    limits: InferenceLimits = LIMITS,
    **changes: Any,
) -> ServedModel:
    """A committed graph as a model that serves; its bundle is made in ``directory``, with these ``changes`` of its manifest."""
    manifest = make_bundle(directory, model=model, version=version, **changes)
    session = ModelSession.open(directory)
    return ServedModel(manifest.name, version, Digest.of(version.encode()), session, observer or Recorder(), limits=limits)


def reader(inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec] = (), **bounds: Any) -> Callable[..., InferRequest]:
    """What reads the bodies of requests for a model with these tensors."""
    decoder, signature = RequestDecoder(**bounds), Signature("model", "1.0.0", inputs, outputs)
    return lambda body, json_bytes=None: decoder.decode(signature, body, json_bytes)[0]


@dataclasses.dataclass(slots=True)
class Answer:
    """A response: status, headers in lower case, body."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)


class RunningServer:
    """A server that runs on a loop in another thread."""

    def __init__(self, server: InferenceServer, loop: asyncio.AbstractEventLoop, port: int) -> None:
        self.server = server
        self.port = port
        self._loop = loop

    def call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the server's loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(START_S)

    def ask(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Answer:
        """One request on a connection of its own; a body that isn't bytes goes as JSON."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=START_S)
        with contextlib.closing(connection):
            connection.request(method, path, data, dict(headers or {}))
            response = connection.getresponse()
            return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())

    def infer(self, model: str, inputs: list[dict[str, Any]], **fields: Any) -> Answer:
        """One inference."""
        return self.ask("POST", f"/v2/models/{model}/infer", {"inputs": inputs, **fields})

    def connect(self) -> socket.socket:
        """A plain connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=START_S)


@contextlib.contextmanager
def running(make: Callable[[ModelTable], InferenceServer], *models: ServedModel) -> Iterator[RunningServer]:
    """Run the server that ``make`` makes of a table of models, on a free port, until the block ends."""
    table = ModelTable()
    for model in models:
        table.activate(model)
    started: threading.Event = threading.Event()
    servers: list[RunningServer] = []
    failures: list[BaseException] = []

    async def serve() -> None:
        stopped = asyncio.Event()
        server = make(table)
        port = await server.start_tcp("127.0.0.1", 0)
        loop = asyncio.get_running_loop()
        servers.append(RunningServer(server, loop, port))
        stop_later.append(lambda: loop.call_soon_threadsafe(stopped.set))
        started.set()
        await stopped.wait()
        await server.stop(drain_s=1)

    def main() -> None:
        try:
            run(serve())
        except BaseException as error:
            failures.append(error)
            started.set()
            raise

    stop_later: list[Callable[[], object]] = []
    thread = threading.Thread(target=main)
    thread.start()
    try:
        assert started.wait(START_S)
        assert not failures, failures
        yield servers[0]
    finally:
        for stop in stop_later:
            stop()
        thread.join(START_S)


def x_input(rows: Array) -> dict[str, Any]:
    """The tensor `x` with these rows, as JSON."""
    return {"name": "x", "shape": list(rows.shape), "datatype": "FP32", "data": rows.ravel().tolist()}


def read_responses(client: socket.socket, count: int) -> list[Answer]:
    """Read ``count`` responses that come one after the other on a connection."""
    file = client.makefile("rb")
    return [_read_response(file) for _ in range(count)]


def _read_response(file: Any) -> Answer:
    status = int(file.readline().split()[1])
    headers: dict[str, str] = {}
    while (line := file.readline().strip()) != b"":
        name, _, value = line.decode().partition(": ")
        headers[name] = value
    return Answer(status, headers, file.read(int(headers.get("content-length", 0))))
