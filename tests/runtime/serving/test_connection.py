"""HTTP/1.1 on a real socket: keep-alive, pipelining, chunks, limits, slow clients, clients that leave."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from sealift_runtime.inference.limits import InferenceLimits
from sealift_runtime.inference.table import ModelTable
from sealift_runtime.serving.connection import ClientConnection
from sealift_runtime.serving.http import HttpResponse
from sealift_runtime.serving.limits import ServingLimits
from sealift_runtime.serving.server import InferenceServer
from support.serving import Recorder, RunningServer, read_responses, running, served, x_input

LIMITS = ServingLimits(
    body_bytes=10_000,
    header_bytes=2_000,
    header_timeout_s=0.7,
    body_grace_s=1.0,
    idle_timeout_s=1.5,
    answer_grace_s=5.0,
    connections=8,
    inference=InferenceLimits(queued_requests=2),
)
BODY = json.dumps({"inputs": [x_input(np.array([[1, 2, 3, 4]], np.float32))]}).encode()
LIVE = b"GET /v2/health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"


def infer(body: bytes = BODY, *headers: bytes, model: bytes = b"linear") -> bytes:
    lines = [b"POST /v2/models/%b/infer HTTP/1.1" % model, b"Host: localhost", b"Content-Length: %d" % len(body), *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def slow(rounds: int) -> bytes:
    tensors = [x_input(np.ones((1, 4), np.float32)), {"name": "rounds", "shape": [1], "datatype": "INT64", "data": [rounds]}]
    return infer(json.dumps({"inputs": tensors}).encode(), model=b"slow")


def limited(limits: ServingLimits, threads: int = 1) -> Callable[[ModelTable], InferenceServer]:
    return lambda table: InferenceServer(table, limits=limits, threads=threads)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    folder = tmp_path_factory.mktemp("bundles")
    models = [served(folder / name, name, limits=LIMITS.inference) for name in ("linear", "slow")]
    with running(limited(LIMITS), *models) as started:
        yield started


def is_closed(client: socket.socket) -> bool:
    """Whether the server has closed; what it still had to say is read first."""
    try:
        while client.recv(65536):
            pass
    except ConnectionResetError:
        return True
    return True


def test_a_connection_serves_many_requests(server: RunningServer) -> None:
    with server.connect() as client:
        for _ in range(5):
            client.sendall(infer())
            assert read_responses(client, 1)[0].json["outputs"][1]["data"] == [2]


def test_pipelined_requests_are_answered_in_their_order(server: RunningServer) -> None:
    with server.connect() as client:
        client.sendall(slow(20_000) + LIVE + infer() + slow(10) + LIVE)
        names = [response.json.get("model_name", "live") for response in read_responses(client, 5)]
    assert names == ["slow", "live", "linear", "slow", "live"]


def test_hundreds_of_pipelined_requests_are_all_answered(server: RunningServer) -> None:
    with server.connect() as client:
        client.sendall(slow(50_000) + (LIVE + infer()) * 400)
        responses = read_responses(client, 801)
    assert [response.status for response in responses] == [200] * 801


def test_a_request_may_come_byte_by_byte(server: RunningServer) -> None:
    with server.connect() as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in infer():
            client.sendall(bytes([byte]))
        assert read_responses(client, 1)[0].status == 200


def test_a_chunked_body_is_put_together(server: RunningServer) -> None:
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (BODY[:10], BODY[10:11], BODY[11:]))
    with server.connect() as client:
        client.sendall(
            b"POST /v2/models/linear/infer HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n" + LIVE
        )
        assert [response.status for response in read_responses(client, 2)] == [200, 200]


def test_expect_100_continue_is_answered_before_the_body(server: RunningServer) -> None:
    request = infer(BODY, b"Expect: 100-continue")
    with server.connect() as client:
        client.sendall(request[: -len(BODY)])
        assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(BODY)
        assert read_responses(client, 1)[0].status == 200


def test_head_gives_the_headers_of_get_alone(server: RunningServer) -> None:
    with server.connect() as client:
        client.sendall(b"HEAD /v2 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        data = b"".join(iter(lambda: client.recv(65536), b""))
    assert data.startswith(b"HTTP/1.1 200 OK\r\n")
    assert data.endswith(b"\r\n\r\n")
    length = int(data.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    assert length == len(server.ask("GET", "/v2").body)


@pytest.mark.parametrize(
    ("request_bytes", "header"),
    [
        (b"GET /v2 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", "close"),
        (b"GET /v2 HTTP/1.0\r\n\r\n", "close"),
        (b"GET /v2 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "keep-alive"),
    ],
)
def test_the_connection_lives_as_long_as_the_client_says(server: RunningServer, request_bytes: bytes, header: str) -> None:
    with server.connect() as client:
        client.sendall(request_bytes)
        assert read_responses(client, 1)[0].headers["connection"] == header
        if header == "close":
            assert is_closed(client)
        else:
            client.sendall(request_bytes)
            assert read_responses(client, 1)[0].status == 200


def test_an_offer_to_upgrade_is_passed_over_with_its_body(server: RunningServer) -> None:
    offer = (b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA")
    with server.connect() as client:
        client.sendall(infer(BODY, *offer) + LIVE)
        assert [response.status for response in read_responses(client, 2)] == [200, 200]


def test_very_many_offers_to_upgrade_at_once_are_all_answered(server: RunningServer) -> None:
    offer = b"GET /v2/health/live HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    with server.connect() as client:
        client.sendall(offer * 1500)
        assert {response.status for response in read_responses(client, 1500)} == {200}


def chunked(pieces: int) -> bytes:
    head = b"POST /v2/models/linear/infer HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"1\r\n \r\n" * pieces + b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)


def test_a_body_in_too_many_small_pieces_is_refused_and_one_in_many_is_not() -> None:
    with running(limited(ServingLimits(body_pieces=100))) as strict:
        with strict.connect() as client:
            client.sendall(chunked(99) * 3)
            assert [response.status for response in read_responses(client, 3)] == [404, 404, 404]  # it was read, and there is no such model
        with strict.connect() as client:
            client.sendall(chunked(101))
            response = read_responses(client, 1)[0]
            assert (response.status, response.headers["connection"]) == (413, "close")
            assert "too many small pieces: expected at most 100 of less than 256 bytes" in response.json["error"]
            assert is_closed(client)


def test_a_client_that_sends_a_flood_of_chunks_leaves_others_their_turn() -> None:
    with running(limited(ServingLimits(body_pieces=10**9))) as server, server.connect() as flooding, server.connect() as other:
        flood = threading.Thread(target=flooding.sendall, args=(chunked(700_000),))
        begun = time.monotonic()
        flood.start()
        waits = []
        while flood.is_alive():
            sent_at = time.monotonic()
            other.sendall(LIVE)
            assert read_responses(other, 1)[0].status == 200
            waits.append(time.monotonic() - sent_at)
            time.sleep(0.01)
        assert read_responses(flooding, 1)[0].status == 404
        assert max(waits) < (time.monotonic() - begun) / 3


def test_a_client_that_closes_its_half_still_gets_what_was_answered(server: RunningServer) -> None:
    with server.connect() as client:
        client.sendall(infer() + LIVE)
        client.shutdown(socket.SHUT_WR)
        assert [response.status for response in read_responses(client, 2)] == [200, 200]
        assert is_closed(client)


@pytest.mark.parametrize(
    ("data", "status", "words"),
    [
        (b"HELLO\r\n\r\n", 400, "the request isn't valid HTTP/1.1"),
        (b"GET /v2 HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400, "the request isn't valid HTTP/1.1"),
        (b"GET /v2 HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 3000 + b"\r\n\r\n", 431, "at most 2000 bytes"),
        (b"GET /" + b"a" * 3000, 431, "at most 2000 bytes"),
        (b"POST /v2/models/linear/infer HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10001\r\n\r\n", 413, "at most 10000 bytes, found 10001"),
        (
            b"POST /v2/models/linear/infer HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n2711\r\n" + b" " * 10_001 + b"\r\n",
            413,
            "at most 10000 bytes, found more",
        ),
        (
            b"POST /v2/models/linear/infer HTTP/1.1\r\nHost: localhost\r\nContent-Encoding: gzip\r\ncontent-encoding: identity\r\n\r\n",
            400,
            "two Content-Encoding headers",
        ),
        (
            b"POST /v2 HTTP/1.1\r\nHost: localhost\r\nInference-Header-Content-Length: 5\r\nInference-Header-Content-Length: 2\r\n\r\n",
            400,
            "two Inference-Header-Content-Length headers",
        ),
        (b"CONNECT a:80 HTTP/1.1\r\nHost: localhost\r\n\r\n", 405, "this server isn't a proxy"),
    ],
)
def test_what_is_not_acceptable_is_refused_and_the_connection_closed(server: RunningServer, data: bytes, status: int, words: str) -> None:
    with server.connect() as client:
        client.sendall(data)
        response = read_responses(client, 1)[0]
        assert (response.status, response.headers["connection"]) == (status, "close")
        assert words in response.json["error"]
        assert is_closed(client)


def test_a_refusal_comes_after_the_answers_before_it(server: RunningServer) -> None:
    with server.connect() as client:
        client.sendall(slow(20_000) + b"nonsense\r\n\r\n")
        assert [response.status for response in read_responses(client, 2)] == [200, 400]


def test_a_client_that_sends_on_regardless_still_gets_its_413(server: RunningServer) -> None:
    with server.connect() as client:
        client.sendall(b"POST /v2/models/linear/infer HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000000\r\n\r\n" + b" " * 5_000_000)
        assert read_responses(client, 1)[0].status == 413


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"GET /v2 HTT", "head took more than 0.7 s"),
        (
            b"POST /v2 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{",
            "body comes too slowly: expected at least 16384 bytes a second after 1 s, found 1 in 1 s",
        ),
    ],
)
def test_a_client_that_is_too_slow_gets_408(server: RunningServer, data: bytes, words: str) -> None:
    with server.connect() as client:
        client.sendall(data)
        response = read_responses(client, 1)[0]
    assert response.status == 408
    assert words in response.json["error"]


def test_a_steady_upload_may_take_long_and_one_that_falls_behind_may_not() -> None:
    limits = dataclasses.replace(LIMITS, body_grace_s=0.5, bytes_per_s=1000)
    with running(limited(limits)) as patient:
        with patient.connect() as client:
            client.sendall(infer(b" " * 6000)[:-6000])
            for _ in range(12):
                client.sendall(b" " * 500)
                time.sleep(0.2)
            assert read_responses(client, 1)[0].status == 404, "it was read, and there is no such model"
        with patient.connect() as client:
            client.sendall(infer(b" " * 6000)[:-4000])
            assert "expected at least 1000 bytes a second after 0.5 s" in read_responses(client, 1)[0].json["error"]


def test_an_idle_connection_is_closed(server: RunningServer) -> None:
    with server.connect() as client:
        client.sendall(LIVE)
        assert read_responses(client, 1)[0].status == 200
        start = time.monotonic()
        assert is_closed(client)
        assert time.monotonic() - start > 0.5


def test_a_full_queue_is_503_with_retry_after(tmp_path: Path) -> None:
    recorder = Recorder()
    with running(limited(LIMITS), served(tmp_path, "slow", observer=recorder)) as busy:
        clients = [busy.connect() for _ in range(5)]
        for client in clients:
            client.sendall(slow(60_000))
        responses = [read_responses(client, 1)[0] for client in clients]
        for client in clients:
            client.close()
    assert sorted(response.status for response in responses) == [200, 200, 200, 503, 503]
    refused = next(response for response in responses if response.status == 503)
    assert refused.headers["retry-after"] == "1"
    assert "the queue is full: at most 2 requests can wait" in refused.json["error"]
    assert recorder.failures == ["overload", "overload"]


def test_too_many_connections_are_turned_away_while_all_are_busy() -> None:
    with running(limited(dataclasses.replace(LIMITS, connections=2))) as small:
        clients = [small.connect() for _ in range(2)]
        for client in clients:
            client.sendall(infer()[:-1])  # the body is on its way
        time.sleep(0.1)
        with small.connect() as third:
            response = read_responses(third, 1)[0]
        for client in clients:
            client.close()
    assert (response.status, response.json) == (503, {"error": "too many connections"})


@pytest.mark.parametrize("sent", [b"", LIVE[:10], LIVE], ids=["nothing", "half a head", "a request"])
def test_clients_who_only_hold_connections_keep_nobody_out_and_the_longest_silent_goes_first(sent: bytes) -> None:
    with running(limited(dataclasses.replace(LIMITS, connections=2, idle_timeout_s=60, header_timeout_s=60))) as small:
        clients = []
        for _ in range(2):
            clients.append(small.connect())
            clients[-1].sendall(sent)
            time.sleep(1.1)  # the server's clock is coarse
        with clients[0] as oldest, clients[1] as newer, small.connect() as third:
            third.sendall(LIVE)
            assert read_responses(third, 1)[0].status == 200
            assert is_closed(oldest)
            newer.sendall(LIVE[len(sent) % len(LIVE) :])
            assert read_responses(newer, 1)[-1].status == 200


def test_a_flood_of_connections_drives_out_no_client_who_asks_now_and_then() -> None:
    with running(limited(dataclasses.replace(LIMITS, connections=20, idle_timeout_s=60))) as small, contextlib.ExitStack() as clients:
        regular = clients.enter_context(small.connect())
        regular.sendall(LIVE)
        assert read_responses(regular, 1)[0].status == 200
        time.sleep(1.1)  # the server's clock is coarse
        for _ in range(60):
            clients.enter_context(small.connect())
        regular.sendall(LIVE)
        assert read_responses(regular, 1)[0].status == 200


def test_a_flood_of_connections_costs_no_look_at_all_others_for_each() -> None:
    with running(limited(dataclasses.replace(LIMITS, connections=200, idle_timeout_s=60))) as small, contextlib.ExitStack() as clients:
        looks, original = 0, ClientConnection.idle

        def idle(connection: ClientConnection) -> bool:
            nonlocal looks
            looks += 1
            return bool(original.__get__(connection))

        ClientConnection.idle = property(idle)  # type: ignore[method-assign, assignment]
        try:
            for _ in range(500):
                clients.enter_context(small.connect())
            assert small.ask("GET", "/v2/health/live").status == 200
        finally:
            ClientConnection.idle = original  # type: ignore[method-assign]
        assert looks < 500 * 20


def test_the_device_s_owner_is_heard_while_all_connections_are_taken(tmp_path: Path) -> None:
    with running(limited(dataclasses.replace(LIMITS, connections=1))) as small:
        small.call(small.server.start_unix(tmp_path / "socket"))
        with small.connect() as client, socket.socket(socket.AF_UNIX) as owner:
            client.sendall(infer()[:-1])
            time.sleep(0.1)
            owner.settimeout(10)
            owner.connect(str(tmp_path / "socket"))
            owner.sendall(LIVE)
            assert read_responses(owner, 1)[0].status == 200


@pytest.mark.parametrize("version", [b"1.1", b"1.0"])
def test_a_client_that_closes_its_half_gets_what_takes_long_too(server: RunningServer, version: bytes) -> None:
    with server.connect() as client:
        client.sendall(slow(30_000).replace(b"HTTP/1.1", b"HTTP/" + version))
        time.sleep(0.02)
        client.shutdown(socket.SHUT_WR)
        assert read_responses(client, 1)[0].status == 200
        assert is_closed(client)


def test_a_client_that_closes_its_half_in_the_midst_of_a_request_is_dropped(server: RunningServer) -> None:
    with server.connect() as client:
        client.sendall(infer()[:-5])
        client.shutdown(socket.SHUT_WR)
        assert is_closed(client)


@pytest.mark.parametrize(
    ("request_bytes", "closed"),
    [
        (b"GET /v2 HTTP/1.1\r\nHost: localhost\r\nConnection: close, Upgrade\r\nUpgrade: h2c\r\n\r\n", True),
        (b"GET /v2 HTTP/1.0\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n", True),
        (b"GET /v2 HTTP/1.0\r\nConnection: keep-alive, Upgrade\r\nUpgrade: h2c\r\n\r\n", False),
    ],
)
def test_an_offer_to_upgrade_changes_nothing_about_the_connection_s_life(server: RunningServer, request_bytes: bytes, closed: bool) -> None:
    with server.connect() as client:
        client.sendall(request_bytes)
        response = read_responses(client, 1)[0]
        assert response.status == 200
        assert (response.headers["connection"] == "close") is closed


def test_a_refused_head_has_no_body_either(server: RunningServer) -> None:
    with server.connect() as client:
        client.sendall(b"HEAD /v2 HTTP/1.1\r\nHost: evil.example\r\n\r\n")
        data = b"".join(iter(lambda: client.recv(65536), b""))
    assert data.startswith(b"HTTP/1.1 421 ")
    assert data.endswith(b"\r\n\r\n")


def test_requests_of_clients_that_left_hold_up_nobody(tmp_path: Path) -> None:
    recorder = Recorder()
    with running(limited(LIMITS), served(tmp_path, "slow", observer=recorder)) as busy:
        first = busy.connect()
        first.sendall(slow(100_000))
        time.sleep(0.05)
        leaver = busy.connect()
        leaver.sendall(slow(10**9))
        time.sleep(0.05)
        leaver.close()
        assert read_responses(first, 1)[0].status == 200
        time.sleep(0.2)  # the worker has nothing else to do than what nobody wants
        first.sendall(slow(1))
        assert read_responses(first, 1)[0].status == 200
        first.close()
    assert len(recorder.seen) == 2


def test_requests_of_clients_that_break_off_are_not_run(tmp_path: Path) -> None:
    recorder = Recorder()
    with running(limited(LIMITS), served(tmp_path, "slow", observer=recorder)) as busy, busy.connect() as first:
        leaver = busy.connect()
        leaver.sendall(slow(10**9))
        time.sleep(0.1)
        leaver.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        leaver.close()
        first.sendall(slow(1))
        assert read_responses(first, 1)[0].status == 200
        time.sleep(0.2)
        assert busy.server.load().queued == {"slow": 0}
    assert len(recorder.seen) == 1


def test_a_heavy_model_does_not_hold_up_a_light_one(server: RunningServer) -> None:
    with server.connect() as heavy:
        heavy.sendall(slow(300_000))
        time.sleep(0.05)
        start = time.monotonic()
        assert server.ask("GET", "/v2/health/live").status == 200
        quick = time.monotonic() - start
        assert read_responses(heavy, 1)[0].status == 200
        assert quick < (time.monotonic() - start) / 2


def test_a_client_that_does_not_read_is_not_read_from() -> None:
    request = b"GET /v2/models/stats HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with running(limited(dataclasses.replace(LIMITS, answer_grace_s=60))) as patient, patient.connect() as client:
        client.settimeout(2)
        sent = 0
        with pytest.raises(TimeoutError):
            while sent < 200_000_000:
                sent += client.send(request * 1000)
        client.settimeout(20)
        assert read_responses(client, 100)[-1].status == 200


@pytest.mark.parametrize(("pause_s", "whole"), [(0.01, True), (3.0, False)], ids=["slow", "stopped"])
def test_a_client_that_reads_slowly_gets_its_answer_and_one_that_stops_is_dropped(pause_s: float, whole: bool) -> None:
    large = HttpResponse(200, b" " * 8 * 2**20)
    limits = dataclasses.replace(LIMITS, answer_grace_s=0.5, bytes_per_s=20_000)
    make = lambda table: InferenceServer(table, limits=limits, routes={("GET", "/large"): lambda _: large})  # noqa: E731
    with running(make) as strict, strict.connect() as client:
        client.sendall(LIVE.replace(b"/v2/health/live", b"/large"))
        taken, pause = 0, pause_s
        with contextlib.suppress(ConnectionResetError):
            while taken < len(large.body) and (piece := client.recv(65536)):
                taken += len(piece)
                time.sleep(pause)
                pause = pause_s if whole else 0
    assert (taken > len(large.body)) is whole


def test_a_client_that_never_reads_is_dropped_in_the_end(tmp_path: Path) -> None:
    with running(limited(dataclasses.replace(LIMITS, answer_grace_s=0.5))) as strict, strict.connect() as client:
        client.settimeout(5)
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            while True:
                client.send(LIVE * 1000)
