"""What the database remembers, as values."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Sequence
from pathlib import Path

from sealift_core.bundle.digest import Digest
from sealift_runtime.inference.trial_counts import TrialCounts
from sealift_runtime.update.table import State


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class InstalledBundle:
    """A bundle on this device. ``digest`` is its OCI manifest's; ``release`` and ``release_size`` are its release's index."""

    name: str
    version: str
    digest: Digest
    profile: str
    release: Digest
    release_size: int
    directory: Path


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """One model on this device: what is to serve, and what to go back to."""

    name: str
    current: InstalledBundle | None
    previous: InstalledBundle | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ServingCounters:
    """What one model did since it was loaded: counts, latencies by the buckets of `sealift_core.messages.histogram`.

    ``failures`` are those that may be the model's; ``trial`` is how it compares with the previous version, while it is new.
    """

    requests: int = 0
    failures: int = 0
    nonfinite: int = 0
    latency_counts: Sequence[int] = ()
    trial: TrialCounts | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Probation:
    """A probation that runs: since when, until when, the new bundle's counters at its start, the old one's at its end."""

    started: datetime.datetime
    deadline: datetime.datetime
    start: ServingCounters
    before: ServingCounters | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """The latest update of one model.

    ``bundle`` and ``profile`` are known from state fetching on, ``probation`` in that state. ``attempts`` counts
    self-tests; ``reason`` says why it ended, or what holds it up. ``hindrances`` counts how often it was held up, ``held_since`` is when that
    began, and ``retry_at`` when it is tried again; both are None while nothing holds it up. A ``repair`` brings back what ran here and was damaged,
    whether the channel still names it or not.
    """

    name: str
    version: str
    state: State
    release: Digest
    release_size: int
    bundle: Digest | None = None
    bundle_size: int = 0
    profile: str = ""
    attempts: int = 0
    probation: Probation | None = None
    reason: str = ""
    hindrances: int = 0
    held_since: datetime.datetime | None = None
    retry_at: datetime.datetime | None = None
    repair: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RefusedRelease:
    """A release that isn't tried again until `Updater.retry` forgives it, or the channel names another one.

    ``since`` is when it was refused, None if that was never written down. ``machine`` is what the machine and its libraries were then
    (`Context.machine_state`), empty if the release was refused whatever they are: another machine is a new try.
    """

    release: Digest
    name: str
    version: str
    reason: str
    since: datetime.datetime | None = None
    machine: str = ""
