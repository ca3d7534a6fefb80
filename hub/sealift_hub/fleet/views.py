"""What the API and the pages tell of the fleet."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from sealift_core.messages.histogram import quantile_ms
from sealift_core.messages.report import model_failures


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ModelView:
    """A model on a device. The figures are of the 24 hours before ``until``, the end of its newest window.

    Latencies are upper bounds in milliseconds (see `sealift_core.messages.histogram`), None without requests. ``drifted`` names the first of the
    ``drift_alarms`` features that drifted. ``channel_version`` is what the device's channel names, ``condition`` and ``standing`` say why the
    device doesn't run that, and what to do; they are empty for a model that is as its channel says, and for what an older agent reported.
    """

    name: str
    version: str
    previous_version: str
    bundle: str
    profile: str
    state: str
    until: datetime.datetime | None
    requests: int
    failures: int
    p50_ms: float | None
    p99_ms: float | None
    drifted: tuple[str, ...]
    drift_alarms: int
    channel_version: str = ""
    condition: str = ""
    standing: str = ""

    @property
    def behind(self) -> bool:
        """Whether the device's channel names another version."""
        return self.channel_version not in ("", self.version)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class InterruptionView:
    """Where an operator had a device's chain taken up again: at report ``number``, asked for and done when, and what is missing."""

    number: int
    reason: str
    asked: datetime.datetime
    time: datetime.datetime


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DeviceView:
    """A device: ``number`` and ``digest`` are the head of its chain, ``host`` what it says about itself.

    ``label`` is what an operator calls it, ``crashes`` when its agent crashed lately. ``offered`` is the lowest number beyond a hole that it offered
    last, ``resume_asked`` when an operator asked to take it up again, which its next report does; ``interruptions`` are where that was done, the
    newest first. ``clock_offset_s`` is how many seconds its clock is ahead, negative for behind; None if it is right as far as its reports show.
    """

    id: str
    enrolled: datetime.datetime
    last_seen: datetime.datetime | None
    number: int
    digest: str | None
    host: Mapping[str, str]
    conflict: str | None
    conflict_seen: datetime.datetime | None
    models: tuple[ModelView, ...]
    clock_offset_s: int | None = None
    label: str = ""
    crashes: tuple[datetime.datetime, ...] = ()
    offered: int | None = None
    resume_asked: datetime.datetime | None = None
    interruptions: tuple[InterruptionView, ...] = ()

    @property
    def gap(self) -> str | None:
        """Which reports are missing, so that those that the device has can't be taken; None if none are."""
        if self.offered is None or self.offered <= self.number + 1:
            return None
        first, last = self.number + 1, self.offered - 1
        return f"report {first} is missing" if first == last else f"reports {first} to {last} are missing"

    @property
    def clock_trouble(self) -> str:
        """What is wrong with its clock, as a sentence; empty if nothing is."""
        if self.clock_offset_s is None:
            return ""
        return f"The device's clock is about {_span(abs(self.clock_offset_s))} {'ahead' if self.clock_offset_s > 0 else 'behind'}."

    @property
    def short_id(self) -> str:
        """The first twelve digits of the id: enough to tell devices apart by eye."""
        return self.id[:12]

    @property
    def name(self) -> str:
        """What an operator calls the device, else what it calls itself, else its short id."""
        return self.label or self.host.get("name") or self.host.get("hostname") or self.short_id

    @property
    def behind(self) -> bool:
        """Whether it runs another version of a model than its channel names."""
        return any(model.behind for model in self.models)

    @property
    def alarms(self) -> int:
        """The number of drifted features over all models."""
        return sum(model.drift_alarms for model in self.models)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WindowView:
    """One window of a model."""

    version: str
    start: datetime.datetime
    end: datetime.datetime
    requests: int
    rows: int
    failures: Mapping[str, int]
    latency_counts: Sequence[int]
    judged: int
    drifted: tuple[str, ...]

    @property
    def failed(self) -> int:
        """Failures of the model and of the agent; a client's mistakes are none."""
        return model_failures(self.failures)

    @property
    def p50_ms(self) -> float | None:
        """An upper bound of the median latency."""
        return quantile_ms(self.latency_counts, 0.5)

    @property
    def p99_ms(self) -> float | None:
        """An upper bound of the 99th percentile of the latency."""
        return quantile_ms(self.latency_counts, 0.99)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DriftView:
    """The features of the newest window with a verdict, the furthest above its threshold first."""

    end: datetime.datetime
    rows: int
    features: tuple[Mapping[str, Any], ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ReportView:
    """A report that the hub has."""

    number: int
    digest: str
    created: datetime.datetime
    received: datetime.datetime
    source: str
    size_bytes: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FleetTotals:
    """The whole fleet at a glance; ``quiet`` devices sent nothing for a day, ``conflicts`` contradict themselves."""

    devices: int
    quiet: int
    conflicts: int
    serving: int
    requests: int
    failures: int
    drifting: int
    alarms: int


def _span(seconds: int) -> str:
    """A stretch of time in its largest fitting unit: ``3 hours``."""
    for word, size in (("year", 31_557_600), ("day", 86_400), ("hour", 3600), ("minute", 60)):
        if seconds >= size:
            count = seconds // size
            return f"{count} {word}{'' if count == 1 else 's'}"
    return f"{seconds} seconds"
