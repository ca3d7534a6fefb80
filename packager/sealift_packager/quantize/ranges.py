"""Ranges of activations from calibration rows, by three methods from one pair of passes.

Rows may differ in shape: every tensor is counted flat. Reading a graph's tensors is onnxruntime's part; what is made of the counts is pure.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

import numpy as np
import onnx

from sealift_packager.graph.session import Settings, open_session
from sealift_packager.model.source import Array, Arrays
from sealift_packager.quantize.editing import returning
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
def observe(model: onnx.ModelProto, requests: Iterable[Arrays]) -> tuple[dict[str, Histogram], int]:
    """Run the graph on each request, twice, and count the values of every float32 tensor in it; also returns the number of requests that ran.

    The larger the graph, the fewer of the requests are run: see `MAX_VALUES`.
    """
    every_tensor = returning(model, [name for node in model.graph.node for name in node.output if name])
    session = open_session(every_tensor, Settings(graph_optimization="disable"), where="calibration")
    names = [output.name for output in session.get_outputs() if output.type == "tensor(float)"]
    run = list(requests)
    each = sum(values.size for _, values in _values(session, names, run[:1]))
    run = run[: max(MIN_REQUESTS, MAX_VALUES // max(each, 1))]
    histograms: dict[str, Histogram] = {}
    for name, values in _values(session, names, run):
        low, high = float(values.min()), float(values.max())
        before = histograms.get(name)
        histograms[name] = Histogram(
            low=min(low, before.low if before else low), high=max(high, before.high if before else high), counts=np.zeros(BINS, np.int64)
        )
    for name, values in _values(session, names, run):
        histogram = histograms[name]
        if histogram.high > histogram.low:
            histogram.counts += bin_counts(values, histogram.low, histogram.high)
    return histograms, len(run)


def bin_counts(values: Array, low: float, high: float) -> Array:
    """How many values lie in each of `BINS` equal bins: what ``np.histogram`` gives but for rounding, in a fraction of its time. Pure."""
    places = ((values.astype(np.float64).ravel() - low) * (BINS / (high - low))).astype(np.intp)
    return np.bincount(np.minimum(places, BINS - 1), minlength=BINS)


def _values(session: Any, names: list[str], requests: list[Arrays]) -> Iterator[tuple[str, Array]]:
    for request in requests:
        answers = session.run(names, dict(request)) if names else []  # no names would be all
        tensors = {**dict(zip(names, answers, strict=True)), **request}
        for name, values in tensors.items():
            if values.dtype == np.float32 and values.size:
                finite = values[np.isfinite(values)]
                if finite.size:
                    yield name, finite


def minmax(histogram: Histogram) -> Range:
    """From the least value to the largest."""
    return histogram.low, histogram.high


def percentile(histogram: Histogram) -> Range:
    """The middle `KEPT` of the values: a few outliers no longer cost all others their precision."""
    total = histogram.counts.sum()
    if not total:
        return histogram.low, histogram.high
    edges = np.linspace(histogram.low, histogram.high, BINS + 1)
    shares = np.cumsum(histogram.counts) / total
    tail = (1 - KEPT) / 2
    first, last = int(np.searchsorted(shares, tail)), int(np.searchsorted(shares, 1 - tail))
    return float(edges[first]), float(edges[min(last + 1, BINS)])


def entropy(histogram: Histogram) -> Range:
    """The symmetric threshold whose int8 histogram diverges least from the values' own (Migacz, TensorRT's calibration, 2017)."""
    total = histogram.counts.sum()
    if not total:
        return histogram.low, histogram.high
    edges = np.linspace(histogram.low, histogram.high, BINS + 1)
    magnitudes = np.abs((edges[:-1] + edges[1:]) / 2)
    largest = max(abs(histogram.low), abs(histogram.high))
    counts, _ = np.histogram(magnitudes, bins=BINS, range=(0, largest), weights=histogram.counts.astype(np.float64))
    ends = range(LEVELS, BINS + 1, 16)
    best = min(ends, key=lambda end: _divergence(counts, end))
    threshold = largest * best / BINS
    return max(histogram.low, -threshold), min(histogram.high, threshold)


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
