"""``sealift-agent run``: serve, update, report, until told to stop."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from sealift_core.terminal.logging_options import asked_for
from sealift_runtime.agent.device import opened
from sealift_runtime.agent.home import Home
from sealift_runtime.agent.lock import one_of_its_kind
from sealift_runtime.agent.private_home import PRIVATE_UMASK, make_private
from sealift_runtime.agent.supervisor import module_command
from sealift_runtime.agent.updating import prepare
from sealift_runtime.cli.options import home_option


@click.command()
@click.option("--host", help="Address to listen on. Default: serving.host in agent.toml, initially 127.0.0.1.")
@click.option(
    "--port", type=click.IntRange(0, 65535), help="Port to listen on; 0 picks a free one. Default: serving.port in agent.toml, initially 8470."
)
@home_option
def run(host: str | None, port: int | None, home: Path | None) -> None:
    """Serve the installed models, follow the channel, and send reports, until stopped by SIGTERM or Ctrl-C."""
    place = Home.locate(home).require()
    make_private(place.directory)
    os.umask(PRIVATE_UMASK)  # for the agent's processes, too
    with one_of_its_kind(place.run / "agent.lock", "agent"), opened(place) as device:
        config = device.config
        prepare(device)
    serving = (host or config.host, str(config.port if port is None else port))
    command = module_command("supervisor", str(place.directory), *serving)
    sys.stdout.flush()
    os.execve(command[0], command, {**os.environ, **asked_for().environment()})  # noqa: S606 - the supervisor takes this process over, without what the command line imported
