"""What a client can't make the server do: hold memory for others' requests, keep what never ends, answer under a stranger's name."""

from __future__ import annotations

import gc
import gzip
import json
import re
import socket
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from sealift_core.bundle.tensors import TensorSpec
from sealift_core.errors import LimitError, RequestError
from sealift_core.schema.strict_json import JsonBudget
from sealift_runtime.monitoring.prometheus import render_load
from sealift_runtime.serving.byte_budget import SMALL_BYTES, ByteBudget, default_budget
from sealift_runtime.serving.decoding import LARGE_BYTES
from sealift_runtime.serving.endpoints import Routes
from sealift_runtime.serving.http import HttpRequest, HttpResponse, plain_body
from sealift_runtime.serving.limits import LIMITS, ServingLimits
from sealift_runtime.serving.server import InferenceServer
from support.serving import Recorder, read_responses, reader, running, served

TENSOR: dict[str, Any] = {"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [1, 2, 3, 4]}
BODY = json.dumps({"inputs": [TENSOR]}).encode()
HEAD = b"POST /v2/models/linear/infer HTTP/1.1\r\nHost: localhost\r\n"
READ = reader([TensorSpec(name="x", dtype="float32", shape=("rows",))])


def x(data: bytes) -> bytes:
    return b'{"inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":%b}]}' % data


def zipped(body: bytes, limits: ServingLimits = LIMITS) -> bytes:
    return bytes(plain_body(HttpRequest("POST", b"/", {b"content-encoding": b"gzip"}, body), limits))


def test_a_long_text_among_numbers_takes_no_more_memory_than_it_has() -> None:
    body = x(b'["' + b"a" * 10_000 + b'"' + b',""' * 10_000 + b"]")
    tracemalloc.start()
    with pytest.raises(RequestError, match="wrong type of values"):
        READ(body)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50 * len(body)


def test_a_body_of_too_many_lists_is_refused_with_what_to_do() -> None:
    with pytest.raises(LimitError, match="too many lists, tables and names: expected at most 1048576.*Send data as a flat list"):
        READ(x(b"[" + b"[]," * 2**20 + b"0]"))


def test_a_body_of_too_many_values_is_refused() -> None:
    read = reader([TensorSpec(name="x", dtype="float32", shape=("rows",))], budget=JsonBudget(values=10**5))
    with pytest.raises(LimitError, match="too many values: expected at most 100000"):
        read(x(b"[" + b"0," * 10**5 + b"0]"))


def test_many_rows_are_read_as_ever() -> None:
    rows = 200_000
    body = b'{"inputs":[{"name":"x","shape":[%d,4],"datatype":"FP32","data":[%b]}]}' % (rows, b",".join([b"[1,2,3,4]"] * rows))
    assert len(body) > LARGE_BYTES
    read = reader([TensorSpec(name="x", dtype="float32", shape=("rows", 4))])
    assert read(body).inputs["x"].shape == (rows, 4)


def test_a_refusal_shows_little_of_a_large_value() -> None:
    for body in (
        b'{"inputs":[{"name":"' + b"y" * 10**6 + b'"}]}',
        x(b"[1]").replace(b'"shape":[1]', b'"shape":[' + b"1," * 10**5 + b"1]"),
        x(b"[1]").replace(b"FP32", b"F" * 10**6),
        x(b'["' + b"a" * 10**6 + b'"]'),
        b'{"id":[' + b"0," * 10**5 + b"0]," + x(b"[1]")[1:],
    ):
        with pytest.raises(RequestError) as caught:
            READ(body)
        assert len(str(caught.value)) < 600


def test_many_gzip_members_are_refused_and_many_bytes_of_one_are_not() -> None:
    member = gzip.compress(b"{}")
    assert zipped(member * 4096) == b"{}" * 4096
    with pytest.raises(LimitError, match="too many gzip members: expected at most 4096"):
        zipped(member * 4097)
    with pytest.raises(LimitError, match="too many gzip members"):
        zipped(gzip.compress(b"") * 800_000)
    noise = bytes(range(256)) * 2**16
    assert zipped(gzip.compress(noise[:1000], 0) + gzip.compress(noise, 0)) == noise[:1000] + noise


def test_a_body_that_grows_out_of_proportion_is_refused() -> None:
    assert len(zipped(gzip.compress(bytes(4 * 2**20)))) == 4 * 2**20
    with pytest.raises(LimitError, match="at most 200 times its compressed size.*Send it without compression"):
        zipped(gzip.compress(bytes(60 * 2**20)))


@pytest.mark.parametrize("cut", [0, 1, 9, 10, 11, 30])
def test_a_compressed_body_that_is_cut_off_is_refused_or_empty(cut: int) -> None:
    whole = gzip.compress(b"hello" * 100)
    if cut == 0:
        assert zipped(b"") == b""
        return
    with pytest.raises(RequestError, match="cut off"):
        zipped(whole[:-cut] if cut < len(whole) else whole[:1])


# --- connections


def ended(client: socket.socket) -> int:
    """The status that the server gave before it ended the connection."""
    return read_responses(client, 1)[0].status


@pytest.mark.parametrize("start", [b"0\r\nX: ", b"1;"], ids=["trailer", "chunk extension"])
def test_what_never_ends_after_the_head_is_refused(start: bytes) -> None:
    with running(InferenceServer) as server, server.connect() as client:
        client.sendall(b"POST /v2 HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" + start)
        for _ in range(20):
            client.sendall(b"a" * 4096)
            time.sleep(0.01)
        assert ended(client) == 431


def test_a_slow_upload_in_many_small_chunks_is_taken(tmp_path: Path) -> None:
    with running(InferenceServer, served(tmp_path)) as server, server.connect() as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        padded = BODY + b" " * 300
        for at in range(0, len(padded), 4):
            piece = padded[at : at + 4]
            client.sendall(b"%x;%b\r\n" % (len(piece), b"extension=" + b"e" * 100))
            client.sendall(piece + b"\r\n")
        client.sendall(b"0\r\nTrailer: kept\r\n\r\n")
        assert ended(client) == 200


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /v2 HTTP/1.1\r\nHost: localhost\r\n\r\n", 200),
        (b"GET /v2 HTTP/1.1\r\nHOST: 127.0.0.1:8470\r\n\r\n", 200),
        (b"GET /v2 HTTP/1.1\r\nHost: models.example.org:443\r\n\r\n", 200),
        (b"GET http://localhost/v2 HTTP/1.1\r\nHost: localhost\r\n\r\n", 200),
        (b"GET /v2 HTTP/1.0\r\n\r\n", 200),
        (b"GET /v2 HTTP/1.1\r\n\r\n", 400),
        (b"GET /v2 HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", 400),
        (b"GET /v2 HTTP/1.1\r\nHost: evil.example\r\nHost: localhost\r\n\r\n", 400),
        (b"GET /v2 HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421),
        (b"GET /v2 HTTP/1.0\r\nHost: evil.example\r\n\r\n", 421),
        (b"GET http://evil.example/v2 HTTP/1.1\r\nHost: localhost\r\n\r\n", 421),
        (b"GET http://localhost@evil.example?/v2 HTTP/1.1\r\nHost: localhost\r\n\r\n", 421),
        (b"GET /v2 HTTP/1.1\r\nHost:\r\n\r\n", 421),
    ],
)
def test_a_request_is_answered_under_the_server_s_own_names(head: bytes, status: int) -> None:
    with running(lambda table: InferenceServer(table, host_names=("models.example.org",))) as server, server.connect() as client:
        client.sendall(head)
        assert ended(client) == status


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (b"http://localhost:8470", 200),
        (b"http://LOCALHOST:8470", 200),
        (b"https://models.example.org", 200),
        (b"https://models.example.org:8443", 200),
        (b"http://localhost:3000", 403),
        (b"http://evil.example", 403),
        (b"http://203.0.113.5", 403),
        (b"null", 403),
        (b"", 403),
        (b"http://localhost:8470\r\nOrigin: http://evil.example", 400),
    ],
)
def test_a_page_of_another_site_can_not_send_requests(origin: bytes, status: int) -> None:
    with running(lambda table: InferenceServer(table, host_names=("models.example.org",))) as server, server.connect() as client:
        client.sendall(b"GET /v2 HTTP/1.1\r\nHost: localhost:8470\r\nOrigin: %b\r\n\r\n" % origin)
        assert ended(client) == status


def test_a_refused_name_is_shown_with_what_to_do() -> None:
    with running(InferenceServer) as server:
        answer = server.ask("GET", "/v2", headers={"Host": "evil.example"})
    assert answer.json == {"error": "this server isn't known as 'evil.example': if that is one of its names, add it to serving.hosts in agent.toml"}


def test_bodies_of_many_clients_together_are_bounded_by_what_they_declare(tmp_path: Path) -> None:
    limits = ServingLimits(in_flight_bytes=5 * 2**20, retry_after_s=7)
    with running(lambda table: InferenceServer(table, limits=limits), served(tmp_path)) as server:
        clients = [server.connect() for _ in range(3)]
        for client in clients:
            client.sendall(HEAD + b"Content-Length: 2000000\r\n\r\n")
        refused = read_responses(clients[2], 1)[0]
        assert (refused.status, refused.headers["retry-after"]) == (503, "7")
        assert server.infer("linear", [TENSOR]).status == 200  # small ones are still served
        for client in clients:
            client.close()
        time.sleep(0.3)
        assert server.ask("POST", "/v2/models/linear/infer", BODY + b" " * 900_000).status == 200
        gc.collect()
        assert server.server.budget.held_bytes == 0


def test_a_body_of_chunks_counts_as_it_grows(tmp_path: Path) -> None:
    limits = ServingLimits(in_flight_bytes=2 * 2**20)
    chunk = b"%x\r\n%b\r\n" % (500_000, b" " * 500_000)
    with running(lambda table: InferenceServer(table, limits=limits), served(tmp_path)) as server, server.connect() as one, server.connect() as other:
        one.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 3)
        time.sleep(0.3)
        assert 1_500_000 <= server.server.budget.held_bytes <= 2 * 2**20
        other.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 2)
        assert ended(other) == 503


def test_a_body_that_never_has_room_is_413_and_names_the_bound(tmp_path: Path) -> None:
    limits = ServingLimits(in_flight_bytes=2**20)
    with running(lambda table: InferenceServer(table, limits=limits), served(tmp_path)) as server, server.connect() as client:
        client.sendall(HEAD + b"Content-Length: 2000000\r\n\r\n")
        answer = read_responses(client, 1)[0]
    assert (answer.status, answer.json["error"]) == (413, "the body is too large: expected at most 1048576 bytes, found 2000000")


def test_what_a_compressed_body_becomes_counts(tmp_path: Path) -> None:
    limits = ServingLimits(in_flight_bytes=2 * 2**20)
    body = gzip.compress(BODY + b" " * 3 * 2**20)
    assert len(body) < SMALL_BYTES
    with running(lambda table: InferenceServer(table, limits=limits), served(tmp_path)) as server:
        answer = server.ask("POST", "/v2/models/linear/infer", body, {"Content-Encoding": "gzip"})
        assert server.infer("linear", [TENSOR]).status == 200
    assert answer.status == 413
    assert "the decoded request and its outputs take too much memory: expected at most 2097152 bytes" in answer.json["error"]


def test_answers_that_nobody_reads_count_until_their_clients_go() -> None:
    large = HttpResponse(200, b" " * 8 * 2**20)
    limits = ServingLimits(in_flight_bytes=20 * 2**20)
    with running(lambda table: InferenceServer(table, limits=limits, routes={("GET", "/large"): lambda _: large})) as server:
        clients = [server.connect() for _ in range(3)]
        for client in clients:
            client.sendall(b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n")
            time.sleep(0.2)
        assert server.server.budget.held_bytes == 2 * len(large.body)
        assert server.ask("GET", "/v2").status == 200
        assert [read_responses(client, 1)[0].status for client in clients] == [200, 200, 503]
        time.sleep(0.2)
        assert server.server.budget.held_bytes == 0, "they were read"
        clients[0].sendall(b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n")
        time.sleep(0.2)
        for client in clients:
            client.close()
        time.sleep(0.2)
        assert server.server.budget.held_bytes == 0, "their client went"


def test_an_answer_that_has_no_room_is_refused_and_counted_as_overload(tmp_path: Path) -> None:
    rows, recorder = 4000, Recorder()
    head = json.dumps({"inputs": [{**TENSOR, "shape": [rows, 4], "data": None, "parameters": {"binary_data_size": 16 * rows}}]}).encode()
    limits = ServingLimits(in_flight_bytes=300_000)
    with running(lambda table: InferenceServer(table, limits=limits), served(tmp_path, observer=recorder)) as server:
        held = server.server.budget.share()
        assert held.add(200_000)
        request = ("POST", "/v2/models/linear/infer", head + bytes(16 * rows), {"Inference-Header-Content-Length": str(len(head))})
        answer = server.ask(*request)
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        assert "too many bytes of requests and answers are in flight; try again in 1 s" in answer.json["error"]
        held.release()
        assert server.ask(*request).status == 200
        assert (recorder.failures, len(recorder.seen)) == (["overload"], 1)


def test_a_share_counts_until_it_is_gone() -> None:
    budget = ByteBudget(100)
    share = budget.share()
    assert share.add(60)
    other = budget.share()
    assert not other.add(41)
    assert other.could_ever_add(41)
    assert not other.could_ever_add(101)
    share.release()
    assert other.add(100)
    del other
    assert budget.held_bytes == 0


@pytest.mark.parametrize(("memory", "budget"), [(None, 512), (64, 32), (1024, 256), (65536, 512)])
def test_the_budget_follows_the_memory_that_a_container_has(memory: int | None, budget: int) -> None:
    assert default_budget(memory and memory * 2**20) == budget * 2**20


def test_a_client_who_sends_much_at_once_is_not_read_until_that_is_answered(tmp_path: Path) -> None:
    slow = {
        "inputs": [
            {"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [1, 2, 3, 4]},
            {"name": "rounds", "shape": [1], "datatype": "INT64", "data": [20_000_000]},  # seconds on any machine
        ]
    }
    body = json.dumps(slow).encode() + b" " * 200_000
    request = b"POST /v2/models/slow/infer HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    assert len(body) > SMALL_BYTES
    with running(lambda table: InferenceServer(table, threads=1), served(tmp_path, "slow")) as server, server.connect() as client:
        client.settimeout(1)
        sent = 0
        with pytest.raises(TimeoutError):
            for _ in range(200):
                sent += client.send(request)
        assert sent < 100 * len(request)


def test_limits_change_while_the_server_runs(tmp_path: Path) -> None:
    with running(InferenceServer, served(tmp_path)) as server:
        body = BODY + b" " * 100_000
        assert server.ask("POST", "/v2/models/linear/infer", body).status == 200
        server.server.limit(ServingLimits(body_bytes=50_000, in_flight_bytes=40_000, connections=7))
        assert (server.server.budget.most_bytes, server.server.max_connections) == (40_000, 7)
        assert server.ask("POST", "/v2/models/linear/infer", body).json["error"].startswith("the body is too large: expected at most 50000 bytes")
        assert server.infer("linear", [TENSOR]).status == 200


def test_the_load_is_what_is_in_flight_connected_and_waiting(tmp_path: Path) -> None:
    limits = ServingLimits(in_flight_bytes=2**20)
    with running(lambda table: InferenceServer(table, limits=limits), served(tmp_path)) as server, server.connect() as client:
        client.sendall(HEAD + b"Content-Length: 500000\r\n\r\n")
        time.sleep(0.2)
        load = server.server.load()
        assert (load.in_flight_bytes, load.in_flight_limit_bytes, load.connections, load.queued) == (500_000, 2**20, 1, {"linear": 0})
        text = render_load(load)
    assert "sealift_in_flight_bytes 500000\n" in text
    assert 'sealift_queued_requests{model="linear"} 0\n' in text
    assert re.search(r"^sealift_resident_memory_bytes [1-9][0-9]{6,}$", text, re.MULTILINE)


def test_the_device_s_owner_needs_no_room_in_the_budget(tmp_path: Path) -> None:
    routes: Routes = {("POST", "/echo"): lambda request: HttpResponse(200, bytes(request.body))}
    with running(lambda table: InferenceServer(table, local_routes=routes)) as server, socket.socket(socket.AF_UNIX) as owner:
        held = server.server.budget.share()
        assert held.add(server.server.budget.most_bytes)
        server.call(server.server.start_unix(tmp_path / "socket"))
        owner.settimeout(10)
        owner.connect(str(tmp_path / "socket"))
        owner.sendall(b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500000\r\n\r\n" + bytes(500_000))
        answer = read_responses(owner, 1)[0]
        assert (answer.status, len(answer.body)) == (200, 500_000)
        with server.connect() as client:
            client.sendall(HEAD + b"Content-Length: 500000\r\n\r\n")
            assert read_responses(client, 1)[0].json == {"error": "too many bytes of requests and answers are in flight; try again in 1 s"}
