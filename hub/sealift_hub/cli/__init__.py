"""The command ``sealift-hub``: one module per verb; each parses, calls, prints.

- ``init``     a new hub, or the key of one
- ``serve``    the hub as a service
- ``bring``    ``import``: a medium that came back from an air-gapped site
- ``devices``  the fleet as a list
- ``rename``   an operator's name for a device
- ``remove``   devices that are gone
- ``resume``   devices with a gap or a conflict go on
- ``data``     where the hub keeps its data
"""

from __future__ import annotations

from typing import NoReturn

import click

import sealift_hub
from sealift_core.terminal import commandline
from sealift_core.terminal.logging_options import Program
from sealift_hub.cli.bring import import_command
from sealift_hub.cli.devices import devices
from sealift_hub.cli.init import init
from sealift_hub.cli.remove import remove
from sealift_hub.cli.rename import rename
from sealift_hub.cli.resume import resume
from sealift_hub.cli.serve import serve


@click.group(cls=Program)
@click.version_option(sealift_hub.__version__, prog_name="sealift-hub")
def cli() -> None:
    """Manage a fleet: serve its repository, collect signed device reports, and show them."""


for _command in (init, serve, import_command, devices, rename, resume, remove):
    cli.add_command(_command)


def main() -> NoReturn:
    """Run the command line."""
    commandline.run(cli)
