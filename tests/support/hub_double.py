"""A small real HTTP server that takes reports as the hub's protocol says, checking numbers, chain and signatures."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from sealift_core.bundle.digest import Digest
from sealift_core.messages.receipt import Receipt, seal_receipt
from sealift_core.messages.report import Report, open_report
from sealift_core.signing.keys import PrivateKey, PublicKey


class HubDouble(ThreadingHTTPServer):
    """What one hub knows: keys, envelopes and reports by device. ``override`` answers the next requests in its own way."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.keys: dict[str, PublicKey] = {}
        self.envelopes: dict[str, list[bytes]] = {}
        self.reports: list[Report] = []
        self.requests: list[str] = []
        self.override: list[tuple[int, bytes]] = []
        self.key = PrivateKey.generate()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def enrol(self, device: str, pem: bytes) -> tuple[int, bytes]:
        key = PublicKey.from_pem(pem)
        if key.fingerprint != device:
            return 400, _error("another device's key")
        enrolled = device in self.keys
        self.keys[device] = key
        self.envelopes.setdefault(device, [])
        return 200 if enrolled else 201, self.receipt(device, len(self.envelopes[device]))

    def take(self, device: str, envelope: bytes) -> tuple[int, bytes]:
        if device not in self.keys:
            return 404, _error("no such device")
        report = open_report(envelope, self.keys[device], where="request")
        taken = self.envelopes[device]
        if report.number <= len(taken):
            same = taken[report.number - 1] == envelope
            return (200, self.receipt(device, len(taken))) if same else (400, _error("another report of this number"))
        if report.number > len(taken) + 1:
            return 409, json.dumps({"error": "reports are missing", "acknowledged": len(taken)}).encode()
        if report.previous != (Digest.of(taken[-1]) if taken else None):
            return 400, _error("the chain is broken")
        taken.append(envelope)
        self.reports.append(report)
        return 200, self.receipt(device, report.number)

    def receipt(self, device: str, number: int) -> bytes:
        """A receipt as this hub signs it."""
        return seal_receipt(Receipt(device=device, acknowledged=number), self.key)


class _Handler(BaseHTTPRequestHandler):
    server: HubDouble
    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        body = self._body()
        self._answer(*(self.server.override.pop(0) if self.server.override else self.server.enrol(self.path.split("/")[4], body)))

    def do_POST(self) -> None:
        body = self._body()
        self._answer(*(self.server.override.pop(0) if self.server.override else self.server.take(self.path.split("/")[4], body)))

    def _body(self) -> bytes:
        self.server.requests.append(f"{self.command} {self.path}")
        return self.rfile.read(int(self.headers["Content-Length"]))

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""


def _error(text: str) -> bytes:
    return json.dumps({"error": text}).encode()


@contextlib.contextmanager
def running_hub() -> Iterator[HubDouble]:
    """A hub on a port of its own."""
    with HubDouble() as hub:
        thread = threading.Thread(target=hub.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield hub
        finally:
            hub.shutdown()
            thread.join()
