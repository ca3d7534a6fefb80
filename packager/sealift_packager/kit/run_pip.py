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
        lines = [line for line in result.stderr.splitlines() if line.startswith("ERROR")] or result.stderr.splitlines()[-3:]
        advice = (
            "Pass --own-wheel, or a complete folder with --wheels, and check --platform and --python-version. If a tested version isn't to be had, "
            "pass --any-version."
        )
        raise KitError(f"pip can't get the agent's wheels (caused by: {' '.join(lines)})", where=f"pip {words[0]}", advice=advice)
