"""One job at a time, from the nonce to the end."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

from sealift_core.bundle.digest import Digest
from sealift_core.clock import Clock
from sealift_core.errors import BusyError, LimitError, NotFoundError, SignatureError
from sealift_core.hardware.document import machine_json
from sealift_core.hardware.machine import Machine
from sealift_core.messages.measuring import (
    ACCEPTANCE_TYPE,
    ANSWER_TYPE,
    CLOSE,
    JOB_TYPE,
    STEP_TYPE,
    MeasuringAcceptance,
    MeasuringAnswer,
    MeasuringJob,
    MeasuringStep,
)
from sealift_core.schema.documents import Json
from sealift_core.signing.dsse import Envelope
from sealift_core.signing.keys import Signer
from sealift_runtime.engine.facts import onnxruntime_version
from sealift_runtime.measuring.job_files import JobFiles
from sealift_runtime.measuring.nonces import Nonces
from sealift_runtime.measuring.policy import MeasuringPolicy
from sealift_runtime.measuring.steps import run_step
from sealift_runtime.store.space import check_space

#: What any step needs at least.
LEAST_STEP_S: Final = 1.0


class _ActiveJob:
    """The job under way."""

    def __init__(self, files: JobFiles, deadline: float) -> None:
        self.name = secrets.token_hex(16)
        self.files = files
        self.deadline = deadline
        self.step = 0
        self.running = False


class MeasurementService:
    """Takes jobs. Safe to use from several threads; a step runs outside of the lock.

    ``undisturbed`` is held while something is measured: it raises `BusyError` while an update is under way, and keeps one from beginning.
    """

    def __init__(
        self,
        folder: Path,
        policy: MeasuringPolicy,
        signer: Callable[[], Signer],
        machine: Callable[[], Machine],
        clock: Clock,
        undisturbed: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._folder = folder
        self._policy = policy
        self._signer = signer
        self._machine = machine
        self._clock = clock
        self._undisturbed = undisturbed
        self._lock = threading.Lock()
        self._nonces = Nonces()
        self._job: _ActiveJob | None = None

    def allow(self, policy: MeasuringPolicy) -> None:
        """Go by another policy from the next request on."""
        self._policy = policy

    def invite(self) -> dict[str, Json]:
        """Who this device is, what it allows, and a nonce for one job."""
        self._policy.require()
        nonce = self._nonces.give(self._clock.monotonic())
        key = self._signer().public_key
        limits: dict[str, Json] = {"bytes": self._policy.max_bytes, "seconds": self._policy.max_s}
        return {"device": key.fingerprint, "key": key.pem().decode(), "nonce": nonce, "limits": limits}

    def begin(self, request: bytes) -> dict[str, Json]:
        """Take a job: its name, for the requests to come, what this machine is, and the proof that it is this device which takes it.

        1. The request is signed by a key that is trusted to measure (`MeasuringPolicy.open`).
        2. It is for this device, and its nonce was given for it a moment ago and not used: a replay ends here.
        3. It sends no more than is allowed, and there is room for that.
        4. No other job and no update is under way.
        """
        job = MeasuringJob.parse(self._policy.open(request, JOB_TYPE))  # 1
        device, now = self._signer().public_key.fingerprint, self._clock.monotonic()
        with self._lock:
            if job.device != device:  # 2
                raise SignatureError("the job is for another device", where="measuring job", expected=device, found=job.device)
            self._nonces.take(job.nonce, now)
            total = sum(job.files.values())
            if total > self._policy.max_bytes:  # 3
                expected = f"at most {self._policy.max_bytes} bytes in all (measuring.max_mb)"
                raise LimitError("the job is too large for this device", where="measuring job", expected=expected, found=f"{total} bytes")
            check_space(self._folder.parent, total, self._policy.reserve_bytes)
            self._expire(now)
            if self._job is not None:  # 4
                raise BusyError(
                    "this device is already working on another measuring job", where="measuring job", advice="Try again when it has finished."
                )
            with self._undisturbed():
                self._job = _ActiveJob(JobFiles(self._folder, job.files), now + self._policy.max_s)
            taken: dict[str, Json] = {"job": self._job.name, "machine": machine_json(self._machine()), "onnxruntime": onnxruntime_version()}
        return taken | self._accept(job, str(taken["job"]))

    def _accept(self, job: MeasuringJob, name: str) -> dict[str, Json]:
        """The proof that this device has its key and takes the job; nothing for a packager that asks for none."""
        if not job.challenge:
            return {}
        acceptance = MeasuringAcceptance(device=job.device, challenge=job.challenge, job=name)
        return {"acceptance": Envelope.sign(ACCEPTANCE_TYPE, acceptance.payload(), self._signer()).json()}

    def receive(self, name: str, digest: Digest, offset: int, data: bytes) -> None:
        """A piece of one of the job's files."""
        self._policy.require()
        with self._lock:
            self._find(name).files.receive(digest, offset, data)

    def step(self, request: bytes) -> dict[str, Json]:
        """Do a step, and give its answer as an envelope signed by this device; the job's last step deletes all that was sent.

        Raises `EngineError` if a candidate doesn't load or run, or the job's time is over; `SandboxError` if it can't be confined.
        """
        step = MeasuringStep.parse(self._policy.open(request, STEP_TYPE))
        if step.kind == CLOSE:
            with self._running(step) as job:
                job.deadline = self._clock.monotonic()
            answer = MeasuringAnswer(job=step.job, number=step.number)
        else:
            with self._undisturbed(), self._running(step) as job:
                left = max(job.deadline - self._clock.monotonic(), LEAST_STEP_S)
                answer = run_step(
                    step,
                    job.files,
                    cores=self._machine().cores,
                    memory_bytes=self._policy.memory_bytes,
                    timeout_s=left,
                    sandbox=self._policy.sandbox,
                )
        return Envelope.sign(ANSWER_TYPE, answer.payload(), self._signer()).json()

    def start(self) -> None:
        """Delete what a job left whose agent was killed."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def tick(self) -> None:
        """Delete a job whose time is over."""
        with self._lock:
            self._expire(self._clock.monotonic())

    @contextlib.contextmanager
    def _running(self, step: MeasuringStep) -> Iterator[_ActiveJob]:
        with self._lock:
            job = self._find(step.job)
            if step.number != job.step + 1 or job.running:
                raise SignatureError(
                    "the step is out of order", where="measuring step", expected=f"number {job.step + 1}", found=f"number {step.number}"
                )
            job.step, job.running = step.number, True
        try:
            yield job
        finally:
            with self._lock:
                job.running = False
                self._expire(self._clock.monotonic())

    def _find(self, name: str) -> _ActiveJob:
        self._expire(self._clock.monotonic())
        if self._job is None or not secrets.compare_digest(self._job.name, name):
            raise NotFoundError("no such job, or its time has run out", where="measuring", advice="Start a new job.")
        return self._job

    def _expire(self, now: float) -> None:
        if self._job is not None and self._job.deadline <= now and not self._job.running:
            self._job.files.clear()
            self._job = None
