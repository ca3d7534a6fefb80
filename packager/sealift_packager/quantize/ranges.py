"""Ranges of activations from calibration rows, by three methods from one pair of passes.

Rows may differ in shape: every tensor is counted flat. Reading a graph's tensors is onnxruntime's part; what is made of the counts is pure.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import numpy as np
import onnx

from sealift_packager.graph import graph
from sealift_packager.graph.session import Settings, open_session
from sealift_packager.model.source import Array, Arrays
from sealift_packager.sandbox.activity import QUANTIZING, several

BINS: Final = 2048
#: The share of values that the percentile method keeps.
KEPT: Final = 0.9999
#: int8's steps: what entropy calibration squeezes a histogram into.
LEVELS: Final = 128
#: A large model shows this many values after a few requests; more would not move its ranges, but take minutes.
MAX_VALUES: Final = 100_000_000
MIN_REQUESTS: Final = 8

Range = tuple[float, float]


@dataclasses.dataclass(slots=True, kw_only=True)
class Histogram:
    """Counts of one tensor's values between ``low`` and ``high``, both the extremes that were seen."""

    low: float
    high: float
    counts: Array


@several(QUANTIZING)
def observe(model: onnx.ModelProto, rows: Iterable[Arrays]) -> tuple[dict[str, Histogram], int]:
    """Run the graph on each request, twice, and count the values of every float32 tensor in it; how many requests that were is told too.

    The larger the graph, the fewer of the requests are run: see `MAX_VALUES`.
    """
    session = open_session(_watched(model), Settings(graph_optimization="disable"), where="calibration")
    names = [row.name for row in session.get_outputs() if row.type == "tensor(float)"]
    requests = list(rows)
    each = sum(values.size for _, _, values in _values(session, names, requests[:1]))
    requests = requests[: max(MIN_REQUESTS, MAX_VALUES // max(each, 1))]
    found: dict[str, Histogram] = {}
    for _, name, values in _values(session, names, requests):
        low, high = float(values.min()), float(values.max())
        before = found.get(name)
        found[name] = Histogram(
            low=min(low, before.low if before else low), high=max(high, before.high if before else high), counts=np.zeros(BINS, np.int64)
        )
    for _, name, values in _values(session, names, requests):
        row = found[name]
        if row.high > row.low:
            row.counts += bin_counts(values, row.low, row.high)
    return found, len(requests)


def bin_counts(values: Array, low: float, high: float) -> Array:
    """How many values lie in each of `BINS` equal bins: what ``np.histogram`` gives but for rounding, in a fraction of its time. Pure."""
    places = ((values.astype(np.float64).ravel() - low) * (BINS / (high - low))).astype(np.intp)
    return np.bincount(np.minimum(places, BINS - 1), minlength=BINS)


def _watched(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy that gives out every tensor; its types are onnxruntime's to infer, for onnx knows no shapes of ai.onnx.ml's operators."""
    result = graph.copy_of(model)
    known = {row.name for row in result.graph.output}
    names = dict.fromkeys(name for node in result.graph.node for name in node.output if name and name not in known)
    result.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    return result


def _values(session: Any, names: list[str], requests: list[Arrays]) -> Iterable[tuple[int, str, Array]]:
    for number, request in enumerate(requests):
        answers = session.run(names, dict(request)) if names else []  # no names would be all
        tensors = {**dict(zip(names, answers, strict=True)), **request}
        for name, values in tensors.items():
            if values.dtype == np.float32 and values.size:
                finite = values[np.isfinite(values)]
                if finite.size:
                    yield number, name, finite


def minmax(row: Histogram) -> Range:
    """Everything that was seen."""
    return row.low, row.high


def percentile(row: Histogram) -> Range:
    """The middle `KEPT` of the values: a few outliers no longer cost all others their precision."""
    total = row.counts.sum()
    if not total:
        return row.low, row.high
    edges = np.linspace(row.low, row.high, BINS + 1)
    shares = np.cumsum(row.counts) / total
    tail = (1 - KEPT) / 2
    first, last = int(np.searchsorted(shares, tail)), int(np.searchsorted(shares, 1 - tail))
    return float(edges[first]), float(edges[min(last + 1, BINS)])


def entropy(row: Histogram) -> Range:
    """The symmetric threshold whose int8 histogram diverges least from the values' own (Migacz, TensorRT's calibration, 2017)."""
    total = row.counts.sum()
    if not total:
        return row.low, row.high
    edges = np.linspace(row.low, row.high, BINS + 1)
    magnitudes = np.abs((edges[:-1] + edges[1:]) / 2)
    largest = max(abs(row.low), abs(row.high))
    counts, _ = np.histogram(magnitudes, bins=BINS, range=(0, largest), weights=row.counts.astype(np.float64))
    ends = range(LEVELS, BINS + 1, 16)
    best = min(ends, key=lambda end: _divergence(counts, end))
    threshold = largest * best / BINS
    return max(row.low, -threshold), min(row.high, threshold)


def _divergence(counts: Array, end: int) -> float:
    """Kullback–Leibler: the clipped histogram against the same one at `LEVELS` steps."""
    clipped = counts[:end].copy()
    clipped[-1] += counts[end:].sum()
    inside = counts[:end]
    parts = np.minimum(np.arange(end) * LEVELS // end, LEVELS - 1)
    filled = inside > 0
    sums, members = np.bincount(parts, inside, LEVELS), np.bincount(parts, filled, LEVELS)
    squeezed = np.where(filled, (sums / np.maximum(members, 1))[parts], 0)
    p, q = clipped / clipped.sum(), squeezed / max(squeezed.sum(), 1e-30)
    used = p > 0
    return float((p[used] * np.log(p[used] / np.maximum(q[used], 1e-12))).sum())


#: Method → histogram → range.
METHODS: Final[Mapping[str, Callable[[Histogram], Range]]] = {"minmax": minmax, "percentile": percentile, "entropy": entropy}
