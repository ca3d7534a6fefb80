"""Windows, events and installed models for tests that send them about."""

from __future__ import annotations

import dataclasses
import datetime
from typing import Any

from sealift_core.bundle.digest import Digest
from sealift_core.messages.histogram import BUCKETS, bucket
from sealift_core.messages.report import Event, FeatureDrift, InstalledModel, Window

NOON = datetime.datetime(2026, 6, 1, 12, 0, 0, tzinfo=datetime.UTC)
BUNDLE = Digest.of(b"a bundle")
HOST = {"hostname": "press-7", "arch": "x86_64"}
MODEL = InstalledModel(name="wear", version="1.2.0", bundle=str(BUNDLE), profile="cpu-avx2", state="active", previous_version="1.1.0")


def make_window(number: int = 0, **changes: Any) -> Window:
    """An hour of a model with two features, ``number`` hours after noon."""
    latencies = [0] * BUCKETS
    latencies[bucket(0.5)] = 10
    window = Window(
        model="wear",
        version="1.2.0",
        bundle=BUNDLE,
        start=NOON + datetime.timedelta(hours=number),
        end=NOON + datetime.timedelta(hours=number + 1),
        requests=10,
        rows=100,
        failures={"shape": 1},
        latency_counts=tuple(latencies),
        features=(make_feature("x[0]"), make_feature("x[1]", counts=(100, 0, 0, 0))),
    )
    return dataclasses.replace(window, **changes)


def make_feature(name: str, **changes: Any) -> FeatureDrift:
    """One feature's drift over a hundred rows."""
    drift = FeatureDrift(name=name, counts=(10, 20, 30, 40), distance=0.05, psi=0.01, threshold=0.2, missing=0.4, alarm=False)
    return dataclasses.replace(drift, **changes)


def make_event(number: int) -> Event:
    """An entry of the ledger."""
    return Event(number=number, time=NOON, kind="activated", model="wear", version="1.2.0", detail=f"entry {number}")
