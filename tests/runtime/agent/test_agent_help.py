"""``sealift-agent --help``: complete, and quick."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from click import Context

from sealift_runtime.cli import COMMANDS, cli

SHOWN = """
import json, sys
from sealift_runtime.cli import cli
try:
    cli.main(["--help"])
finally:
    print(json.dumps(sorted(sys.modules)))
"""


def test_help_lists_every_verb_without_importing_one() -> None:
    done = subprocess.run([sys.executable, "-c", SHOWN], capture_output=True, text=True, check=True)
    shown, modules = done.stdout.rstrip().rsplit("\n", 1)
    assert [line.split()[0] for line in shown.split("Commands:\n")[1].split("\n\n")[0].splitlines()] == list(COMMANDS)
    assert not {name for name in json.loads(modules) if name.startswith(("sealift_runtime.agent", "sealift_runtime.update", "numpy", "requests"))}


@pytest.mark.parametrize("verb", COMMANDS)
def test_a_verb_of_the_table_is_a_command(verb: str) -> None:
    command = cli.get_command(Context(cli), verb)
    assert command is not None
    assert command.name == verb
