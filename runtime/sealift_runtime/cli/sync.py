"""``sealift-agent sync``: once, now, what the running agent does by itself."""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from typing import Any, Final

import click

from sealift_core.clock import format_time
from sealift_core.terminal.commandline import exit_code, json_option, show
from sealift_runtime.agent.admin_client import DataPlaneClient
from sealift_runtime.agent.device import LocalDevice, opened
from sealift_runtime.agent.home import Home
from sealift_runtime.agent.standing import REFUSED, Condition, standings
from sealift_runtime.agent.updating import updater_of, when_free
from sealift_runtime.cli.options import home_option
from sealift_runtime.update.records import Update
from sealift_runtime.update.table import State
from sealift_runtime.update.updater import AdvanceResult, Updater

#: The exit code when a release didn't pass: see commandline.
NOT_PASSED: Final = 7


@click.command()
@click.option(
    "--retry", multiple=True, metavar="NAME", help="Try again the releases of this model that were rejected or rolled back. May be repeated."
)
@home_option
@json_option
def sync(retry: tuple[str, ...], home: Path | None, as_json: bool) -> None:
    """Install what the channel names: fetch, verify, self-test, activate. A running agent switches to it at once.

    The command first checks every byte of what is installed, and fetches damaged files again.
    If an error held an update up, it exits with that error's code. If the channel names a release that is refused on this device, because it was
    rejected or rolled back, it says so and exits with code 7, now and each time until the channel names another one.
    """
    place = Home.locate(home)
    with opened(place) as device:
        synchronise(device, None, retry=retry, as_json=as_json)


def synchronise(device: LocalDevice, repository: str | None, *, retry: tuple[str, ...] = (), as_json: bool) -> None:
    """Refresh and advance, from the configured repository or another place, and tell what came of it."""
    updater = updater_of(device, DataPlaneClient(device.home.socket), repository)
    before = {update.name: update for update in device.state.updates()}
    stale, advanced = when_free(functools.partial(_follow, updater, retry))
    changed = [update for update in advanced.updates if before.get(update.name) != update]
    problems = [str(problem) for problem in advanced.problems]
    stands = standings(device)
    refused = [standing for standing in stands if standing.condition in REFUSED]
    absent = [standing for standing in stands if standing.condition is Condition.LEFT_OUT]
    fields = {"updates": [_fields(update) for update in changed], "problems": problems, "stale": stale, "models": [one.json() for one in stands]}
    lines = [line for update in changed for line in _lines(update)]
    lines += [] if lines or problems or refused or absent else ["There is nothing new to install."]
    lines += [f"warning: {stale}"] if stale else []
    lines += [f"held up: {problem}" for problem in problems] + [line for standing in (*refused, *absent) for line in standing.lines()]
    show(fields, lines, as_json=as_json)
    if advanced.problems:
        sys.exit(exit_code(advanced.problems[0]))
    if refused or any(update.state in (State.REJECTED, State.ROLLED_BACK) for update in changed):
        sys.exit(NOT_PASSED)


def _follow(updater: Updater, retry: tuple[str, ...]) -> tuple[str | None, AdvanceResult]:
    with updater.hold():
        for name in retry:
            updater.retry(name)
        updater.recover()
        return updater.refresh(), updater.advance()


def _fields(update: Update) -> dict[str, Any]:
    deadline = format_time(update.probation.deadline) if update.probation and update.state is State.PROBATION else None
    names = {"name": update.name, "version": update.version, "state": str(update.state), "profile": update.profile}
    return names | {"reason": update.reason, "probation_until": deadline}


def _lines(update: Update) -> list[str]:
    fields = _fields(update)
    text = f"{update.name} {update.version}  {update.state}"
    if fields["probation_until"]:
        text += f" until {fields['probation_until']}"
    text += f"  ({update.profile})" if update.profile else ""
    return [text, f"    {update.reason}"] if update.reason else [text]
