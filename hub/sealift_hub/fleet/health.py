"""How well a device is, as the hub sees it, by the definition that the device has, too (`sealift_core.messages.health`)."""

from __future__ import annotations

import datetime

from sealift_core.messages.health import ModelSigns, Problem, Signs, assess
from sealift_hub.fleet.views import DeviceView


def health(device: DeviceView, now: datetime.datetime) -> tuple[Problem, ...]:
    """What is wrong with a device, the most urgent first."""
    models = [ModelSigns(name=model.name, requests=model.requests, failures=model.failures, condition=model.condition) for model in device.models]
    return assess(
        Signs(
            now=now,
            last_seen=device.last_seen,
            crashes=device.crashes,
            models=models,
            clock=device.clock_trouble,
            conflict=device.conflict or "",
            gap=device.gap or "",
        )
    )


def state(device: DeviceView, now: datetime.datetime) -> str:
    """Sum a device up in one word: the most urgent that is wrong, or else whether features drifted, it is new, or behind its channel.

    Returns:
        A `Trouble`, or ``drift``, ``new``, ``behind`` or ``well``.
    """
    problems = health(device, now)
    if problems and problems[0].severe:
        return problems[0].trouble
    if device.alarms:
        return "drift"
    if problems:
        return problems[0].trouble
    if device.last_seen is None:
        return "new"
    return "behind" if device.behind else "well"
