"""Counters and drift as Prometheus text: pure.

Source: https://prometheus.io/docs/instrumenting/exposition_formats/ (text format 0.0.4). Times are in seconds, as
Prometheus wants them; a latency bucket counts everything up to its bound.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

from sealift_core.messages.health import Trouble
from sealift_core.messages.histogram import BOUNDS_MS
from sealift_core.messages.report import CLIENT_FAILURES, FeatureDrift
from sealift_core.terminal.printable import printable
from sealift_runtime.monitoring.counters import Counters


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ModelMetrics:
    """What /metrics says about one served model."""

    model: str
    version: str
    counters: Counters
    drift: tuple[FeatureDrift, ...] = ()

    @property
    def labels(self) -> dict[str, str]:
        """The labels that every sample of this model has."""
        return {"model": self.model, "version": self.version}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What a data plane holds for its clients at this moment; ``queued`` is how many requests wait, by model."""

    in_flight_bytes: int = 0
    in_flight_limit_bytes: int = 0
    resident_bytes: int = 0
    connections: int = 0
    queued: Mapping[str, int] = dataclasses.field(default_factory=dict)


Sample = tuple[str, dict[str, str], float]  # a suffix of the family's name, labels, the value

_COUNTERS: Final[tuple[tuple[str, str, Callable[[Counters], int]], ...]] = (
    ("sealift_requests_total", "Requests that were answered.", lambda counters: counters.requests),
    ("sealift_monitored_rows_total", "Rows that were included in drift monitoring.", lambda counters: counters.rows),
    ("sealift_dropped_rows_total", "Rows that were answered but not monitored because the queue was full.", lambda counters: counters.dropped_rows),
    ("sealift_nonfinite_outputs_total", "Monitored answers that contained a NaN or an infinity.", lambda counters: counters.nonfinite),
)
_DRIFT: Final[tuple[tuple[str, str, Callable[[FeatureDrift], float]], ...]] = (
    ("sealift_drift_distance", "Jensen-Shannon distance to the holdout, 0 to 1.", lambda feature: feature.distance),
    ("sealift_drift_threshold", "The distance above which a window of this size has drifted.", lambda feature: feature.threshold),
    ("sealift_drift_psi", "Population stability index against the holdout.", lambda feature: feature.psi),
    ("sealift_missing_ratio", "Fraction of missing values.", lambda feature: feature.missing),
    ("sealift_drift_alarm", "1 while the feature has drifted.", lambda feature: float(feature.alarm)),
)


def render(models: Sequence[ModelMetrics], failures: Mapping[str, int] | None = None, troubles: Sequence[str] | None = None) -> str:
    """The text of /metrics; every family has HELP and TYPE, also while no model is served.

    ``failures`` are by part of the data plane. ``troubles`` are what is wrong with the device; None while nobody looked, and then nothing is said.
    """
    lines: list[str] = []
    for name, text, total in _COUNTERS:
        lines += _family(name, "counter", text, (("", model.labels, total(model.counters)) for model in models))
    lines += _family("sealift_request_failures_total", "counter", "Requests that failed, by kind of failure.", _failures(models))
    lines += _family("sealift_refused_requests_total", "counter", "Requests that were the client's mistake, by kind.", _failures(models, client=True))
    lines += _family("sealift_request_latency_seconds", "histogram", "Time from the arrival of a request to its answer.", _latencies(models))
    for name, text, value in _DRIFT:
        samples = (("", model.labels | {"feature": feature.name}, value(feature)) for model in models for feature in model.drift)
        lines += _family(name, "gauge", text, samples)
    parts: list[Sample] = [("", {"part": part}, count) for part, count in sorted((failures or {}).items())]
    lines += _family("sealift_background_failures_total", "counter", "Failures of what runs beside the request path, by part.", parts)
    signs: list[Sample] = [] if troubles is None else [("", {"trouble": trouble}, float(trouble in troubles)) for trouble in Trouble]
    lines += _family("sealift_device_trouble", "gauge", "1 while this is wrong with the device.", signs)
    return "\n".join(lines) + "\n"


def render_load(load: Load) -> str:
    """What /metrics says about the data plane as a whole."""
    gauges = (
        ("sealift_in_flight_bytes", "Bytes of requests and answers in flight that count against the budget.", load.in_flight_bytes),
        ("sealift_in_flight_limit_bytes", "The budget of bytes in flight.", load.in_flight_limit_bytes),
        ("sealift_resident_memory_bytes", "Memory that the data plane's process holds.", load.resident_bytes),
        ("sealift_connections", "Connected clients.", load.connections),
    )
    lines = [line for name, text, value in gauges for line in _family(name, "gauge", text, [("", {}, value)])]
    queued: list[Sample] = [("", {"model": model}, count) for model, count in sorted(load.queued.items())]
    lines += _family("sealift_queued_requests", "gauge", "Requests that wait for a worker, by model.", queued)
    return "\n".join(lines) + "\n"


def _family(name: str, metric_type: str, text: str, samples: Iterable[Sample]) -> Iterator[str]:
    yield f"# HELP {name} {text}"
    yield f"# TYPE {name} {metric_type}"
    for suffix, labels, value in samples:
        pairs = ",".join(f'{key}="{_escaped(label)}"' for key, label in labels.items())
        yield f"{name}{suffix}{{{pairs}}} {_number(value)}" if pairs else f"{name}{suffix} {_number(value)}"


def _failures(models: Sequence[ModelMetrics], *, client: bool = False) -> Iterator[Sample]:
    """The failures of the model and of the agent, or those of clients."""
    for model in models:
        counts = sorted(model.counters.failures.items())
        yield from (("", model.labels | {"kind": reason}, count) for reason, count in counts if (reason in CLIENT_FAILURES) == client)


def _latencies(models: Sequence[ModelMetrics]) -> Iterator[Sample]:
    bounds = [*(_number(round(bound / 1000, 9)) for bound in BOUNDS_MS), "+Inf"]
    for model in models:
        sums = list(itertools.accumulate(model.counters.latency_counts))
        yield from (("_bucket", model.labels | {"le": bound}, count) for bound, count in zip(bounds, sums, strict=True))
        yield "_sum", model.labels, round(model.counters.latency_sum_ms / 1000, 9)
        yield "_count", model.labels, sums[-1]


def _escaped(label: str) -> str:
    return printable(label, lines=True).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() and abs(value) < 2**53 else repr(float(value))
