"""What this device knows of its own health, judged as the hub judges it (`sealift_core.messages.health`)."""

from __future__ import annotations

from sealift_core.clock import format_time
from sealift_core.messages.health import CRASH_EVENTS, ModelSigns, Problem, Signs, assess
from sealift_core.messages.report import model_failures
from sealift_runtime.agent.admin_client import DataPlaneClient
from sealift_runtime.agent.device import LocalDevice
from sealift_runtime.agent.hub_trouble import hub_trouble
from sealift_runtime.agent.standing import standings


def health(device: LocalDevice, data_plane: DataPlaneClient) -> tuple[Problem, ...]:
    """What is wrong with this device, the most urgent first."""
    now, trouble = device.clock.now(), hub_trouble(device.state)
    return assess(
        Signs(
            now=now,
            crashes=[event.time for event in device.state.events() if event.kind in CRASH_EVENTS],
            models=_models(device, data_plane),
            spool_full=device.spool.full,
            not_taken=trouble.reason if trouble and trouble.refused else "",
            clock=clock_trouble(device),
        )
    )


def clock_trouble(device: LocalDevice) -> str:
    """What is wrong with this device's clock, as far as signed metadata shows it; empty if nothing is."""
    now, floor = device.clock.now(), device.certain_time()
    if now >= floor:
        return ""
    return f"The clock says {format_time(now)}, but it must be later than {format_time(floor)}, which is used instead. Set the clock."


def _models(device: LocalDevice, data_plane: DataPlaneClient) -> list[ModelSigns]:
    served = {str(model["name"]): model for model in data_plane.models() or []}
    absences, conditions = data_plane.absences(), {standing.name: str(standing.condition) for standing in standings(device)}
    return [
        ModelSigns(
            name=name,
            requests=int(served[name]["requests"]) if name in served else 0,
            failures=model_failures(served[name]["failures"]) if name in served else 0,
            condition=conditions.get(name, ""),
            absent=absences.get(name, ""),
        )
        for name in sorted({*served, *absences, *conditions})
    ]
