from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from sealift_core.messages.health import Trouble
from sealift_core.messages.histogram import BOUNDS_MS, BUCKETS, bucket
from sealift_core.messages.report import FeatureDrift
from sealift_runtime.monitoring.counters import Counters
from sealift_runtime.monitoring.prometheus import ModelMetrics, render

NASTY = 'a "quoted" \\ back\nslash {x="1"}'


def _metrics() -> ModelMetrics:
    latencies = [0] * BUCKETS
    latencies[bucket(0.5)] = 3
    latencies[-1] = 2
    counters = Counters(
        requests=5, rows=50, failures={"shape": 2, NASTY: 1}, nonfinite=1, latency_counts=tuple(latencies), latency_sum_ms=1500.25, dropped_rows=4
    )
    drift = FeatureDrift(name=NASTY, counts=(1, 2), distance=0.25, psi=0.3, threshold=0.1, missing=0.01, alarm=True)
    return ModelMetrics(model="m", version="1.0.0", counters=counters, drift=(drift,))


def test_prometheus_reads_every_family_with_its_type_and_help() -> None:
    families = {family.name: family for family in text_string_to_metric_families(render([_metrics()]))}
    types = {name: family.type for name, family in families.items()}
    assert types["sealift_requests"] == types["sealift_request_failures"] == types["sealift_dropped_rows"] == "counter"
    assert types["sealift_request_latency_seconds"] == "histogram"
    assert types["sealift_drift_distance"] == types["sealift_drift_alarm"] == "gauge"
    assert all(family.documentation for family in families.values())


def test_labels_with_quotes_backslashes_and_line_ends_come_back_whole() -> None:
    families = {family.name: family for family in text_string_to_metric_families(render([_metrics()]))}
    assert families["sealift_drift_distance"].samples[0].labels == {"model": "m", "version": "1.0.0", "feature": NASTY}
    assert families["sealift_drift_distance"].samples[0].value == 0.25
    assert {sample.labels["kind"]: sample.value for sample in families["sealift_request_failures"].samples} == {"shape": 2, NASTY: 1}


def test_latency_buckets_are_cumulative_in_seconds_and_end_with_the_count() -> None:
    families = {family.name: family for family in text_string_to_metric_families(render([_metrics()]))}
    samples = families["sealift_request_latency_seconds"].samples
    buckets = {float(sample.labels["le"]): sample.value for sample in samples if sample.name.endswith("_bucket")}
    assert len(buckets) == BUCKETS
    assert (buckets[BOUNDS_MS[-1] / 1000], buckets[float("inf")]) == (3, 5)
    assert [sample.value for sample in samples if not sample.name.endswith("_bucket")] == [1.50025, 5]


def test_a_server_without_models_still_answers_with_its_families() -> None:
    families = list(text_string_to_metric_families(render([])))
    assert len(families) == 14
    assert not any(family.samples for family in families)


def test_what_is_wrong_with_the_device_is_told_once_somebody_looked() -> None:
    def troubles(told: list[str] | None) -> dict[str, float]:
        families = {family.name: family for family in text_string_to_metric_families(render([], troubles=told))}
        return {sample.labels["trouble"]: sample.value for sample in families["sealift_device_trouble"].samples}

    assert troubles(None) == {}
    assert troubles([]) == dict.fromkeys(Trouble, 0.0)
    assert troubles([Trouble.CRASH_LOOP]) == dict.fromkeys(Trouble, 0.0) | {"crash-loop": 1.0}
