"""A simulated device for the hub: a key of its own, and reports that chain as a real one's do."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from pathlib import Path

from sealift_core.bundle.digest import Digest
from sealift_core.messages.histogram import BUCKETS, bucket
from sealift_core.messages.report import Event, FeatureDrift, InstalledModel, Report, Window, seal_report
from sealift_core.signing.keys import PrivateKey

NOON = datetime.datetime(2026, 6, 1, 12, 0, 0, tzinfo=datetime.UTC)
HOUR = datetime.timedelta(hours=1)
BUNDLE = Digest.of(b"a bundle")


class SimulatedDevice:
    """Makes reports 1, 2, 3 …, each chained to the one before; ``sealed`` keeps their bytes, oldest first."""

    def __init__(self, name: str = "press-7", key: PrivateKey | None = None, host: Mapping[str, str] | None = None) -> None:
        self.key = key or PrivateKey.generate()
        self.host = {"name": name, **(host or {})}
        self.sealed: list[bytes] = []

    @property
    def id(self) -> str:
        return self.key.public_key.fingerprint

    @property
    def pem(self) -> bytes:
        return self.key.public_key.pem()

    def report(
        self,
        *,
        models: Sequence[InstalledModel] = (),
        windows: Sequence[Window] = (),
        events: Sequence[Event] = (),
        created: datetime.datetime | None = None,
    ) -> bytes:
        """The next report, sealed."""
        number = len(self.sealed) + 1
        report = Report(
            device=self.id,
            number=number,
            previous=Digest.of(self.sealed[-1]) if self.sealed else None,
            created=created or NOON + number * HOUR,
            host=self.host,
            models=tuple(models),
            windows=tuple(windows),
            events=tuple(events),
        )
        self.sealed.append(seal_report(report, self.key))
        return self.sealed[-1]

    def set_back(self, number: int) -> SimulatedDevice:
        """The same device after its disk was set back to what it was after report ``number``."""
        copy = SimulatedDevice(key=self.key, host=self.host)
        copy.sealed = self.sealed[:number]
        return copy

    def export(self, medium: Path) -> Path:
        """Write the key and all reports to a medium, as ``sealift-agent export`` does; the device's folder."""
        folder = medium / "sealift-reports" / self.id
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "device.pub").write_bytes(self.pem)
        for number, data in enumerate(self.sealed, 1):
            (folder / f"{number:010d}.json").write_bytes(data)
        return folder


def installed(name: str = "vibration", version: str = "1.3.0", **changes: str) -> InstalledModel:
    """A model that serves."""
    model = InstalledModel(name=name, version=version, bundle=str(BUNDLE), profile="x86-64-avx2", state="committed", previous_version="1.2.0")
    return dataclasses.replace(model, **changes)


def window(
    model: str = "vibration",
    *,
    end: datetime.datetime = NOON,
    latencies_ms: Mapping[float, int] | None = None,
    failures: Mapping[str, int] | None = None,
    features: Sequence[FeatureDrift] = (),
    version: str = "1.3.0",
) -> Window:
    """An hour of a model, with so many requests of each latency."""
    latencies = {1.0: 100} if latencies_ms is None else latencies_ms
    counts = [0] * BUCKETS
    for latency, number in latencies.items():
        counts[bucket(latency)] += number
    total = sum(counts)
    return Window(
        model=model,
        version=version,
        bundle=BUNDLE,
        start=end - HOUR,
        end=end,
        requests=total,
        rows=total,
        failures=dict(failures or {}),
        latency_counts=tuple(counts),
        features=tuple(features),
    )


def drift(name: str, distance: float, *, threshold: float = 0.1, missing: float = 0.0) -> FeatureDrift:
    """A feature's drift; an alarm if it is above the threshold."""
    alarm = distance > threshold
    return FeatureDrift(name=name, counts=(1, 2, 3), distance=distance, psi=distance**2 * 8, threshold=threshold, missing=missing, alarm=alarm)
