"""`sealift profiles`: which hardware profiles there are, and which one fits this machine."""

from __future__ import annotations

import dataclasses

import click

from sealift_core.errors import HardwareError
from sealift_core.hardware.machine import Machine, detect_machine
from sealift_core.hardware.match import Fit, choose, fit
from sealift_core.hardware.profile import AcceleratorRequirement, HardwareProfile
from sealift_core.schema.documents import Json
from sealift_core.terminal.commandline import blocks, json_option, show
from sealift_core.terminal.logging_options import Program
from sealift_packager.profiles import library, rules


@click.group(cls=Program, short_help="Show hardware profiles: classes of machines.")
def profiles() -> None:
    """Hardware profiles: classes of machines that bundles are built for."""


@profiles.command("list")
@json_option
def list_command(*, as_json: bool) -> None:
    """List the profiles that ship with Sealift."""
    shipped = library.list_profiles()
    width = max(len(profile.name) for profile in shipped)
    lines = [f"{profile.name:<{width}}  {profile.summary}" for profile in shipped]
    show([{"name": profile.name, "summary": profile.summary} for profile in shipped], lines, as_json=as_json)


@profiles.command("show")
@click.argument("name")
@json_option
def show_command(name: str, *, as_json: bool) -> None:
    """Show one profile. NAME is a shipped profile's name or a file's path."""
    profile = library.load_profile(name)
    show(profile.json(), _profile_lines(profile), as_json=as_json)


@profiles.command()
@json_option
def detect(*, as_json: bool) -> None:
    """Show what this machine is, which profile it gets, and why."""
    machine = _this_machine()
    best, fits = choose(library.list_profiles(), machine)
    chosen = best.name if best else None
    value: dict[str, Json] = {"machine": _machine_json(machine), "chosen": chosen, "fits": [dataclasses.asdict(result) for result in fits]}
    verdict = f"Profile: {chosen}, the most specific one that fits." if chosen else "No profile fits this machine."
    show(value, blocks([[_machine_text(machine)], [verdict], *(_fit_lines(result) for result in fits)]), as_json=as_json)


@profiles.command(short_help="Check a profile file, or a profile against this machine.")
@click.argument("name", required=False)
@json_option
def check(name: str | None, *, as_json: bool) -> None:
    """Check a profile file, or whether this machine fits a shipped profile.

    NAME is a file's path or a shipped profile's name; without it, all shipped profiles are checked. If a file is broken, the exit code is 3 and
    the error names the field. If this machine doesn't fit a shipped profile, the exit code is 6.
    """
    machine = _this_machine()
    checked = library.list_profiles() if name is None else [library.load_profile(name)]
    known_flags = set(machine.cpu_flags).union(*(profile.cpu.required_flags for profile in library.list_profiles()))
    results = [(fit(profile, machine), rules.warnings(profile, known_flags)) for profile in checked]
    value: list[Json] = [dataclasses.asdict(result) | {"warnings": notes} for result, notes in results]
    lines = blocks([*_fit_lines(result), *(f"  warning  {note}" for note in notes)] for result, notes in results)
    show(value if name is None else value[0], lines, as_json=as_json)
    if name is not None and not library.is_path(name) and not results[0][0].fits:
        raise HardwareError("this machine doesn't fit the profile", where=name, advice="`sealift profiles detect` shows which profile it fits.")


def _this_machine() -> Machine:
    import onnxruntime

    return detect_machine(providers=onnxruntime.get_available_providers())


def _machine_json(machine: Machine) -> dict[str, Json]:
    sets = {"cpu_flags": machine.cpu_flags, "accelerators": machine.accelerators, "providers": machine.providers}
    return dataclasses.asdict(machine) | {name: sorted(values) for name, values in sets.items()}


def _machine_text(machine: Machine) -> str:
    beside = f", {', '.join(sorted(machine.accelerators))}" if machine.accelerators else ""
    size = f"{machine.cores} usable cores, {machine.memory_bytes // 2**20} MB of usable memory{beside}"
    return f"This machine: {machine.cpu_model} ({machine.arch}, {machine.os}), {size}."


def _fit_lines(result: Fit) -> list[str]:
    return [f"{result.profile}: {'fits' if result.fits else 'does not fit'}", *(f"  {reason}" for reason in result.reasons)]


def _profile_lines(profile: HardwareProfile) -> list[str]:
    cpu, int8 = profile.cpu, profile.int8
    properties = {
        "architecture": cpu.arch,
        "required flags": " ".join(cpu.required_flags) or "none",
        "excluded flags": " ".join(cpu.absent_flags) or "none",
        "minimum cores": str(cpu.minimum_cores),
        "minimum memory": f"{profile.minimum_memory_mb} MB",
        "accelerator": _accelerator_text(profile.accelerator),
        "onnxruntime": profile.onnxruntime,
        "providers": ", ".join(profile.providers),
        "int8": f"activations {int8.activation}, weights {int8.weight}"
        + (", 7-bit range" if int8.reduce_range else ", full range")
        + (", per channel" if int8.per_channel else ", per tensor"),
        "precisions": ", ".join(profile.precisions),
        "threads": ", ".join(str(count) for count in profile.threads),
        "objective": ", then ".join(profile.objective),
    }
    return [f"{profile.name}: {profile.summary}", *(f"  {key:<15} {value}" for key, value in properties.items())]


def _accelerator_text(requirement: AcceleratorRequirement | None) -> str:
    if requirement is None:
        return "none"
    limit = f", at most {requirement.memory_limit_mb} MB of its memory" if requirement.memory_limit_mb else ""
    return f"{requirement.device or 'the processor'} by {requirement.provider}{limit}"
