"""Load time and peak memory of one model, in a process of its own.

The process is confined (`sealift_core.process`), and imports nothing large but numpy and onnxruntime: its memory is what a device would need.
"""

from __future__ import annotations

import dataclasses
import json
import os
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sealift_core.errors import DocumentError
from sealift_core.process.confined import run_confined
from sealift_core.process.sandbox import Confinement
from sealift_core.schema.documents import Document
from sealift_packager.errors import ConversionError
from sealift_packager.sandbox.outside import outside

if TYPE_CHECKING:
    from sealift_packager.graph.session import Settings

LOADS: Final = 3
RUNS: Final = 5
TIMEOUT_S: Final = 120
MAX_ANSWER_BYTES: Final = 1000
#: What a slow disk gives; the model is loaded several times.
BYTES_PER_S: Final = 16 * 2**20
#: A manifest's graph levels as onnxruntime calls them.
_LEVELS: Final = {"disable": "ORT_DISABLE_ALL", "basic": "ORT_ENABLE_BASIC", "extended": "ORT_ENABLE_EXTENDED", "all": "ORT_ENABLE_ALL"}


@dataclasses.dataclass(frozen=True, slots=True)
class Footprint:
    """What loading and running a model took."""

    load_time_ms: float
    peak_memory_bytes: int


def probe(model: Path, inputs: Path, settings: Settings, *, model_bytes: int = 0) -> Footprint:
    """Load and run a model file in a fresh process; `ConversionError` if that fails, or takes `TIMEOUT_S` and what its ``model_bytes`` add."""
    outer = outside()
    if outer is not None:
        return outer.footprint(model, inputs, settings, model_bytes=model_bytes)
    timeout_s = TIMEOUT_S + model_bytes // BYTES_PER_S
    arguments = [str(model), str(inputs), str(settings.threads), settings.graph_optimization]
    arguments += [f"{key}={value}" for key, value in settings.config.items()]
    outcome = run_confined(__name__, arguments, Confinement(readable=(model.parent, inputs)), timeout_s=timeout_s).outcome
    if outcome.timed_out:
        raise ConversionError(f"the model did not load and run within {timeout_s} s", where=str(model))
    try:
        fields = Document.parse_json(outcome.result, where="footprint", max_bytes=MAX_ANSWER_BYTES)
        return Footprint(load_time_ms=fields.number("load_time_ms", minimum=0), peak_memory_bytes=fields.integer("peak_memory_bytes", minimum=0))
    except DocumentError as error:
        lines = outcome.output.splitlines() or [f"exit status {outcome.status}"]
        raise ConversionError(f"the model does not load or run in a separate process (caused by: {lines[-1]})", where=str(model)) from error


def main(arguments: Sequence[str], descriptor: int) -> None:
    """The process's own side."""
    import numpy as np
    import onnxruntime

    model, inputs, threads, level, *entries = arguments
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(threads)
    options.inter_op_num_threads = 1
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, _LEVELS[level])
    for entry in entries:
        key, _, value = entry.partition("=")
        options.add_session_config_entry(key, value)
    # Text is saved as fixed-width unicode, so that reading needs no pickle.
    feeds = {name: value.astype(object) if value.dtype.kind == "U" else value for name, value in np.load(inputs).items()}
    times: list[float] = []
    peak = 0
    for _ in range(LOADS):
        start = time.perf_counter()
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        times.append((time.perf_counter() - start) * 1000)
        for _ in range(RUNS):
            session.run(None, feeds)
        peak = peak or _peak_memory()
        del session
    os.write(descriptor, json.dumps({"load_time_ms": statistics.median(times), "peak_memory_bytes": peak}).encode())


def _peak_memory() -> int:
    """VmHWM: ``ru_maxrss`` would count the memory of the process that started this one."""
    for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0
