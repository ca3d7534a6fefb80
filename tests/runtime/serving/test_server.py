"""The server's life: listeners, swaps under load, and an orderly end."""

from __future__ import annotations

import asyncio
import gc
import http.client
import json
import socket
import stat
import threading
import time
import weakref
from pathlib import Path

import numpy as np
import pytest

from sealift_core.errors import BusyError, ConfigurationError
from sealift_runtime.inference.limits import InferenceLimits
from sealift_runtime.inference.table import ModelTable
from sealift_runtime.serving.http import json_response
from sealift_runtime.serving.limits import ServingLimits
from sealift_runtime.serving.server import InferenceServer
from support.serving import Recorder, RunningServer, read_responses, running, served, x_input

TENSOR = x_input(np.array([[1, 2, 3, 4]], np.float32))
SLOW = [x_input(np.ones((1, 4), np.float32)), {"name": "rounds", "shape": [1], "datatype": "INT64", "data": [100_000]}]


class Loader(threading.Thread):
    """Sends one request after the other on a connection, and keeps what was wrong and which versions answered."""

    def __init__(self, server: RunningServer, stop: threading.Event) -> None:
        super().__init__()
        self.server = server
        self.stop = stop
        self.wrong: list[object] = []
        self.versions: list[str] = []

    def run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=20)
        body = json.dumps({"inputs": [TENSOR]}).encode()
        while not self.stop.is_set():
            connection.request("POST", "/v2/models/linear/infer", body)
            response = connection.getresponse()
            document = json.loads(response.read())
            if response.status != 200:
                self.wrong.append(document)
            else:
                self.versions.append(document["model_version"])
        connection.close()


@pytest.mark.parametrize("inline", [True, False])
def test_a_swap_under_load_fails_no_request(tmp_path: Path, inline: bool) -> None:
    limits = InferenceLimits(inline_latency_us=1e6 if inline else 0)
    models = [served(tmp_path / str(number), version=f"1.0.{number}", limits=limits) for number in range(20)]
    table = ModelTable()
    table.activate(models[0])
    with running(lambda _: InferenceServer(table, limits=ServingLimits(inference=limits))) as server:
        stop = threading.Event()
        loaders = [Loader(server, stop) for _ in range(4)]
        for loader in loaders:
            loader.start()
        for model in models[1:]:
            time.sleep(0.03)
            table.activate(model)
        time.sleep(0.1)
        stop.set()
        for loader in loaders:
            loader.join()
    assert [loader.wrong for loader in loaders] == [[], [], [], []]
    for loader in loaders:
        numbers = [int(version.split(".")[2]) for version in loader.versions]
        assert numbers == sorted(numbers)
        assert numbers[-1] == 19


def test_a_request_ends_on_the_model_it_began_with_and_then_the_model_goes(tmp_path: Path) -> None:
    table = ModelTable()
    old = served(tmp_path / "old", "slow", version="1.0.0")
    table.activate(old)
    session = weakref.ref(old.session)
    with running(lambda _: InferenceServer(table, threads=1)) as server:
        with server.connect() as client:
            body = json.dumps({"inputs": SLOW}).encode()
            client.sendall(b"POST /v2/models/slow/infer HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
            time.sleep(0.05)
            table.activate(served(tmp_path / "new", "slow", version="2.0.0"))
            del old
            assert session() is not None
            assert read_responses(client, 1)[0].json["model_version"] == "1.0.0"
            assert server.infer("slow", SLOW).json["model_version"] == "2.0.0"
        gc.collect()
        assert session() is None


def test_a_removed_model_is_404_and_comes_back(tmp_path: Path) -> None:
    table = ModelTable()
    model = served(tmp_path)
    with running(lambda _: InferenceServer(table)) as server:
        assert server.infer("linear", [TENSOR]).status == 404
        table.activate(model)
        assert server.infer("linear", [TENSOR]).status == 200
        table.remove("linear")
        assert server.infer("linear", [TENSOR]).status == 404
        table.remove("linear")
    assert table.list() == ()


def test_a_port_in_use_is_named_with_advice() -> None:
    async def start() -> None:
        server = InferenceServer(ModelTable())
        try:
            await server.start_tcp("127.0.0.1", port)
        finally:
            await server.stop(0)

    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(BusyError, match=rf"127\.0\.0\.1:{port}: port {port} is in use\. Stop the program that uses it, or choose"):
            asyncio.run(start())


@pytest.mark.parametrize(
    ("host", "port", "words"),
    [
        ("192.0.2.1", 0, "isn't an address of this machine"),
        ("no.such.host.invalid", 0, "isn't an address of this machine"),
        ("127.0.0.1", 70000, "not a port number"),
    ],
)
def test_an_address_that_cannot_be_is_a_configuration_error(host: str, port: int, words: str) -> None:
    async def start() -> None:
        server = InferenceServer(ModelTable())
        try:
            await server.start_tcp(host, port)
        finally:
            await server.stop(0)

    with pytest.raises(ConfigurationError, match=words):
        asyncio.run(start())


def ask_unix(path: Path, target: str) -> tuple[int, bytes]:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(20)
        client.connect(str(path))
        client.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        response = read_responses(client, 1)[0]
        return response.status, response.body


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
def test_a_server_listens_on_the_loopback_address_of_ipv6() -> None:
    async def main() -> bytes:
        server = InferenceServer(ModelTable())
        try:
            port = await server.start_tcp("::1", 0)
            reader, writer = await asyncio.open_connection("::1", port)
            writer.write(f"GET /v2 HTTP/1.1\r\nHost: [::1]:{port}\r\nConnection: close\r\n\r\n".encode())
            answer = await reader.read()
            writer.close()
            return answer
        finally:
            await server.stop(1)

    try:
        answer = asyncio.run(main())
    except ConfigurationError:
        pytest.skip("this machine has no loopback address of IPv6")
    assert answer.startswith(b"HTTP/1.1 200 ")


def test_local_routes_are_on_the_unix_socket_alone(tmp_path: Path) -> None:
    path = tmp_path / "agent.sock"
    routes = {("GET", "/admin/status"): lambda _: json_response({"ok": True})}
    with running(lambda table: InferenceServer(table, local_routes=routes)) as server:
        server.call(server.server.start_unix(path))
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert ask_unix(path, "/admin/status") == (200, b'{"ok":true}')
        assert ask_unix(path, "/v2/health/live")[0] == 200
        assert server.ask("GET", "/admin/status").status == 404
    assert not path.exists()


def test_a_socket_that_a_dead_server_left_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "agent.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with running(InferenceServer) as server:
        server.call(server.server.start_unix(path))
        assert ask_unix(path, "/v2/health/live")[0] == 200


def test_a_socket_in_use_or_a_file_in_the_way_is_refused(tmp_path: Path) -> None:
    path, other = tmp_path / "agent.sock", tmp_path / "file"
    other.write_text("mine")
    with running(InferenceServer) as server, running(InferenceServer) as second:
        server.call(server.server.start_unix(path))
        with pytest.raises(BusyError, match="another server listens"):
            second.call(second.server.start_unix(path))
        with pytest.raises(ConfigurationError, match="the path is taken by something that isn't a socket"):
            second.call(second.server.start_unix(other))
        with pytest.raises(ConfigurationError, match="at most 107 bytes"):
            second.call(second.server.start_unix(tmp_path / ("a" * 120)))
        with pytest.raises(ConfigurationError, match="can't listen on this socket"):
            second.call(second.server.start_unix(tmp_path / "none" / "agent.sock"))
    assert other.read_text() == "mine"


def test_stopping_finishes_what_is_under_way_and_turns_the_rest_away(tmp_path: Path) -> None:
    recorder = Recorder()
    with running(lambda table: InferenceServer(table, threads=1), served(tmp_path, "slow", observer=recorder)) as server:
        idle, client = server.connect(), server.connect()
        body = json.dumps({"inputs": SLOW}).encode()
        client.sendall(b"POST /v2/models/slow/infer HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        time.sleep(0.05)
        start = time.monotonic()
        server.call(server.server.stop(drain_s=10))
        assert time.monotonic() - start < 5
        response = read_responses(client, 1)[0]
        assert (response.status, response.headers["connection"]) == (200, "close")
        assert idle.recv(1) == b""
        with pytest.raises(ConnectionRefusedError):
            server.connect()
        idle.close()
        client.close()
    assert len(recorder.seen) == 1


def test_a_drain_that_takes_too_long_ends_with_an_answer_and_ends_the_run(tmp_path: Path) -> None:
    with running(lambda table: InferenceServer(table, threads=1), served(tmp_path, "slow")) as server, server.connect() as client:
        endless = [SLOW[0], {**SLOW[1], "data": [10**9]}]
        body = json.dumps({"inputs": endless}).encode()
        client.sendall(b"POST /v2/models/slow/infer HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        time.sleep(0.1)
        assert server.call(server.server.stop(drain_s=0.3)) is True
        response = read_responses(client, 1)[0]
        assert (response.status, response.headers["retry-after"], response.headers["connection"]) == (503, "1", "close")
        assert "the server is stopping" in response.json["error"]


def test_a_server_that_is_told_to_stop_gives_notice_while_it_still_answers(tmp_path: Path) -> None:
    with running(InferenceServer, served(tmp_path)) as server:
        assert server.ask("GET", "/v2/health/ready").status == 200
        stopping = threading.Thread(target=lambda: server.call(server.server.stop(notice_s=1.5)))
        stopping.start()
        time.sleep(0.2)
        assert server.ask("GET", "/v2/health/ready").status == 503
        answer = server.infer("linear", [TENSOR])
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        stopping.join()
        with pytest.raises(ConnectionRefusedError):
            server.connect()


def test_a_server_that_nobody_asks_ends_without_notice(tmp_path: Path) -> None:
    with running(InferenceServer, served(tmp_path)) as server:
        begun = time.monotonic()
        server.call(server.server.stop(notice_s=15))
        assert time.monotonic() - begun < 10
