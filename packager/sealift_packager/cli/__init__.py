"""``sealift``: one file per verb. A command parses, calls, and prints; heavy libraries are imported inside, so ``--help`` is quick."""

from __future__ import annotations

from typing import Final, NoReturn

import click

from sealift_core.terminal import commandline
from sealift_core.terminal.logging_options import LazyProgram
from sealift_packager import __version__

#: Verb → where its command is, and its line in ``--help``.
COMMANDS: Final = {
    "build": ("build:build", "Build every model of a project file for each of its profiles."),
    "diff": ("diff:diff", "Show in which files and fields FIRST and SECOND differ."),
    "explain": ("explain:explain", "Explain why a bundle ships its candidate and not another one."),
    "inspect": ("inspect:inspect", "Show the contents of a release or of an unpacked bundle."),
    "keys": ("keys:keys", "Make keys for signing bundles."),
    "kit": ("kit:kit", "Make site kits: all that a site needs, on one medium."),
    "pack": ("pack:pack", "Convert a model, check and quantize it, and write a release."),
    "profiles": ("profiles:profiles", "Show hardware profiles: classes of machines."),
    "repo": ("repo:repo", "Make and change a repository of releases."),
    "unpack": ("unpack:unpack", "Write one bundle of a release to a new folder."),
    "verify": ("verify:verify", "Check every digest and signature of a release or a bundle."),
}


@click.group(
    cls=LazyProgram,
    package=__name__,
    verbs=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
    epilog="Exit codes: 0 done, 2 usage, 3 wrong input, 4 refused, 5 not reachable, 6 this machine can't, 7 a model doesn't pass, 8 bundles differ.",
)
@click.version_option(__version__, prog_name="sealift")
def cli() -> None:
    """Package trained models as signed bundles, tuned per hardware profile, and publish them."""


def main() -> NoReturn:
    """The command's entry point; exit codes are documented in `sealift_core.terminal.commandline`."""
    commandline.run(cli)
