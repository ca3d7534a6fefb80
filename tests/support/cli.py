"""Run the installed commands as a user does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

BIN = Path(sys.executable).parent
ROOT = Path(__file__).parents[2]


class Ran:
    """A finished command: its exit code and what it printed."""

    def __init__(self, done: subprocess.CompletedProcess[str]) -> None:
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr

    @property
    def json(self) -> Any:
        """What it printed, parsed."""
        return json.loads(self.out)

    def ok(self) -> Ran:
        """Itself, if the command succeeded."""
        assert self.code == 0, self.out + self.err
        return self


def run(program: str, *words: object, env: Mapping[str, str] | None = None, cwd: Path | None = None, timeout_s: float = 300) -> Ran:
    """Run ``program`` (``sealift``, ``sealift-agent``, ``sealift-hub``, ``python``) from this environment."""
    argv = [str(BIN / program), *map(str, words)]
    environment = {**os.environ, **(env or {})}
    return Ran(subprocess.run(argv, capture_output=True, text=True, check=False, env=environment, cwd=cwd, timeout=timeout_s))
