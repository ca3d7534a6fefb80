"""``sealift-agent detect``: what this machine is."""

from __future__ import annotations

import dataclasses

import click

from sealift_core.hardware.machine import detect_machine
from sealift_core.terminal.commandline import json_option, show
from sealift_runtime.engine.facts import onnxruntime_version, providers


@click.command()
@json_option
def detect(as_json: bool) -> None:
    """Show the facts about this machine that bundles are chosen by."""
    machine = detect_machine(providers=providers())
    fields = dataclasses.asdict(machine) | {
        "cpu_flags": sorted(machine.cpu_flags),
        "accelerators": sorted(machine.accelerators),
        "onnxruntime": onnxruntime_version(),
        "providers": providers(),
    }
    lines = [
        f"processor    {machine.cpu_model} ({machine.arch})",
        f"cores        {machine.cores}",
        f"memory       {machine.memory_bytes / 2**30:.1f} GiB",
        f"system       {machine.os}",
        f"onnxruntime  {onnxruntime_version()} with {', '.join(providers())}",
        f"accelerator  {', '.join(sorted(machine.accelerators)) or 'none'}",
        f"flags        {' '.join(sorted(machine.cpu_flags))}",
    ]
    show(fields, lines, as_json=as_json)
