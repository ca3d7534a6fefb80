"""``sealift-hub devices``: the fleet as a list."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sealift_core.clock import SystemClock
from sealift_core.terminal import commandline
from sealift_hub.cli.data import data_line, data_option
from sealift_hub.dashboard import formatting
from sealift_hub.fleet.health import health

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from sealift_hub.fleet.views import DeviceView

PAGE = 500


@click.command()
@data_option
@commandline.json_option
def devices(data: Path, *, as_json: bool) -> None:
    """List the devices, their models, and what needs attention."""
    from sealift_hub.api.schemas import DeviceAnswer
    from sealift_hub.storage.data_directory import opened

    with opened(data) as database, database.reading() as session:
        views, now = list(_all(session)), SystemClock().now()
    value = [DeviceAnswer.of(device, now).model_dump(mode="json") for device in views]
    commandline.show({"data": str(data.absolute()), "devices": value}, [data_line(data), *_lines(views, now)], as_json=as_json)


def _all(session: Session) -> Iterator[DeviceView]:
    from sealift_hub.fleet import queries

    after = ""
    while page := queries.list_devices(session, after=after, limit=PAGE):
        yield from page
        after = page[-1].id


def _lines(views: list[DeviceView], now: datetime.datetime) -> list[str]:
    lines = [line for device in views for line in (_head(device, now), *_details(device, now))]
    return lines or ["No device has enrolled yet."]


def _head(device: DeviceView, now: datetime.datetime) -> str:
    behind = "  behind the channel" if device.behind else ""
    return f"{device.short_id}  {device.name}  seen {formatting.ago(device.last_seen, now)}{behind}"


def _details(device: DeviceView, now: datetime.datetime) -> list[str]:
    problems = [f"  {problem.trouble.upper()}: {problem.sentence}" for problem in health(device, now)]
    interruptions = [f"  {interruption.reason}" for interruption in device.interruptions]
    standings = [f"  {model.standing}" for model in device.models if model.standing]
    return (
        problems
        + interruptions
        + standings
        + [
            f"  {model.name} {model.version} {model.state}: {model.requests} requests in 24 h, {model.failures} failed, "
            f"p50 {formatting.latency(model.p50_ms)}, p99 {formatting.latency(model.p99_ms)}, {formatting.plural(model.drift_alarms, 'drift alarm')}"
            for model in device.models
        ]
    )
