"""Whoever listens at a device's address is sent nothing before it has proven, for this very job, that it has the device's key."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from sealift_core.bundle.digest import Digest
from sealift_core.hardware.document import machine_json
from sealift_core.hardware.machine import detect_machine
from sealift_core.messages.measuring import (
    ACCEPTANCE_TYPE,
    ANSWER_TYPE,
    JOB_TYPE,
    STEP_TYPE,
    STEPS,
    MeasuringAcceptance,
    MeasuringAnswer,
    MeasuringJob,
    MeasuringStep,
)
from sealift_core.schema.documents import Document
from sealift_core.signing.dsse import Envelope
from sealift_core.signing.keys import PrivateKey
from sealift_packager.errors import DeviceRefusedError
from sealift_packager.measure.device import DeviceJob
from sealift_packager.measure.device_address import DeviceAddress

DEVICE, STRANGER, PACKAGER = (PrivateKey.generate() for _ in range(3))
NAME = "0" * 32
MODEL = b"secret weights"

Acceptance = Callable[[MeasuringJob], Any]


def accept(requested: MeasuringJob, key: PrivateKey, **changes: str) -> Any:
    fields = {"device": requested.device, "challenge": requested.challenge, "job": NAME} | changes
    return Envelope.sign(ACCEPTANCE_TYPE, MeasuringAcceptance(**fields).payload(), key).json()


class Listener(ThreadingHTTPServer):
    """Something at a device's address: it knows the device's public key, as everybody may, and answers a job with ``acceptance``."""

    def __init__(self, acceptance: Acceptance, key: PrivateKey = DEVICE) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.acceptance = acceptance
        self.key = key
        self.sent: list[bytes] = []

    @property
    def address(self) -> DeviceAddress:
        return DeviceAddress(url=f"http://127.0.0.1:{self.server_port}", device=DEVICE.public_key.fingerprint)


class Handler(BaseHTTPRequestHandler):
    server: Listener

    def log_message(self, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        self.answer({"device": "", "key": self.server.key.public_key.pem().decode(), "nonce": NAME, "limits": {"bytes": 2**20, "seconds": 60}})

    def do_PUT(self) -> None:
        self.server.sent.append(self.body())
        self.answer({})

    def do_POST(self) -> None:
        envelope = Envelope.parse(Document(json.loads(self.body())["envelope"], "job"))
        if self.path == STEPS:
            step = MeasuringStep.parse(envelope.open(PACKAGER.public_key, STEP_TYPE, where="step"))
            done = MeasuringAnswer(job=step.job, number=step.number)
            self.answer(dict(Envelope.sign(ANSWER_TYPE, done.payload(), DEVICE).json()))
            return
        job = MeasuringJob.parse(envelope.open(PACKAGER.public_key, JOB_TYPE, where="job"))
        fields = {"job": NAME, "machine": machine_json(detect_machine()), "onnxruntime": "1.22.0"}
        given = self.server.acceptance(job)
        self.answer(fields if given is None else fields | {"acceptance": given})

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers["Content-Length"]))

    def answer(self, value: dict[str, Any]) -> None:
        data = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@pytest.fixture
def listen() -> Iterator[Callable[..., Listener]]:
    servers: list[Listener] = []

    def start(acceptance: Acceptance, key: PrivateKey = DEVICE) -> Listener:
        servers.append(Listener(acceptance, key))
        threading.Thread(target=servers[-1].serve_forever, args=(0.01,), daemon=True).start()
        return servers[-1]

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def refused(server: Listener, message: str) -> None:
    with pytest.raises(DeviceRefusedError, match=message), DeviceJob(server.address, PACKAGER, {Digest.of(MODEL): MODEL}):
        pass
    assert server.sent == []


def test_the_holder_of_the_key_is_sent_the_model(listen: Callable[..., Listener]) -> None:
    server = listen(lambda job: accept(job, DEVICE))
    with DeviceJob(server.address, PACKAGER, {Digest.of(MODEL): MODEL}):
        pass
    assert server.sent == [MODEL]


def test_another_device_is_sent_nothing(listen: Callable[..., Listener]) -> None:
    refused(listen(lambda job: accept(job, STRANGER), STRANGER), "another device answered")


def test_one_that_only_knows_the_public_key_is_sent_nothing(listen: Callable[..., Listener]) -> None:
    refused(listen(lambda job: accept(job, STRANGER)), "doesn't have the device's key")


def test_one_that_proves_nothing_is_sent_nothing(listen: Callable[..., Listener]) -> None:
    refused(listen(lambda _: None), "doesn't prove that it has its key")


@pytest.mark.parametrize("changes", [{"challenge": "1" * 32}, {"job": "1" * 32}, {"device": "1" * 64}])
def test_a_proof_that_the_device_once_gave_for_another_job_is_worth_nothing(listen: Callable[..., Listener], changes: dict[str, str]) -> None:
    refused(listen(lambda job: accept(job, DEVICE, **changes)), "proof is of another job")


def test_each_job_has_a_challenge_of_its_own(listen: Callable[..., Listener]) -> None:
    challenges: list[str] = []
    server = listen(lambda job: challenges.append(job.challenge))
    for _ in range(2):
        refused(server, "doesn't prove")
    assert len(set(challenges)) == 2
