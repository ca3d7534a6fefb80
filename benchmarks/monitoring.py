"""What monitoring costs on the request path: microseconds per request of `ModelMonitor.observed`, beside one run of a tiny model.

Medians of interleaved rounds; the counting itself happens off
the request path and is shown per request, too.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from benchmarks.figure import Figure
from sealift_core.bundle.tensors import TensorSpec
from sealift_packager.assemble.baseline import build_baseline
from sealift_runtime.monitoring.monitor import ModelMonitor

Array = np.ndarray[Any, np.dtype[Any]]
MODEL = Path(__file__).parent.parent / "tests" / "corpus" / "models" / "linear" / "model.onnx"
CALLS, ROUNDS, HOLDOUT = 1000, 15, 2000


def figures() -> list[Figure]:
    """What `ModelMonitor.observed` takes of a request, for a row of a table and for an image."""
    run = tiny_model()
    return [_figure(run, label, shape) for label, shape in (("30 numbers", (30,)), ("28 × 28", (1, 28, 28)))]


def _figure(run: Callable[[], object], label: str, shape: tuple[int, ...]) -> Figure:
    monitor, request = monitored(shape)
    runs, observed, counted = [], [], []
    for _ in range(ROUNDS):
        runs.append(per_call_us(run))
        observed.append(per_call_us(request))
        start = time.perf_counter()
        monitor.count()
        counted.append((time.perf_counter() - start) / CALLS * 1e6)
    if monitor.counters().dropped_rows:
        raise SystemExit("the queue ran over, so these figures mean nothing: lower CALLS")
    base, cost, later = statistics.median(runs), statistics.median(observed), statistics.median(counted)
    return Figure(
        f"watching a request of {label} for drift, on its way to the answer",
        f"{cost:.1f} µs (running a tiny linear model {base:.1f} µs; counting, off the way, {later:.1f} µs)",
    )


def tiny_model() -> Callable[[], object]:
    """One run of a small linear model, on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(MODEL), options, providers=["CPUExecutionProvider"])
    feeds = {session.get_inputs()[0].name: np.zeros((1, 4), dtype=np.float32)}
    return lambda: session.run(None, feeds)


def monitored(shape: tuple[int, ...]) -> tuple[ModelMonitor, Callable[[], None]]:
    """A monitor, and the call that the server makes after each request."""
    random = np.random.default_rng(0)
    inputs = {"x": random.normal(size=(HOLDOUT, *shape)).astype(np.float32)}
    outputs = {"y": random.dirichlet(np.ones(10), HOLDOUT).astype(np.float32)}
    specs = [TensorSpec(name=name, dtype="float32", shape=("batch", *array.shape[1:])) for name, array in (inputs | outputs).items()]
    monitor = ModelMonitor(build_baseline(inputs, outputs, specs[:1], specs[1:], seed=0))
    request, answer = {"x": inputs["x"][:1]}, {"y": outputs["y"][:1]}
    return monitor, lambda: monitor.observed(request, answer, 0.1)


def per_call_us(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    for _ in range(CALLS):
        call()
    return (time.perf_counter() - start) / CALLS * 1e6
