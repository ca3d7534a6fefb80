"""What is checked before anything is measured for somebody, and that nothing stays."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sealift_core.bundle.digest import Digest
from sealift_core.errors import (
    BusyError,
    ConfigurationError,
    DiskFullError,
    DocumentError,
    EngineError,
    IntegrityError,
    LimitError,
    NotFoundError,
    SandboxError,
    SealiftError,
    SignatureError,
)
from sealift_core.hardware.document import machine_json, parse_machine
from sealift_core.hardware.machine import detect_machine
from sealift_core.messages.measuring import (
    ACCEPTANCE_TYPE,
    ANSWER_TYPE,
    JOB_TYPE,
    STEP_TYPE,
    MeasuringAcceptance,
    MeasuringAnswer,
    MeasuringJob,
    MeasuringStep,
    Run,
)
from sealift_core.schema.documents import Document
from sealift_core.session_entries import ENTRIES
from sealift_core.signing.dsse import Envelope
from sealift_core.signing.keys import PrivateKey
from sealift_runtime.measuring.nonces import MAX_USED, NONCE_S, Nonces
from sealift_runtime.measuring.policy import MeasuringPolicy
from sealift_runtime.measuring.service import MeasurementService
from support.clocks import ManualClock
from support.hostile_graphs import hostile_graphs
from support.interpreters import broken_interpreter
from support.models import CORPUS, CREATED, MODELS
from support.native_entries import native_entries

DEVICE, PACKAGER, STRANGER = (PrivateKey.generate() for _ in range(3))
GRAPH = (CORPUS / "linear" / "model.onnx").read_bytes()


def npz(**arrays: Any) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


INPUTS = npz(x=MODELS["linear"].requests[0]["x"])
FILES = {Digest.of(file): len(file) for file in (GRAPH, INPUTS)}


class Harness:
    """A measurement service in a folder, and the packager's side of it."""

    def __init__(self, folder: Path, **changes: Any) -> None:
        self.folder = folder / "measuring"
        self.clock = ManualClock(CREATED)
        self.busy = False
        fields: dict[str, Any] = {
            "enabled": True,
            "trusted_keys": (PACKAGER.public_key.fingerprint,),
            "max_bytes": 2**20,
            "max_s": 60.0,
            "memory_bytes": 2**30,
            "reserve_bytes": 0,
        }
        policy = MeasuringPolicy(**(fields | changes))
        self.service = MeasurementService(self.folder, policy, lambda: DEVICE, detect_machine, self.clock, self.undisturbed)

    @contextlib.contextmanager
    def undisturbed(self) -> Iterator[None]:
        if self.busy:
            raise BusyError("an update is under way")
        yield

    def job(self, **changes: Any) -> bytes:
        nonce = str(self.service.invite()["nonce"])
        fields: dict[str, Any] = {"device": DEVICE.public_key.fingerprint, "nonce": nonce, "files": FILES}
        return signed(JOB_TYPE, MeasuringJob(**(fields | changes)).payload())

    def begin(self, files: dict[Digest, int] | None = None) -> str:
        return str(self.service.begin(self.job(files=files or FILES))["job"])

    def begin_with(self, *files: bytes) -> str:
        name = self.begin({Digest.of(file): len(file) for file in files})
        for file in files:
            self.service.receive(name, Digest.of(file), 0, file)
        return name

    def step(self, name: str, number: int, kind: str = "footprint", graph: bytes = GRAPH, inputs: bytes = INPUTS, **changes: Any) -> MeasuringAnswer:
        fields: dict[str, Any] = {"inputs": Digest.of(inputs), "runs": (run("fp32", graph),)} | changes
        step = MeasuringStep(job=name, number=number, kind=kind, **fields)
        answer = Envelope.parse(Document(self.service.step(signed(STEP_TYPE, step.payload())), "answer"))
        return MeasuringAnswer.parse(answer.open(DEVICE.public_key, ANSWER_TYPE, where="answer"))


def run(name: str, graph: bytes = GRAPH, **changes: Any) -> Run:
    fields: dict[str, Any] = {"threads": 1, "graph_optimization": "all", "config": {}} | changes
    return Run(name=name, model=Digest.of(graph), **fields)


def signed(payload_type: str, payload: bytes, key: PrivateKey = PACKAGER) -> bytes:
    return json.dumps({"key": key.public_key.pem().decode(), "envelope": Envelope.sign(payload_type, payload, key).json()}).encode()


@pytest.fixture
def harness(tmp_path: Path) -> Harness:
    return Harness(tmp_path)


def test_runs_are_measured_in_turns_and_all_that_was_sent_is_deleted(harness: Harness) -> None:
    name = harness.begin_with(GRAPH, INPUTS)
    runs = (run("a"), run("b", threads=2, config={"session.force_spinning_stop": "1"}))
    answer = harness.step(name, 1, "latency", runs=runs, seconds=0.0, least_rounds=7, most_rounds=9)
    assert {run_name: len(values) for run_name, values in answer.samples_ms.items()} == {"a": 7, "b": 7}
    alone = harness.step(name, 2)
    assert alone.load_time_ms > 0
    assert alone.peak_memory_bytes > 10 * 2**20
    assert harness.folder.exists()
    harness.step(name, 3, "close", runs=())
    assert not harness.folder.exists()
    with pytest.raises(NotFoundError, match="no such job"):
        harness.step(name, 4)


def test_a_fault_of_this_installation_is_not_the_candidate_s(harness: Harness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = harness.begin_with(GRAPH, INPUTS)
    broken = broken_interpreter(tmp_path / "python", "import onnxruntime; del onnxruntime.InferenceSession")
    monkeypatch.setattr(sys, "executable", str(broken))
    with pytest.raises(SandboxError, match="the measuring process itself failed, not the model: found AttributeError: .*InferenceSession"):
        harness.step(name, 1)


def test_throughput_is_of_rows_that_come_again_in_each_batch(harness: Harness) -> None:
    answer = harness.step(harness.begin_with(GRAPH, INPUTS), 1, "throughput", seconds=0.01, batches=(1, 7))
    assert answer.batch_size in (1, 7)
    assert answer.rows_per_s > 0
    assert not answer.samples_ms


@pytest.mark.parametrize("batches", [(), (0,), (1, 10**6), tuple(range(1, 40))])
def test_throughput_of_impossible_batches_is_refused(harness: Harness, batches: tuple[int, ...]) -> None:
    with pytest.raises((DocumentError, LimitError), match="batches"):
        harness.step(harness.begin_with(GRAPH, INPUTS), 1, "throughput", batches=batches)


def test_text_inputs_need_no_pickle(harness: Harness) -> None:
    graph, words = (CORPUS / "text" / "model.onnx").read_bytes(), npz(word=np.array(["a", "größe"]))
    assert harness.step(harness.begin_with(graph, words), 1, graph=graph, inputs=words).load_time_ms > 0
    harness.clock.advance(100)
    pickled = npz(x=np.array([{}], dtype=object))
    with pytest.raises(EngineError, match="allow_pickle"):
        harness.step(harness.begin_with(GRAPH, pickled), 1, inputs=pickled)


def test_a_service_that_is_off_does_nothing(tmp_path: Path) -> None:
    harness = Harness(tmp_path, enabled=False)
    asks: list[Callable[[], object]] = [
        harness.service.invite,
        lambda: harness.service.begin(b"{}"),
        lambda: harness.service.step(b"{}"),
        lambda: harness.service.receive("", Digest.of(b""), 0, b""),
    ]
    for ask in asks:
        with pytest.raises(ConfigurationError, match="doesn't accept measuring jobs"):
            ask()


def test_a_job_is_accepted_with_a_proof_of_the_device_s_key_over_the_packager_s_challenge(harness: Harness) -> None:
    answer = harness.service.begin(harness.job(challenge="a" * 32))
    payload = Envelope.parse(Document(answer["acceptance"], "answer")).open(DEVICE.public_key, ACCEPTANCE_TYPE, where="answer")
    accepted = MeasuringAcceptance.parse(payload)
    assert accepted == MeasuringAcceptance(device=DEVICE.public_key.fingerprint, challenge="a" * 32, job=str(answer["job"]))


def test_an_older_packager_that_has_no_challenge_is_served_as_before(harness: Harness) -> None:
    assert "acceptance" not in harness.service.begin(harness.job())


def test_a_job_that_is_not_signed_by_a_trusted_key_for_this_device_is_refused(harness: Harness) -> None:
    payload = MeasuringJob(device=DEVICE.public_key.fingerprint, nonce=str(harness.service.invite()["nonce"]), files=FILES).payload()
    with pytest.raises(SignatureError, match="doesn't accept measuring jobs from this key"):
        harness.service.begin(signed(JOB_TYPE, payload, STRANGER))
    with pytest.raises(SignatureError, match="the signed content is of another type"):
        harness.service.begin(signed(STEP_TYPE, payload))
    forged = json.loads(signed(JOB_TYPE, payload))
    forged["envelope"]["payload"] = base64.b64encode(payload.replace(b'"size_bytes": ', b'"size_bytes": 1')).decode()
    with pytest.raises(SignatureError, match="doesn't match"):
        harness.service.begin(json.dumps(forged).encode())
    with pytest.raises(SignatureError, match="for another device"):
        harness.service.begin(harness.job(device=STRANGER.public_key.fingerprint))


def test_a_nonce_holds_once_and_not_for_long(harness: Harness) -> None:
    request = harness.job(files={})
    name = str(harness.service.begin(request)["job"])
    harness.step(name, 1, "close", runs=())
    with pytest.raises(SignatureError, match="already used"):
        harness.service.begin(request)
    late = harness.job()
    harness.clock.advance(NONCE_S + 1)
    with pytest.raises(SignatureError, match="has expired"):
        harness.service.begin(late)


def test_a_step_can_not_be_asked_for_twice(harness: Harness) -> None:
    name = harness.begin_with(GRAPH, INPUTS)
    harness.step(name, 1)
    for number in (1, 3):
        with pytest.raises(SignatureError, match=f"expected number 2, found number {number}"):
            harness.step(name, number)


def test_no_byte_more_and_no_other_content_than_was_signed_is_taken(harness: Harness) -> None:
    name, digest = harness.begin(), Digest.of(GRAPH)
    with pytest.raises(NotFoundError, match="no such file"):
        harness.service.receive(name, Digest.of(b"else"), 0, b"else")
    with pytest.raises(NotFoundError, match="no such job"):
        harness.service.receive("0" * 32, digest, 0, GRAPH)
    harness.service.receive(name, digest, 0, GRAPH[:10])
    with pytest.raises(IntegrityError, match="the piece at byte 10, found the one at byte 0"):
        harness.service.receive(name, digest, 0, GRAPH[:10])
    with pytest.raises(LimitError, match="the file is larger than announced"):
        harness.service.receive(name, digest, 10, GRAPH)
    with pytest.raises(NotFoundError, match="the file wasn't sent completely"):
        harness.step(name, 1)
    with pytest.raises(IntegrityError, match="differs from what was signed"):
        harness.service.receive(name, digest, 10, bytes(len(GRAPH) - 10))
    harness.service.receive(name, digest, 0, GRAPH)


def test_a_job_that_is_too_large_or_has_no_room_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LimitError, match=r"measuring\.max_mb"):
        Harness(tmp_path, max_bytes=100).begin()
    with pytest.raises(DiskFullError):
        Harness(tmp_path, reserve_bytes=2**60).begin()


def test_one_job_at_a_time_and_none_while_an_update_is_under_way(harness: Harness) -> None:
    name = harness.begin_with(GRAPH, INPUTS)
    with pytest.raises(BusyError, match="already working on another measuring job"):
        harness.begin()
    harness.busy = True
    with pytest.raises(BusyError, match="an update"):
        harness.step(name, 1)
    harness.busy = False
    assert harness.step(name, 1).load_time_ms > 0
    harness.clock.advance(61)
    harness.busy = True
    with pytest.raises(BusyError, match="an update"):
        harness.begin()


def test_a_job_whose_time_is_over_is_deleted(harness: Harness) -> None:
    harness.begin_with(GRAPH, INPUTS)
    harness.clock.advance(59)
    harness.service.tick()
    assert len(list(harness.folder.iterdir())) == 2
    harness.clock.advance(2)
    harness.service.tick()
    assert not harness.folder.exists()


def test_what_a_killed_agent_left_is_deleted_at_the_start(harness: Harness) -> None:
    harness.begin_with(GRAPH, INPUTS)
    harness.service.start()
    assert not harness.folder.exists()


def test_a_candidate_that_eats_the_memory_is_ended(tmp_path: Path) -> None:
    harness = Harness(tmp_path, memory_bytes=256 * 2**20)
    graph, size = (CORPUS / "hungry" / "model.onnx").read_bytes(), npz(size=np.array([2**28], np.int64))
    with pytest.raises(EngineError, match="out of memory"):
        harness.step(harness.begin_with(graph, size), 1, graph=graph, inputs=size)


def test_a_candidate_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    harness = Harness(tmp_path, max_s=1.5)
    graph, slow = (CORPUS / "slow" / "model.onnx").read_bytes(), npz(x=np.zeros((1, 4), np.float32), rounds=np.array([10**8], np.int64))
    with pytest.raises(EngineError, match="the step took longer than the time left for the job"):
        harness.step(harness.begin_with(graph, slow), 1, graph=graph, inputs=slow)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"kind": "else"}, "not a known value"),
        ({"runs": ()}, "inputs or runs don't fit its kind"),
        ({"kind": "footprint", "runs": (run("a"), run("b"))}, "inputs or runs don't fit its kind"),
        ({"runs": (run("a"), run("a"))}, "the same name"),
        ({"runs": (run("a", config={"ep.cuda.path": "x"}),)}, "this session entry isn't allowed"),
        ({"runs": (run("a", threads=0),)}, "threads"),
        ({"most_rounds": 10**9}, "most_rounds"),
        ({"seconds": 1e9}, "seconds"),
    ],
)
def test_a_step_that_is_none_is_refused(changes: dict[str, Any], words: str) -> None:
    fields: dict[str, Any] = {"job": "0" * 32, "number": 1, "kind": "latency", "inputs": Digest.of(INPUTS), "runs": (run("a"),)}
    with pytest.raises(SealiftError, match=words):
        MeasuringStep.parse(MeasuringStep(**(fields | changes)).payload())


@pytest.mark.parametrize("name", sorted(native_entries() - set(ENTRIES)))
def test_a_job_sets_no_session_entry_that_a_bundle_may_not_set(name: str, tmp_path: Path) -> None:
    step = MeasuringStep(job="0" * 32, number=1, kind="footprint", inputs=Digest.of(INPUTS), runs=(run("a", config={name: str(tmp_path / "file")}),))
    with pytest.raises(DocumentError, match="this session entry isn't allowed"):
        MeasuringStep.parse(step.payload())


@pytest.mark.parametrize(
    "name", ["location-absolute", "location-unlisted-shard", "external-in-constant", "operator-context", "ort-config", "garbage"]
)
def test_a_graph_that_does_more_than_compute_is_not_measured(name: str, harness: Harness, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(16))
    hostile = hostile_graphs(str(secret))[name]
    job = harness.begin_with(hostile.data, INPUTS)
    with pytest.raises(EngineError, match="the model does not load: ") as caught:
        harness.step(job, 1, graph=hostile.data)
    assert hostile.words in str(caught.value)
    assert str(harness.folder) not in str(caught.value)
    assert secret.read_bytes() == bytes(16)


def test_documents_and_machines_are_read_as_they_were_written() -> None:
    job = MeasuringJob(device=DEVICE.public_key.fingerprint, nonce="0" * 32, files=FILES)
    step = MeasuringStep(
        job="0" * 32, number=3, kind="latency", inputs=Digest.of(INPUTS), runs=(run("a", config={"session.force_spinning_stop": "1"}),), seconds=1.5
    )
    answer = MeasuringAnswer(job="0" * 32, number=3, samples_ms={"a": (1.0, 2.0), "b": (3.0, 4.0)})
    assert MeasuringJob.parse(job.payload()) == job
    assert MeasuringStep.parse(step.payload()) == step
    assert MeasuringAnswer.parse(answer.payload()) == answer
    with pytest.raises(LimitError, match="samples that are not pairs"):
        MeasuringAnswer.parse(MeasuringAnswer(job="0" * 32, number=3, samples_ms={"a": (1.0,), "b": (3.0, 4.0)}).payload())
    with pytest.raises(DocumentError):
        MeasuringJob.parse(step.payload())
    machine = detect_machine()
    assert parse_machine(Document(json.loads(json.dumps(machine_json(machine))), "machine")) == machine


def test_strangers_who_ask_for_nonces_push_none_out(harness: Harness) -> None:
    nonce = str(harness.service.invite()["nonce"])
    before = len(harness.service._nonces._used)
    for _ in range(2000):
        harness.service.invite()
    assert len(harness.service._nonces._used) == before
    harness.service._nonces.take(nonce, harness.clock.monotonic())


def test_a_nonce_is_this_process_s_own_and_unchanged() -> None:
    ours, others = Nonces(), Nonces()
    nonce = ours.give(1000.5)
    for foreign in (others.give(1000.5), nonce[:-1] + ("0" if nonce[-1] != "0" else "1"), f"{1050:08x}" + nonce[8:], "0" * 32):
        with pytest.raises(SignatureError, match="nonce"):
            ours.take(foreign, 1001)
    with pytest.raises(SignatureError, match="nonce"):
        ours.take(nonce, 999)
    ours.take(nonce, 1000.5 + NONCE_S - 1)
    with pytest.raises(SignatureError, match="already used"):
        ours.take(nonce, 1000.5 + NONCE_S - 1)


def test_used_nonces_are_bounded_and_forgotten_when_they_hold_no_more() -> None:
    nonces = Nonces()
    for _ in range(MAX_USED):
        nonces.take(nonces.give(1000), 1000)
    with pytest.raises(BusyError, match="too many jobs in a minute"):
        nonces.take(nonces.give(1000), 1000)
    nonces.take(nonces.give(1000 + NONCE_S), 1000 + NONCE_S)
    assert len(nonces._used) == 1
