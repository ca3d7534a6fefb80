"""What the self-test's own process runs, behind the walls of `sealift_core.process`."""

from __future__ import annotations

import gc
import json
import os
import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from sealift_core.bundle import files
from sealift_core.bundle.comparison import compare_case
from sealift_core.bundle.golden import Array, GoldenCase
from sealift_core.bundle.manifest import BundleManifest
from sealift_core.drift.baseline import Baseline
from sealift_core.errors import DocumentError, EngineError, IntegrityError, LimitError, SealiftError
from sealift_core.process.confined import FAULT, describe_fault
from sealift_core.process.memory import status_bytes
from sealift_core.verify.materialize import read_file
from sealift_runtime.engine.selftest import OUT_OF_MEMORY_STATUS, Failure
from sealift_runtime.engine.session import ModelSession, read_golden
from sealift_runtime.engine.translate import is_out_of_memory

#: What a bundle's own documents, or its graph, can be wrong by.
_UNREADABLE: Final = (DocumentError, IntegrityError, LimitError)
MEASURED_RUNS: Final = 50
MEASURED_S: Final = 2.0


def main(arguments: Sequence[str], descriptor: int) -> None:
    """Test the bundle in the folder ``arguments[0]`` and write the result to a descriptor as JSON.

    It has the fields of `SelfTestResult`, or ``failure`` and ``detail``, or `FAULT` alone if this installation is what fails.
    """
    try:
        fields = test(Path(arguments[0]))
    except Exception as error:  # noqa: BLE001  # a process's outermost call
        if is_out_of_memory(error):
            os._exit(OUT_OF_MEMORY_STATUS)
        fields = _failure(error)
    with os.fdopen(descriptor, "wb") as file:
        file.write(json.dumps(fields).encode())


def _failure(error: Exception) -> dict[str, Any]:
    """What an error says: of the bundle if it's one that loading it raises, else of this installation or its disk."""
    if isinstance(error, _UNREADABLE):
        return {"failure": Failure.DOCUMENT, "detail": str(error)}
    if isinstance(error, EngineError):
        return {"failure": Failure.LOADING, "detail": str(error)}
    return {FAULT: str(error) if isinstance(error, SealiftError) else describe_fault(error)}


def test(directory: Path) -> dict[str, Any]:
    """The fields of the result."""
    start = time.perf_counter()
    session = ModelSession.open(directory)
    load_time_ms = (time.perf_counter() - start) * 1000
    manifest = session.manifest
    cases = read_golden(directory, manifest)
    Baseline.parse(read_file(directory, files.BASELINE), where=str(directory / files.BASELINE))  # what the monitor begins with
    worst = 0.0
    for number, case in enumerate(cases):
        excess, failure, problem = _check(session, number, case)
        if failure:
            return {"failure": failure, "detail": problem}
        worst = max(worst, excess)
    measurement = manifest.evaluation.measurement
    return {
        "cases": len(cases),
        "worst_excess": worst,
        "load_time_ms": load_time_ms,
        "latency_ms": measure_ms(session, batch_of_one(manifest, session.example)),
        "reference_latency_ms": measurement.latency_p50_ms if measurement else None,
        "peak_memory_bytes": status_bytes("VmHWM"),
    }


def _check(session: ModelSession, number: int, case: GoldenCase) -> tuple[float, Failure | None, str]:
    """The excess of a case and, if it is above 1 or the model doesn't run, the failure and what is wrong."""
    try:
        outputs = session.run(case.inputs)
    except SealiftError as error:
        if is_out_of_memory(error):
            raise
        return 0.0, Failure.RUNNING, f"case {number}: {error}"
    difference = compare_case(number, case.outputs, outputs, session.manifest.golden)
    if difference is None:
        return 0.0, None, ""
    return difference.excess, Failure.OUTPUTS if difference.excess > 1 else None, str(difference)


def batch_of_one(manifest: BundleManifest, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """The first row of a request if all inputs share their first symbol, which then is the batch; else the request."""
    symbols = {spec.shape[0] if spec.shape else 0 for spec in manifest.inputs}
    batched = len(symbols) == 1 and isinstance(next(iter(symbols)), str)
    return {name: value[:1] if batched else value for name, value in inputs.items()}


def measure_ms(session: ModelSession, inputs: Mapping[str, Array]) -> float:
    """The median latency of a request in milliseconds, over up to `MEASURED_RUNS` runs or `MEASURED_S` seconds."""
    gc.disable()
    session.run(inputs)
    times: list[float] = []
    end = time.perf_counter() + MEASURED_S
    while len(times) < MEASURED_RUNS and (not times or time.perf_counter() < end):
        start = time.perf_counter()
        session.run(inputs)
        times.append((time.perf_counter() - start) * 1000)
    return statistics.median(times)
