"""The answers of the API, as OpenAPI describes them."""

from __future__ import annotations

import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from sealift_hub.fleet.health import health, state
from sealift_hub.fleet.views import DeviceView


class _Answer(BaseModel):
    model_config = ConfigDict(from_attributes=True, frozen=True)


class ErrorAnswer(_Answer):
    """What went wrong, in words for the person who has to fix it."""

    error: str = Field(examples=["a1b2c3: no such device"])


class GapAnswer(ErrorAnswer):
    """Reports are missing; the device sends again from ``acknowledged`` + 1."""

    acknowledged: int = Field(ge=0)


class ReceiptAnswer(_Answer):
    """The hub has every report of the device up to and including number ``acknowledged``; ``signed`` says the same, signed by the hub's ``key``."""

    model_config = ConfigDict(populate_by_name=True)

    schema_: Literal["sealift.receipt/1"] = Field(alias="schema")
    device: str
    acknowledged: int = Field(ge=0)
    key: str = Field(description="The hub's public key (PEM).")
    signed: dict[str, object] = Field(description="A DSSE envelope with the receipt. What stands outside it is for agents of before.")


class ProblemAnswer(_Answer):
    """One thing that is wrong with a device."""

    trouble: str
    sentence: str
    severe: bool = Field(description="Whether somebody has to act, because it doesn't end by itself.")


class InterruptionAnswer(_Answer):
    """Where an operator had the device's chain of reports taken up again, and what is missing."""

    number: int = Field(description="The report that goes on from there.")
    reason: str
    asked: datetime.datetime
    time: datetime.datetime


class ModelAnswer(_Answer):
    """A model on a device; its figures are of the hour of ``until``, the end of its newest window, and of the 23 hours before."""

    name: str
    version: str
    previous_version: str
    bundle: str
    profile: str
    state: str
    channel_version: str = Field(description="The version that the device's channel names; empty if that isn't known.")
    behind: bool = Field(description="Whether the channel names another version than the one that runs.")
    standing: str = Field(description="Why the two differ, since when, and what to do; empty if nothing is to be told.")
    until: datetime.datetime | None
    requests: int
    failures: int
    p50_ms: float | None = Field(description="An upper bound of the median latency.")
    p99_ms: float | None = Field(description="An upper bound of the 99th percentile of the latency.")
    drifted: list[str] = Field(description="The features with an alarm in the newest window that has a verdict, at most 20 of them.")


class DeviceAnswer(_Answer):
    """A device; ``number`` and ``digest`` are the head of its chain of reports, ``host`` what it says about itself."""

    id: str
    name: str
    enrolled: datetime.datetime
    last_seen: datetime.datetime | None
    number: int
    digest: str | None
    host: dict[str, str]
    conflict: str | None = Field(description="Why the hub refuses the device's reports: the device signed a report that contradicts an earlier one.")
    conflict_seen: datetime.datetime | None
    state: str = Field(description="The most urgent that is wrong, or drift, new, behind or well.")
    health: list[ProblemAnswer] = Field(description="What is wrong, the most urgent first.")
    gap: str | None = Field(description="Which reports are missing, so that the hub can't take those that the device has; see `sealift-hub resume`.")
    interruptions: list[InterruptionAnswer]
    clock_offset_s: int | None = Field(description="How many seconds the device's clock is ahead, negative for behind; null if it seems right.")
    behind: bool = Field(description="Whether the device runs another version of a model than its channel names.")
    models: list[ModelAnswer]

    @classmethod
    def of(cls, device: DeviceView, now: datetime.datetime) -> DeviceAnswer:
        """A device as it is judged at a time."""
        judged = {"state": state(device, now), "health": health(device, now)}
        return cls.model_validate({name: getattr(device, name) for name in cls.model_fields if name not in judged} | judged)


class DevicesAnswer(_Answer):
    """A page of devices; ask again with ``after`` set to ``next`` for more."""

    devices: list[DeviceAnswer]
    next: str | None


class ReportAnswer(_Answer):
    """A report that the hub has."""

    number: int
    digest: str
    created: datetime.datetime
    received: datetime.datetime
    source: str
    size_bytes: int


class ReportsAnswer(_Answer):
    """A page of reports; ask again with ``after`` set to ``next`` for more."""

    reports: list[ReportAnswer]
    next: int | None


class HealthAnswer(_Answer):
    """The hub answers, and its database too."""

    status: Literal["ok"]
    version: str
    devices: int
