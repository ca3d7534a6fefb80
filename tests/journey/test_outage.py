"""A real agent and a real hub are sent what costs a careless server most; others go on being answered, and both end when told to."""

from __future__ import annotations

import contextlib
import datetime
import http.client
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from sealift_hub.limits import DEFAULT_LIMITS as LIMITS
from support.agents import AgentUnderTest, device, wait_until
from support.hub import RunningHub, running_hub
from support.models import MODELS
from support.repositories import Repository
from support.siege import MOST_WAIT_S, bodies, longest_wait, siege
from support.simulated import SimulatedDevice

BODIES = bodies()
X = MODELS["linear"].requests[0]["x"]
REQUEST = [{"name": "x", "shape": list(X.shape), "datatype": "FP32", "data": X.ravel().tolist()}]
SLOW_END_S = 20.0


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AgentUnderTest]:
    place = tmp_path_factory.mktemp("agent")
    repository = Repository(place / "repository", now=datetime.datetime.now(datetime.UTC).replace(microsecond=0))
    repository.add_release("1.0.0")
    with device(place / "device") as made:
        made.init(repository.directory, repository.metadata / "1.root.json", measuring__enabled="true")
        made.start()
        wait_until(lambda: made.serving() == "1.0.0", 60, "the model to serve")
        yield made
        begun = time.monotonic()
        assert made.stop() == 0
        assert time.monotonic() - begun < SLOW_END_S


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    with running_hub(tmp_path_factory.mktemp("hub") / "data") as running:
        yield running


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("path", ["/v2/models/linear/infer", "/measuring/v1/jobs"])
def test_an_agent_goes_on_answering_while_it_is_sent(agent: AgentUnderTest, path: str, name: str) -> None:
    body, headers = BODIES[name]
    with siege(agent.url, "POST", path, body, **headers) as attack:
        assert longest_wait(lambda: agent.infer("linear", REQUEST)) < MOST_WAIT_S
        wait_until(lambda: attack.statuses, 90, "an answer to an attacker")
    assert {status // 100 for status in attack.statuses} <= {0, 4, 5}
    assert 500 not in attack.statuses


@pytest.mark.parametrize("name", [name for name in BODIES if "gzip" not in name])
def test_a_hub_goes_on_answering_while_it_is_sent(hub: RunningHub, name: str) -> None:
    attacker, other = SimulatedDevice(), SimulatedDevice()
    assert hub.enrol(attacker).status_code == hub.enrol(other).status_code == 201

    def ask() -> None:
        assert hub.get("/").status_code == 200
        assert hub.send(other, other.report()).status_code == 200

    body, headers = BODIES[name]
    with siege(hub.url, "POST", f"/api/v1/devices/{attacker.id}/reports", body, **headers) as attack:
        assert longest_wait(ask) < MOST_WAIT_S
        wait_until(lambda: attack.statuses, 90, "an answer to an attacker")
    assert {status // 100 for status in attack.statuses} <= {0, 4, 5}
    assert 500 not in attack.statuses


def test_a_hub_that_is_being_attacked_ends_when_told_to(tmp_path: Path) -> None:
    with running_hub(tmp_path / "data") as hub:
        attacker = SimulatedDevice()
        assert hub.enrol(attacker).status_code == 201
        with siege(hub.url, "POST", f"/api/v1/devices/{attacker.id}/reports", BODIES["one name again and again"][0]) as attack:
            wait_until(lambda: attack.statuses, 90, "an answer to an attacker")
            begun = time.monotonic()
            hub.process.terminate()
            assert hub.process.wait(SLOW_END_S) == 0
            assert time.monotonic() - begun < SLOW_END_S


def test_an_agent_that_is_being_attacked_ends_when_told_to(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "repository", now=datetime.datetime.now(datetime.UTC).replace(microsecond=0))
    repository.add_release("1.0.0")
    with device(tmp_path / "device") as agent:
        agent.init(repository.directory, repository.metadata / "1.root.json")
        agent.start()
        wait_until(lambda: agent.serving() == "1.0.0", 60, "the model to serve")
        body, headers = BODIES["gzip members"]
        with siege(agent.url, "POST", "/v2/models/linear/infer", body, **headers) as attack:
            wait_until(lambda: attack.statuses, 90, "an answer to an attacker")
            begun = time.monotonic()
            assert agent.stop() == 0
            assert time.monotonic() - begun < SLOW_END_S


def connected(url: str) -> socket.socket:
    address = urlsplit(url)
    return socket.create_connection((address.hostname, address.port), timeout=30)


def ended(client: socket.socket, seconds: float) -> bool:
    """Whether the server closes a connection within a time."""
    deadline = time.monotonic() + seconds
    client.settimeout(1)
    while time.monotonic() < deadline:
        try:
            if not client.recv(2**16):
                return True
        except TimeoutError:
            continue
        except OSError:
            return True
    return False


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ", b"a" * 2**16),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n", b"X: a\r\n" * 10_000),
        (b"GET /", b"a" * 2**16),
        (b"POST /api/v1/devices/x/reports HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: ", b"a" * 2**16),
        (b"POST /api/v1/devices/x/reports HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"a" * 2**16),
    ],
    ids=["header", "headers", "target", "trailer", "chunk extension"],
)
def test_what_never_ends_is_cut_off(agent: AgentUnderTest, hub: RunningHub, head: bytes, piece: bytes) -> None:
    for url in (agent.url, hub.url):
        with connected(url) as client:
            client.sendall(head)
            deadline = time.monotonic() + 30
            with pytest.raises(OSError, match=r"reset|pipe|closed|timed out"):
                while time.monotonic() < deadline:
                    client.sendall(piece)
        assert requests.get(f"{url}/metrics" if url == agent.url else f"{url}/healthz", timeout=30).status_code == 200


def test_a_report_in_very_many_small_pieces_is_cut_off(hub: RunningHub) -> None:
    attacker = SimulatedDevice()
    assert hub.enrol(attacker).status_code == 201
    head = f"POST /api/v1/devices/{attacker.id}/reports HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    for pieces, words in ((LIMITS.body_pieces, b"not valid JSON"), (LIMITS.body_pieces + 1, b"The body arrives in too many small pieces.")):
        with connected(hub.url) as client:
            client.sendall(head + b"1\r\n0\r\n" * pieces + b"0\r\n\r\n")
            client.settimeout(30)
            answer = b""
            while words not in answer and (more := client.recv(2**16)):
                answer += more
            assert words in answer


def test_a_client_that_leaves_in_the_middle_of_its_report_is_no_fault_of_the_hub(hub: RunningHub) -> None:
    attacker = SimulatedDevice()
    assert hub.enrol(attacker).status_code == 201
    with connected(hub.url) as client:
        client.sendall(f"POST /api/v1/devices/{attacker.id}/reports HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{{".encode())
        time.sleep(0.3)
    for _ in range(10):
        assert hub.get("/healthz").status_code == 200
        time.sleep(0.05)
    assert "Traceback" not in hub.data.with_suffix(".log").read_text()


@pytest.mark.long
def test_clients_who_say_nothing_keep_nobody_out_for_long(hub: RunningHub) -> None:
    silent, slow = connected(hub.url), connected(hub.url)
    slow.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
    with silent, slow:
        assert ended(silent, 20)
        assert ended(slow, 20)


def test_clients_who_only_hold_connections_keep_nobody_out(agent: AgentUnderTest, hub: RunningHub) -> None:
    for url, path in ((agent.url, "/v2/health/live"), (hub.url, "/healthz")):
        with contextlib.ExitStack() as held:
            for _ in range(1100):
                held.enter_context(connected(url))
            for _ in range(5):
                assert requests.get(url + path, timeout=30).status_code == 200


@pytest.mark.parametrize(("host", "status"), [("evil.example", 421), ("evil.example:8470", 421), ("127.0.0.1", 200), ("localhost:1", 200)])
def test_only_its_own_names_are_answered(agent: AgentUnderTest, hub: RunningHub, host: str, status: int) -> None:
    for url, path in ((agent.url, "/v2"), (agent.url, "/metrics"), (hub.url, "/"), (hub.url, "/api/v1/devices")):
        answer = requests.get(url + path, headers={"Host": host}, timeout=30)
        assert answer.status_code == status
        if status == 421:
            assert ("serving.hosts" if url == agent.url else "--host-name") in answer.json()["error"]


def test_a_request_says_for_whom_it_is(agent: AgentUnderTest, hub: RunningHub) -> None:
    for url, path in ((agent.url, b"/v2"), (hub.url, b"/healthz")):
        for head, status in (
            (b"GET %b HTTP/1.1\r\n\r\n", 400),
            (b"GET %b HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n", 400),
            (b"GET %b HTTP/1.0\r\n\r\n", 200),
        ):
            with connected(url) as client:
                client.sendall(head % path)
                response = http.client.HTTPResponse(client)
                response.begin()
                assert response.status == status
