"""``sealift-agent status``: what is installed, what serves, what happened."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from sealift_core.clock import format_time
from sealift_core.messages.histogram import quantile_ms
from sealift_core.terminal.commandline import json_option, show
from sealift_runtime.agent.admin_client import DataPlaneClient
from sealift_runtime.agent.device import LocalDevice, opened
from sealift_runtime.agent.home import Home
from sealift_runtime.agent.hub_trouble import hub_facts
from sealift_runtime.agent.reporting import installed_models
from sealift_runtime.agent.server_info import server_url
from sealift_runtime.agent.standing import standings
from sealift_runtime.cli.options import home_option


@click.command()
@click.option("--events", default=10, show_default=True, type=click.IntRange(0), help="Number of recent events to show.")
@home_option
@json_option
def status(events: int, home: Path | None, as_json: bool) -> None:
    """Show the installed models, what is served and how it performs, and recent events."""
    place = Home.locate(home)
    with opened(place) as device:
        fields = gather(device, events)
    show(fields, _lines(fields), as_json=as_json)


def gather(device: LocalDevice, events: int) -> dict[str, Any]:
    """Everything that status tells."""
    data_plane = DataPlaneClient(device.home.socket)
    served, absences = data_plane.models(), data_plane.absences()
    serving = {model["name"]: model for model in served or []}
    chain = device.spool.chain
    latest = device.state.events()[-events:] if events else []
    return {
        "device": device.key.public_key.fingerprint,
        "home": str(device.home.directory),
        "repository": device.config.repository,
        "channel": device.config.channel,
        "url": server_url(device.home) if served is not None else None,
        "models": [_model(model, serving.get(model.name)) | {"absent": absences.get(model.name)} for model in installed_models(device)],
        "updates": [
            {"name": update.name, "version": update.version, "state": str(update.state), "reason": update.reason} for update in device.state.updates()
        ],
        "refused": [
            {
                "name": refusal.name,
                "version": refusal.version,
                "reason": refusal.reason,
                "since": format_time(refusal.since) if refusal.since else None,
            }
            for refusal in device.state.refusals()
        ],
        "standings": [standing.json() for standing in standings(device)],
        "hub": hub_facts(device),
        "reports": {"sealed": chain.number, "acknowledged": chain.acknowledged},
        "events": [
            {
                "number": event.number,
                "time": format_time(event.time),
                "kind": event.kind,
                "model": event.model,
                "version": event.version,
                "detail": event.detail,
            }
            for event in latest
        ],
    }


def _model(installed: Any, served: dict[str, Any] | None) -> dict[str, Any]:
    counts = served["latency_counts"] if served else []
    return {
        "name": installed.name,
        "version": installed.version,
        "profile": installed.profile,
        "state": str(installed.state),
        "previous_version": installed.previous_version,
        "bundle": installed.bundle,
        "serving": served["version"] if served else None,
        "requests": served["requests"] if served else 0,
        "failures": served["failures"] if served else {},
        "refused_requests": served.get("refused_requests", {}) if served else {},
        "latency_p50_ms": quantile_ms(counts, 0.5),
        "latency_p99_ms": quantile_ms(counts, 0.99),
        "drifted": served["drifted"] if served else [],
    }


def _lines(fields: dict[str, Any]) -> list[str]:
    running = f"serving on {fields['url']}" if fields["url"] else "not running (start it with sealift-agent run)"
    reports = fields["reports"]
    lines = [
        f"device   {fields['device'][:16]} in {fields['home']}, {running}",
        f"channel  {fields['channel']} of {fields['repository']}",
        f"reports  {reports['sealed']} sealed, {reports['acknowledged']} acknowledged",
        *_hub_lines(fields["hub"]),
        "",
    ]
    behind = {standing["name"] for standing in fields["standings"] if standing["behind"]}
    for model in fields["models"]:
        latency = f", p50 ≤ {model['latency_p50_ms']} ms, p99 ≤ {model['latency_p99_ms']} ms" if model["requests"] else ""
        back = f", previously {model['previous_version']}" if model["previous_version"] else ""
        state = model["state"] + (", behind the channel" if model["name"] in behind else "")
        lines.append(f"{model['name']} {model['version']}  {state}  ({model['profile']}{back})")
        absent = f"not serving: {model['absent']}" if model["absent"] else "not serving"
        lines.append(f"    {model['requests']} requests{latency}" if model["serving"] else f"    {absent}")
        lines += [f"    drift: {', '.join(model['drifted'])}"] if model["drifted"] else []
    lines += [] if fields["models"] else ["No model is installed yet. Run sealift-agent sync."]
    lines += [f"{standing['sentence']} {standing['advice']}" for standing in fields["standings"] if standing["sentence"]]
    if fields["events"]:
        lines.append("")
    for event in fields["events"]:
        what = " ".join(filter(None, (event["kind"], event["model"], event["version"])))
        lines.append(f"{event['time']}  {what}" + (f": {event['detail']}" if event["detail"] else ""))
    return lines


def _hub_lines(hub: dict[str, Any]) -> list[str]:
    lines = [f"hub      {hub['url'] or 'none (by medium)'}, {hub['pinned']}"]
    trouble = hub["trouble"]
    return [*lines, f"         no report came there since {trouble['since']}: {trouble['reason']}"] if trouble else lines
