"""The requests to a device that measures for us. Every job and step is signed by the packager's key."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import secrets
import time
import urllib.parse
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Self

import numpy as np
import requests

from sealift_core.bundle.digest import Digest
from sealift_core.errors import SealiftError, SignatureError
from sealift_core.hardware.document import parse_machine
from sealift_core.hardware.machine import Machine
from sealift_core.http.http_session import open_session
from sealift_core.http.urls import redacted
from sealift_core.messages.measuring import (
    ACCEPTANCE_TYPE,
    ANSWER_TYPE,
    CLOSE,
    FILES,
    FOOTPRINT,
    JOB_TYPE,
    JOBS,
    LATENCY,
    PATH,
    STEP_TYPE,
    STEPS,
    THROUGHPUT,
    MeasuringAcceptance,
    MeasuringAnswer,
    MeasuringJob,
    MeasuringStep,
    Run,
)
from sealift_core.schema.documents import Document, canonical_json
from sealift_core.signing.dsse import Envelope
from sealift_core.signing.keys import PublicKey, Signer
from sealift_core.timing.throughput import Throughput
from sealift_packager.errors import DeviceError, DeviceRefusedError
from sealift_packager.measure.arrays import write_npz
from sealift_packager.measure.device_address import OPTION, DeviceAddress
from sealift_packager.model.source import Array, Arrays

#: A slow line has the server's 60 s for each.
PIECE_BYTES: Final = 2 * 2**20
MAX_ANSWER_BYTES: Final = 16 * 2**20
#: A device polls its repository, and may not be disturbed then; so long is asked again.
BUSY_WAIT_S: Final = 20.0
CONNECT_S: Final = 10.0
REPLY_S: Final = 60.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MeasuringDevice:
    """A device that takes jobs: its id, its machine, and its version of onnxruntime."""

    device_id: str
    machine: Machine
    onnxruntime: str


class DeviceJob:
    """One job on a device, from its beginning to its end, as a context: on leaving, the device deletes what was sent.

    Nothing is sent before whoever listens at the address has proven, for this very job, that it has the key of the device that was named.

    Raises `DeviceRefusedError` where the device says no, `DeviceError` for all else that goes wrong on the way.
    """

    def __init__(self, address: DeviceAddress, signer: Signer, files: Mapping[Digest, bytes]) -> None:
        self._address = address
        self._signer = signer
        self._files = files
        self._http = open_session(address.url, password=False)
        self._name = ""
        self._number = 0
        self._longest_s = REPLY_S
        self.key: PublicKey | None = None

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as undo:
            undo.callback(self._http.close)
            self.device = self._begin()
            undo.push(self.__exit__)
            for digest, data in self._files.items():
                self._send(digest, data)
            undo.pop_all()
        return self

    def __exit__(self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            self._step(CLOSE)
        except DeviceError:
            if error is None:
                raise
        finally:
            self._http.close()

    def latency(self, inputs: Digest, runs: Sequence[Run], *, seconds: float, rounds: tuple[int, int]) -> dict[str, Array]:
        """Samples in ms of all runs in turns, by name."""
        least, most = rounds
        answer = self._step(LATENCY, inputs=inputs, runs=tuple(runs), seconds=seconds, least_rounds=least, most_rounds=most)
        if set(answer.samples_ms) != {run.name for run in runs}:
            raise DeviceError("the device answered about other runs", where=self._address.url)
        return {name: np.array(values) for name, values in answer.samples_ms.items()}

    def footprint(self, inputs: Digest, run: Run) -> tuple[float, int]:
        """Load time in ms and peak memory in bytes of one run, in a process of its own."""
        answer = self._step(FOOTPRINT, inputs=inputs, runs=(run,))
        return answer.load_time_ms, answer.peak_memory_bytes

    def throughput(self, inputs: Digest, run: Run, *, batches: Sequence[int], seconds: float) -> Throughput:
        """The most rows per second with every core of the device busy; ``seconds`` for each batch size."""
        answer = self._step(THROUGHPUT, inputs=inputs, runs=(run,), seconds=seconds, batches=tuple(batches))
        if answer.batch_size not in batches:
            raise DeviceError(
                "the device answered about another batch", where=self._address.url, expected=str(list(batches)), found=str(answer.batch_size)
            )
        return Throughput(rows_per_s=answer.rows_per_s, batch_size=answer.batch_size)

    def _begin(self) -> MeasuringDevice:
        """Ask for a nonce, and begin the job with it; again while the device is at something else."""
        deadline = time.monotonic() + BUSY_WAIT_S
        while True:
            invitation = self._ask("GET", PATH)
            key = self.key = PublicKey.from_pem(invitation.text("key").encode(), where=self._address.url)
            if key.fingerprint != self._address.device:
                raise DeviceRefusedError("another device answered", where=self._address.url, expected=self._address.device, found=key.fingerprint)
            self._longest_s = invitation.document("limits").number("seconds", minimum=0) + REPLY_S
            sizes = {digest: len(data) for digest, data in self._files.items()}
            challenge = secrets.token_hex(16)
            job = MeasuringJob(device=key.fingerprint, nonce=invitation.text("nonce"), files=sizes, challenge=challenge)
            try:
                answer = self._ask("POST", JOBS, self._signed(JOB_TYPE, job.payload()))
            except _BusyError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.5)
                continue
            self._name = answer.text("job")
            self._check_acceptance(answer, key, challenge)
            machine = parse_machine(answer.document("machine"))
            return MeasuringDevice(device_id=key.fingerprint, machine=machine, onnxruntime=answer.text("onnxruntime", max_characters=100))

    def _check_acceptance(self, answer: Document, key: PublicKey, challenge: str) -> None:
        """Raise `DeviceRefusedError` unless the holder of the device's key took this job."""
        if not answer.has("acceptance"):
            advice = "If the device runs an older agent, update it."
            raise DeviceRefusedError("the device doesn't prove that it has its key", where=self._address.url, advice=advice)
        try:
            data = Envelope.parse(answer.document("acceptance")).open(key, ACCEPTANCE_TYPE, where=self._address.url)
        except SignatureError as error:
            raise DeviceRefusedError(
                "the server that answered doesn't have the device's key", where=self._address.url, expected=key.fingerprint
            ) from error
        accepted = MeasuringAcceptance.parse(data)
        if accepted != MeasuringAcceptance(device=key.fingerprint, challenge=challenge, job=self._name):
            raise DeviceRefusedError("the device's proof is of another job", where=self._address.url)

    def _send(self, digest: Digest, data: bytes) -> None:
        for offset in range(0, len(data), PIECE_BYTES):
            place = f"{FILES}?job={self._name}&digest={digest}&offset={offset}"
            self._ask("PUT", place, data[offset : offset + PIECE_BYTES])

    def _step(self, name: str, **fields: Any) -> MeasuringAnswer:
        assert self.key is not None
        self._number += 1
        step = MeasuringStep(job=self._name, number=self._number, kind=name, **fields)
        body = self._signed(STEP_TYPE, step.payload())
        envelope = Envelope.parse(self._patiently(lambda: self._ask("POST", STEPS, body, reply_s=self._longest_s)))
        answer = MeasuringAnswer.parse(envelope.open(self.key, ANSWER_TYPE, where=self._address.url))
        if (answer.job, answer.number) != (step.job, step.number):
            raise DeviceError("the device answered another step", where=self._address.url)
        return answer

    def _patiently(self, ask: Callable[[], Document]) -> Document:
        deadline = time.monotonic() + BUSY_WAIT_S
        while True:
            try:
                return ask()
            except _BusyError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.5)

    def _signed(self, payload_type: str, payload: bytes) -> bytes:
        envelope = Envelope.sign(payload_type, payload, self._signer)
        return canonical_json({"key": self._signer.public_key.pem().decode(), "envelope": envelope.json()})

    def _ask(self, method: str, path: str, body: bytes | None = None, *, reply_s: float = REPLY_S) -> Document:
        """The JSON answer; a step's may take as long as its device allows the job to take."""
        url = self._address.url
        try:
            with (
                self._http.within(CONNECT_S + 2 * reply_s),  # the timeout is for each packet
                self._http.request(method, url + path, data=body, timeout=(CONNECT_S, reply_s), stream=True, allow_redirects=False) as reply,
            ):
                if reply.is_redirect:
                    target = redacted(urllib.parse.urljoin(url, reply.headers["Location"]))
                    raise DeviceError("the device redirects elsewhere", where=f"{OPTION} {url}", found=target, advice="Pass the agent's own address.")
                data, status = _read(reply), reply.status_code
        except requests.RequestException as error:
            raise DeviceError(
                f"the device can't be reached, or the connection broke (caused by: {_words(error)})",
                where=f"{OPTION} {url}",
                advice="Is sealift-agent running there, and listening on an address that this machine reaches?",
            ) from error
        if status == requests.codes.ok:
            return Document.parse_json(data, where=url, max_bytes=MAX_ANSWER_BYTES)
        raise _refusal(status, data, url)


class _BusyError(DeviceError):
    """The device is at something else for now."""


def _read(reply: requests.Response) -> bytes:
    parts, size = [], 0
    for part in reply.iter_content(2**16):
        parts.append(part)
        size += len(part)
        if size > MAX_ANSWER_BYTES:
            break
    return b"".join(parts)


def _refusal(status: int, data: bytes, url: str) -> DeviceError:
    try:
        words = Document.parse_json(data, where=url, max_bytes=MAX_ANSWER_BYTES).text("error", max_characters=10_000)
    except SealiftError:
        words = f"status {status}"
    errors: dict[int, type[DeviceError]] = {403: DeviceRefusedError, 409: _BusyError}
    if status == requests.codes.not_found and "no such path" in words:
        words = "no agent that can measure runs at this address; the agent may be too old"
    return errors.get(status, DeviceError)(words, where=f"{OPTION} {url}")


def _words(error: requests.RequestException) -> str:
    cause: BaseException = error
    while cause.__cause__ or cause.__context__:
        cause = cause.__cause__ or cause.__context__ or cause
    return str(cause)[:200] or type(error).__name__


def inputs_file(example: Arrays) -> bytes:
    """The inputs of a run as an ``.npz`` file; text as fixed-width unicode, so that reading needs no pickle."""
    file = io.BytesIO()
    write_npz(file, example)
    return file.getvalue()
