"""A step of a job, in a confined process of its own."""

from __future__ import annotations

import json
from typing import Any

from sealift_core.errors import DocumentError, EngineError, LimitError, SandboxError
from sealift_core.messages.measuring import MAX_ROUNDS, MeasuringAnswer, MeasuringStep
from sealift_core.process.child import MAX_RESULT_BYTES, ChildOutcome
from sealift_core.process.confined import FAULT, FAULT_ADVICE, processor_seconds, run_confined
from sealift_core.process.sandbox import Confinement
from sealift_core.schema.documents import Document
from sealift_runtime.engine.selftest import OUT_OF_MEMORY_STATUS
from sealift_runtime.measuring.job_files import JobFiles

MODULE = "sealift_runtime.measuring.process"


def run_step(step: MeasuringStep, files: JobFiles, *, cores: int, memory_bytes: int, timeout_s: float, sandbox: bool) -> MeasuringAnswer:
    """Measure what a step asks for, with the files that were sent for its job, which it alone can read.

    `EngineError` says how it failed, `SandboxError` that its process could not be started or confined, or broke down by itself.
    """
    assert step.inputs is not None
    runs = [run.json() | {"model": str(files.get(run.model))} for run in step.runs]
    task = {
        "kind": step.kind,
        "inputs": str(files.get(step.inputs)),
        "runs": runs,
        "seconds": step.seconds,
        "rounds": [step.least_rounds, step.most_rounds],
        "batches": list(step.batches),
        "callers": cores,
    }
    path = files.add("task.json", json.dumps(task).encode())
    sent = [files.get(digest) for digest in (step.inputs, *(run.model for run in step.runs))]
    confinement = Confinement(
        readable=tuple(file.absolute() for file in (path, *sent)),
        memory_bytes=memory_bytes,
        cpu_s=processor_seconds(timeout_s),
        walls=sandbox,
    )
    confined = run_confined(MODULE, [str(path.absolute())], confinement, timeout_s=timeout_s)
    return _read(step, confined.outcome, timeout_s, memory_bytes)


def _read(step: MeasuringStep, outcome: ChildOutcome, timeout_s: float, memory_bytes: int) -> MeasuringAnswer:
    where = f"step {step.number} ({step.kind})"
    if outcome.timed_out:
        raise EngineError("the step took longer than the time left for the job", where=where, expected=f"at most {timeout_s:.0f} s")
    if outcome.status == OUT_OF_MEMORY_STATUS:
        raise EngineError("out of memory", where=where, expected=f"at most {memory_bytes} bytes")
    try:
        document = Document.parse_json(outcome.result, where=where, max_bytes=MAX_RESULT_BYTES)
    except (DocumentError, LimitError) as error:
        words = f"status {outcome.status}; it printed {outcome.output[-300:]!r}"
        raise EngineError("the measuring process ended without a result", where=where, found=words) from error
    if document.has(FAULT):
        raise SandboxError("the measuring process itself failed, not the model", where=where, found=document.text(FAULT), advice=FAULT_ADVICE)
    if document.has("failure"):
        raise EngineError(document.text("failure"), where=where)
    return _answer(step, document)


def _answer(step: MeasuringStep, document: Document) -> MeasuringAnswer:
    samples: Any = document.document("samples_ms", {})
    return MeasuringAnswer(
        job=step.job,
        number=step.number,
        samples_ms={name: samples.numbers(name, max_items=MAX_ROUNDS) for name in samples.names()},
        load_time_ms=document.number("load_time_ms", 0.0, minimum=0),
        peak_memory_bytes=document.integer("peak_memory_bytes", 0, minimum=0),
        rows_per_s=document.number("rows_per_s", 0.0, minimum=0),
        batch_size=document.integer("batch_size", 0, minimum=0),
    )
