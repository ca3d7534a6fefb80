"""Attacks by whoever reaches the server."""

from __future__ import annotations

import contextlib
import json
import resource
import socket
import time
from pathlib import Path

import numpy as np

from attacks.attack import attack
from attacks.site import INPUTS, Site, X
from support.siege import bodies, siege

IDLE = 2000
UPLOADS = 40
UNREAD, UNREAD_ROWS = 10, 600_000
UPLOAD_BYTES = 60 * 2**20
#: What the data plane may take beside what it took before, while uploads are under way: the bound over all bodies, and some room.
MOST_BYTES = 640 * 2**20


def _memory_bytes(site: Site) -> int:
    """What the data plane holds in memory, in bytes."""
    total = 0
    for pid in site.agent.pids("data_plane"):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                total += int(line.split()[1]) * 1024
    assert total, "no data plane runs"
    return total


@attack("clients", f"{IDLE:,} clients connect and say nothing")
def idle(site: Site) -> str:
    """Too many connections for the server: the operator's commands go on, and nobody who is connected is sent away."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(2 * IDLE + 500, resource.getrlimit(resource.RLIMIT_NOFILE)[1]),) * 2)
    with contextlib.ExitStack() as open_sockets:
        for _ in range(IDLE):
            open_sockets.enter_context(socket.create_connection(site.address, timeout=30))
        begun = time.monotonic()
        site.agent.command("status").ok()
        site.agent.command("sync").ok()
        seconds = time.monotonic() - begun
        assert seconds < 20, seconds
    return "`status` and `sync` worked as ever"


@attack("clients", "bodies that cost much to read, from four clients at once: " + ", ".join(bodies()))
def costly(site: Site) -> str:
    """Each body for a second, again and again."""
    statuses = set()
    for body, headers in bodies().values():
        with siege(site.agent.url, "POST", "/v2/models/linear/infer", body, **headers) as attackers:
            time.sleep(1)
        statuses |= set(attackers.statuses) - {0}
    assert statuses
    assert all(400 <= status < 500 or status == 503 for status in statuses), statuses
    return f"refused all of them ({', '.join(map(str, sorted(statuses)))})"


@attack("clients", f"{UPLOADS} uploads of 60 MiB that stop before their last byte")
def unfinished(site: Site) -> str:
    """The bodies together have a bound, and who comes above it is told so."""
    before, most = _memory_bytes(site), 0
    head = b"POST /v2/models/linear/infer HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % UPLOAD_BYTES
    with contextlib.ExitStack() as open_sockets:
        for _ in range(UPLOADS):
            client = open_sockets.enter_context(socket.create_connection(site.address, timeout=10))
            with contextlib.suppress(OSError):  # refused while it sends
                client.sendall(head + bytes(UPLOAD_BYTES - 1))
            most = max(most, _memory_bytes(site) - before)
    assert most < MOST_BYTES, most
    return f"held at most {most // 2**20} MiB of them and refused the others"


@attack("clients", f"{UNREAD} requests whose answers of about 28 MB nobody reads")
def unread(site: Site) -> str:
    """Each asks for many rows in a small body; the answers count as the bodies do."""
    before, most = _memory_bytes(site), 0
    rows = np.zeros((UNREAD_ROWS, X.shape[1]), np.float32)
    entry = {"name": "x", "shape": list(rows.shape), "datatype": "FP32", "parameters": {"binary_data_size": rows.nbytes}}
    head = json.dumps({"inputs": [entry]}).encode()
    body = head + rows.tobytes()
    lines = f"POST /v2/models/linear/infer HTTP/1.1\r\nHost: a\r\nInference-Header-Content-Length: {len(head)}\r\nContent-Length: {len(body)}\r\n\r\n"
    with contextlib.ExitStack() as open_sockets:
        for _ in range(UNREAD):
            client = open_sockets.enter_context(socket.create_connection(site.address, timeout=20))
            client.sendall(lines.encode() + body)
        for _ in range(50):
            most = max(most, _memory_bytes(site) - before)
            time.sleep(0.1)
        site.agent.command("status").ok()
    assert most < MOST_BYTES, most
    return f"held at most {most // 2**20} MiB for them; `status` worked as ever"


@attack("clients", "two bodies of 60 MiB of JSON numbers")
def long_json(site: Site) -> str:
    """Read in slices, so that others are answered in between."""
    body = b'{"inputs":[{"name":"x","shape":[1700000,4],"datatype":"FP32","data":[' + b"0.12345," * 6_799_999 + b"1]}]}"
    head = b"POST /v2/models/linear/infer HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
    statuses = []
    with contextlib.ExitStack() as open_sockets:
        clients = [open_sockets.enter_context(socket.create_connection(site.address, timeout=120)) for _ in range(2)]
        for client in clients:
            with contextlib.suppress(OSError):  # refused while it sends
                client.sendall(head + body)
        for client in clients:
            with contextlib.suppress(ConnectionError):
                statuses.append(int(client.recv(4096).split(b" ")[1]))
    assert all(status in (200, 400, 413, 503) for status in statuses), statuses
    return f"answered {', '.join(map(str, statuses))}"


@attack("clients", "requests that the model can't answer, all through an update's probation")
def veto(site: Site) -> str:
    """Wrong shapes and types are nobody's failure but the client's."""
    wrong = [{**INPUTS[0], "shape": [1, 1], "data": [0.0]}]
    site.configure("--set", "timing.probation_s=3")
    body = json.dumps({"inputs": wrong}).encode()
    with siege(site.agent.url, "POST", "/v2/models/linear/infer", body) as attackers:
        site.takes_the_next()
    assert set(attackers.statuses) - {0} == {400}, set(attackers.statuses)
    return f"answered {len(attackers.statuses):,} of them with 400; the update stayed"


@attack("clients", "a web page that reaches the device under a name of its own (DNS rebinding)")
def rebinding(site: Site) -> str:
    """What a browser would send for a page of `evil.example`."""
    with socket.create_connection(site.address, timeout=10) as client:
        client.sendall(b"GET /v2/models/linear HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
        answer = client.recv(65536)
    assert b" 421 " in answer.split(b"\r\n")[0], answer
    assert b"1.0.0" not in answer
    return "answered 421 and nothing of the model"


@attack("clients", "1,000 requests in one piece, each asking to change to HTTP/2, and one request with half a head, held open")
def pipelined(site: Site) -> str:
    """More than may wait on one connection isn't read."""
    upgrade = b"GET /v2/health/live HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABk\r\n\r\n"
    with socket.create_connection(site.address, timeout=20) as many, socket.create_connection(site.address, timeout=20) as half:
        half.sendall(b"GET /v2 HTT")
        many.sendall(upgrade * 1000)
        many.shutdown(socket.SHUT_WR)
        answers = b"".join(iter(lambda: many.recv(2**16), b""))
    count = answers.count(b"HTTP/1.1 ")
    assert b"101 Switching" not in answers
    assert count == 1000, count
    return f"answered {count:,} of them in HTTP/1.1, then closed the connection"
