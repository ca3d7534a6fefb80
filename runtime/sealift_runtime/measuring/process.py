"""What a measuring process runs, behind the walls of `sealift_core.process`: it reads the step's files and can write none."""

from __future__ import annotations

import functools
import gc
import json
import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from sealift_core.bundle.golden import Array
from sealift_core.bundle.manifest import SessionSettings
from sealift_core.errors import SealiftError
from sealift_core.messages.measuring import FOOTPRINT, THROUGHPUT
from sealift_core.process.confined import FAULT, describe_fault
from sealift_core.process.memory import status_bytes
from sealift_core.timing.alternation import alternate
from sealift_core.timing.rows import take_rows
from sealift_core.timing.throughput import throughput
from sealift_runtime.engine.facts import CPU
from sealift_runtime.engine.graph import open_graph
from sealift_runtime.engine.selftest import OUT_OF_MEMORY_STATUS
from sealift_runtime.engine.translate import is_out_of_memory

LOADS: Final = 3
RUNS: Final = 5


def main(arguments: Sequence[str], descriptor: int) -> None:
    """Do the step in the file ``arguments[0]`` (JSON, its files as paths) and write the result as JSON to a descriptor."""
    try:
        result = measure(json.loads(Path(arguments[0]).read_bytes()))
    except Exception as error:  # noqa: BLE001  # a process's outermost call
        if is_out_of_memory(error):
            os._exit(OUT_OF_MEMORY_STATUS)
        refused = isinstance(error, SealiftError | OSError | ValueError)
        result = {"failure": str(error)} if refused else {FAULT: describe_fault(error)}
    with os.fdopen(descriptor, "wb") as file:
        file.write(json.dumps(result).encode())


def measure(task: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of the result."""
    inputs = read_inputs(Path(task["inputs"]))
    if task["kind"] == FOOTPRINT:
        return _footprint(task["runs"][0], inputs)
    if task["kind"] == THROUGHPUT:
        return _throughput(task, inputs)
    runs = {run["name"]: functools.partial(_open(run), inputs) for run in task["runs"]}
    gc.disable()
    least, most = task["rounds"]
    samples = alternate(runs, seconds=task["seconds"], least_rounds=least, most_rounds=most)
    rounded = {name: [round(value, 6) for value in values] for name, values in samples.items()}
    return {"samples_ms": rounded}


def _throughput(task: Mapping[str, Any], inputs: Mapping[str, Array]) -> dict[str, Any]:
    """The most rows per second of one session that as many callers ask as there are cores."""
    run = _open(task["runs"][0])
    batches = task["batches"]
    requests = {size: functools.partial(run, take_rows(inputs, size) if len(batches) > 1 else inputs) for size in batches}
    best = throughput(requests, callers=task["callers"], seconds=task["seconds"])
    return {"rows_per_s": round(best.rows_per_s, 1), "batch_size": best.batch_size}


def read_inputs(path: Path) -> dict[str, Array]:
    """The arrays of an ``.npz`` file; text is in it as fixed-width unicode, so that reading needs no pickle."""
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name].astype(object) if archive[name].dtype.kind == "U" else archive[name] for name in archive.files}


def _footprint(candidate: Mapping[str, Any], inputs: Mapping[str, Array]) -> dict[str, Any]:
    """The median time to load, and the memory after the first load and some runs."""
    times: list[float] = []
    peak = 0
    for _ in range(LOADS):
        start = time.perf_counter()
        run = _open(candidate)
        times.append((time.perf_counter() - start) * 1000)
        for _ in range(RUNS):
            run(inputs)
        peak = peak or status_bytes("VmHWM")
        del run
    return {"load_time_ms": statistics.median(times), "peak_memory_bytes": peak}


def _open(run: Mapping[str, Any]) -> Callable[[Mapping[str, Array]], object]:
    settings = SessionSettings(
        providers=(CPU,),
        intra_op_threads=run["threads"],
        inter_op_threads=1,
        graph_optimization=run["graph_optimization"],
        config=run["config"],
    )
    return open_graph(Path(run["model"]), settings)
