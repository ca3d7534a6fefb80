"""Measuring on a device: what a packager asks for, and what the device answers. Pure.

A job names files by digest; each step of it has one of them measured, or several in turns. Job and step are signed by the packager's key, an
answer by the device's. ``docs/reference/protocols.md`` has the requests that carry them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Final

from sealift_core.bundle.digest import Digest
from sealift_core.errors import DocumentError, LimitError
from sealift_core.messages.report import DEVICE_ID
from sealift_core.schema.documents import Document, Json, canonical_json
from sealift_core.session_entries import GRAPH_LEVELS, MAX_THREADS, parse_entries

JOB_TYPE: Final = "application/vnd.sealift.measuring-job.v1+json"
STEP_TYPE: Final = "application/vnd.sealift.measuring-step.v1+json"
ACCEPTANCE_TYPE: Final = "application/vnd.sealift.measuring-acceptance.v1+json"
ANSWER_TYPE: Final = "application/vnd.sealift.measuring-answer.v1+json"
SCHEMA: Final = "sealift.measuring"
MAJOR: Final = 1

PATH: Final = "/measuring/v1"
JOBS: Final = f"{PATH}/jobs"
FILES: Final = f"{PATH}/files"
STEPS: Final = f"{PATH}/steps"

MAX_DOCUMENT_BYTES: Final = 4 * 2**20
MAX_FILES: Final = 64
MAX_RUNS: Final = 256
MAX_ROUNDS: Final = 10_000
MAX_BATCHES: Final = 32
MAX_BATCH: Final = 4096
#: Runs in turns; load time and memory, alone in a process; rows per second with every core busy; end the job.
LATENCY: Final = "latency"
FOOTPRINT: Final = "footprint"
THROUGHPUT: Final = "throughput"
CLOSE: Final = "close"
STEP_KINDS: Final = (LATENCY, FOOTPRINT, THROUGHPUT, CLOSE)
_TOKEN: Final = "[0-9a-f]{32}"  # noqa: S105  (the shape of one)
_NAME: Final = r"[^\x00-\x1f]{1,200}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MeasuringJob:
    """What is going to be sent, to which device.

    Attributes:
        device: The device's id, which is its key's fingerprint.
        nonce: The one that the device gave for this job, and takes once.
        files: The size in bytes of each file that a step may name, by digest.
        challenge: The packager's own nonce: the device signs it with its name for the job (`MeasuringAcceptance`) before anything is sent to it.
            Older packagers have none.
    """

    device: str
    nonce: str
    files: Mapping[Digest, int]
    challenge: str = ""

    @classmethod
    def parse(cls, data: bytes) -> MeasuringJob:
        """Read a job's payload, whose signature was already checked.

        Args:
            data: The payload.

        Returns:
            The job.

        Raises:
            DocumentError: If it can't be read; `UnsupportedSchemaError` if it is of another major version.
            LimitError: If it is larger than its bound, or has too many files.
        """
        document = _document(data, "measuring job")
        files = document.documents("files", max_items=MAX_FILES)
        return cls(
            device=document.text("device", pattern=DEVICE_ID),
            nonce=document.text("nonce", pattern=_TOKEN),
            files={Digest.parse(file.text("digest"), where=file.where): file.integer("size_bytes", minimum=1) for file in files},
            challenge=document.text("challenge", "", pattern=f"({_TOKEN})?"),
        )

    def payload(self) -> bytes:
        """Write what is signed; `parse` gives an equal job back."""
        files: list[Json] = [{"digest": str(digest), "size_bytes": size} for digest, size in self.files.items()]
        return _payload({"device": self.device, "nonce": self.nonce, "files": files, "challenge": self.challenge})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MeasuringAcceptance:
    """The device takes a job. Whoever signs this has the device's key, now, for this job.

    Attributes:
        device: The device's id.
        challenge: The packager's, repeated.
        job: The device's name for the job.
    """

    device: str
    challenge: str
    job: str

    @classmethod
    def parse(cls, data: bytes) -> MeasuringAcceptance:
        """Read an acceptance's payload, whose signature was already checked.

        Args:
            data: The payload.

        Returns:
            The acceptance.

        Raises:
            DocumentError: If it can't be read; `UnsupportedSchemaError` if it is of another major version.
            LimitError: If it is larger than its bound.
        """
        document = _document(data, "measuring acceptance")
        return cls(
            device=document.text("device", pattern=DEVICE_ID),
            challenge=document.text("challenge", pattern=_TOKEN),
            job=document.text("job", pattern=_TOKEN),
        )

    def payload(self) -> bytes:
        """Write what is signed; `parse` gives an equal acceptance back."""
        return _payload(dataclasses.asdict(self))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A graph and how its session is set up.

    Attributes:
        name: The packager's name for it, different from the step's other runs.
        model: Which of the job's files is the graph.
        threads: Threads within an operator.
        graph_optimization: One of `sealift_core.session_entries.GRAPH_LEVELS`.
        config: Session entries that `session_entries` allows, as in a bundle.
    """

    name: str
    model: Digest
    threads: int
    graph_optimization: str
    config: Mapping[str, str]

    @classmethod
    def parse(cls, document: Document) -> Run:
        """Read one run.

        Args:
            document: Its table in a step.

        Returns:
            The run.

        Raises:
            DocumentError: If a field is missing, of another type, or not allowed.
            LimitError: If a text is too long.
        """
        return cls(
            name=document.text("name", pattern=_NAME),
            model=Digest.parse(document.text("model"), where=document.where),
            threads=document.integer("threads", minimum=1, maximum=MAX_THREADS),
            graph_optimization=document.text("graph_optimization", one_of=GRAPH_LEVELS),
            config=parse_entries(document.document("config", {})),
        )

    def json(self) -> dict[str, Json]:
        """Write the run as a step does."""
        return dataclasses.asdict(self) | {"model": str(self.model), "config": dict(self.config)}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MeasuringStep:
    """One thing to do in a job.

    Attributes:
        job: The device's name for the job.
        number: Goes up by one, so that no step can be asked for twice.
        kind: ``latency`` takes all runs in turns. ``footprint`` loads one run in a process of its own. ``throughput`` asks one run with every core
            busy. ``close`` ends the job.
        inputs: Which of the job's files holds the inputs; None for ``close``.
        runs: What to measure; none for ``close``.
        seconds: How long ``latency`` goes on, between its least and most rounds, or ``throughput`` with each batch size.
        least_rounds: The fewest rounds of ``latency``.
        most_rounds: The most rounds of ``latency``.
        batches: The batch sizes of ``throughput``, in rows, which are the inputs' rows again and again; the inputs as they are where there is one
            batch size.
    """

    job: str
    number: int
    kind: str
    inputs: Digest | None = None
    runs: tuple[Run, ...] = ()
    seconds: float = 0.0
    least_rounds: int = 1
    most_rounds: int = 1
    batches: tuple[int, ...] = ()

    @classmethod
    def parse(cls, data: bytes) -> MeasuringStep:
        """Read a step's payload, whose signature was already checked.

        Args:
            data: The payload.

        Returns:
            The step.

        Raises:
            DocumentError: If it can't be read, has nothing to do, or has two runs of one name.
            UnsupportedSchemaError: If it is of another major version.
            LimitError: If it is larger than its bound, or has too many runs or batches.
        """
        document = _document(data, "measuring step")
        inputs = document.text("inputs", None)
        step = cls(
            job=document.text("job", pattern=_TOKEN),
            number=document.integer("number", minimum=1),
            kind=document.text("kind", one_of=STEP_KINDS),
            inputs=Digest.parse(inputs, where=document.where) if inputs is not None else None,
            runs=tuple(Run.parse(run_table) for run_table in document.documents("runs", max_items=MAX_RUNS)),
            seconds=document.number("seconds", minimum=0, maximum=3600),
            least_rounds=document.integer("least_rounds", minimum=1, maximum=MAX_ROUNDS),
            most_rounds=document.integer("most_rounds", minimum=1, maximum=MAX_ROUNDS),
            batches=document.integers("batches", (), minimum=1, max_items=MAX_BATCHES),
        )
        alone = step.kind != LATENCY and len(step.runs) > 1
        if step.kind != CLOSE and (not step.runs or step.inputs is None or alone):
            raise DocumentError(
                "the step's inputs or runs don't fit its kind", where=document.where, expected="inputs, and runs (latency: several; others: one)"
            )
        if step.kind == THROUGHPUT and not 1 <= max(step.batches, default=0) <= MAX_BATCH:
            expected = f"batches of 1 to {MAX_BATCH} rows"
            raise DocumentError("wrong batch sizes", where=document.where, expected=expected, found=str(list(step.batches)))
        if len({run.name for run in step.runs}) != len(step.runs):
            raise DocumentError("two runs have the same name", where=f"{document.where}.runs")
        return step

    def payload(self) -> bytes:
        """Write what is signed; `parse` gives an equal step back."""
        inputs = str(self.inputs) if self.inputs else None
        return _payload(dataclasses.asdict(self) | {"inputs": inputs, "runs": [run.json() for run in self.runs], "batches": list(self.batches)})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MeasuringAnswer:
    """What came of a step.

    Attributes:
        job: The device's name for the job.
        number: The step's number.
        samples_ms: For ``latency``: the milliseconds of each round, by run.
        load_time_ms: For ``footprint``: how long a session takes to load, the median of several.
        peak_memory_bytes: For ``footprint``: the most memory that the process took.
        rows_per_s: For ``throughput``: the most rows per second.
        batch_size: For ``throughput``: the batch size that gave them, in rows.
    """

    job: str
    number: int
    samples_ms: Mapping[str, tuple[float, ...]] = dataclasses.field(default_factory=dict)
    load_time_ms: float = 0.0
    peak_memory_bytes: int = 0
    rows_per_s: float = 0.0
    batch_size: int = 0

    @classmethod
    def parse(cls, data: bytes) -> MeasuringAnswer:
        """Read an answer's payload, whose signature was already checked.

        Args:
            data: The payload.

        Returns:
            The answer.

        Raises:
            DocumentError: If it can't be read; `UnsupportedSchemaError` if it is of another major version.
            LimitError: If it is larger than its bound, or the samples can't be paired: too many runs, or not the same number of rounds for each.
        """
        document = _document(data, "measuring answer")
        table = document.document("samples_ms")
        samples = {name: table.numbers(name, minimum=0, max_items=MAX_ROUNDS) for name in table.names()}
        if len(samples) > MAX_RUNS or len({len(values) for values in samples.values()}) > 1:
            raise LimitError("samples that are not pairs", where=table.where, expected="the same number of rounds for each run")
        return cls(
            job=document.text("job", pattern=_TOKEN),
            number=document.integer("number", minimum=1),
            samples_ms=samples,
            load_time_ms=document.number("load_time_ms", minimum=0),
            peak_memory_bytes=document.integer("peak_memory_bytes", minimum=0),
            rows_per_s=document.number("rows_per_s", 0.0, minimum=0),
            batch_size=document.integer("batch_size", 0, minimum=0),
        )

    def payload(self) -> bytes:
        """Write what is signed; `parse` gives an equal answer back."""
        return _payload(dataclasses.asdict(self) | {"samples_ms": {name: list(values) for name, values in self.samples_ms.items()}})


def _document(data: bytes, where: str) -> Document:
    document = Document.parse_json(data, where=where, max_bytes=MAX_DOCUMENT_BYTES)
    document.schema(SCHEMA, MAJOR)
    return document


def _payload(fields: Mapping[str, Json]) -> bytes:
    return canonical_json({"schema": f"{SCHEMA}/{MAJOR}", **fields})
