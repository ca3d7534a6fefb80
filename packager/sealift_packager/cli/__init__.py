"""``sealift``: one file per verb. A command parses, calls, and prints; heavy libraries are imported inside, so ``--help`` is quick."""

from __future__ import annotations

from typing import NoReturn

import click

from sealift_core.terminal import commandline
from sealift_core.terminal.logging_options import Program
from sealift_packager import __version__
from sealift_packager.cli.build import build
from sealift_packager.cli.diff import diff
from sealift_packager.cli.explain import explain
from sealift_packager.cli.inspect import inspect
from sealift_packager.cli.keys import keys
from sealift_packager.cli.kit import kit
from sealift_packager.cli.pack import pack
from sealift_packager.cli.profiles import profiles
from sealift_packager.cli.repo import repo
from sealift_packager.cli.unpack import unpack
from sealift_packager.cli.verify import verify


@click.group(
    cls=Program,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
    epilog="Exit codes: 0 done, 2 usage, 3 wrong input, 4 refused, 5 not reachable, 6 this machine can't, 7 a model doesn't pass, 8 bundles differ.",
)
@click.version_option(__version__, prog_name="sealift")
def cli() -> None:
    """Package trained models as signed bundles, tuned per hardware profile, and publish them."""


for command in (pack, build, inspect, explain, diff, verify, unpack, keys, profiles, repo, kit):
    cli.add_command(command)


def main() -> NoReturn:
    """The command's entry point; exit codes are documented in `sealift_core.terminal.commandline`."""
    commandline.run(cli)
