"""pip, run as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Final

from sealift_packager.errors import KitError

PIP_TIMEOUT_S: Final = 3600


def run_pip(words: Sequence[str], *, only_that_index: bool = False) -> None:
    """Run pip; with ``only_that_index`` none of its settings can add another place to look in."""
    environment = dict(os.environ)
    if only_that_index:
        environment = {name: value for name, value in environment.items() if name not in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_NO_INDEX")}
        environment["PIP_CONFIG_FILE"] = os.devnull
    command = [sys.executable, "-P", "-m", "pip", "--disable-pip-version-check", "--no-input", *words]
    try:
        result = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=PIP_TIMEOUT_S, stdin=subprocess.DEVNULL, env=environment
        )
    except subprocess.TimeoutExpired as error:
        raise KitError("pip took too long", where=" ".join(words), expected=f"at most {PIP_TIMEOUT_S} s") from error
    if result.returncode != 0:
        advice = (
            "Pass --own-wheel, or a complete folder with --wheels, and check --platform and --python-version. If a tested version isn't to be had, "
            "pass --any-version."
        )
        raise KitError(
            f"pip can't get the agent's wheels (caused by: {_cause(result.stdout, result.stderr)})", where=f"pip {words[0]}", advice=advice
        )


def _cause(output: str, errors: str) -> str:
    """What pip says is wrong: of a conflict, who asks for what; otherwise its errors."""
    _, conflict, after = output.partition("The conflict is caused by:\n")
    lines = after.split("\n\n")[0].splitlines() if conflict else [line for line in errors.splitlines() if line.startswith("ERROR")]
    return "; ".join(line.strip() for line in lines or errors.splitlines()[-3:])
