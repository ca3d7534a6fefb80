"""Run the commands as a user does: installed, in a process of their own, or, where it's only about what they say, in this one."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from unittest import mock

#: How the line of a stage that is done, or takes long, ends.
STAGE: Final = re.compile(r": (\d+\.\d s|cached|has been running for \d+ s)$")
BIN = Path(sys.executable).parent
ROOT = Path(__file__).parents[2]
#: Where each command's ``main`` is, as its wheel's entry point says.
MODULES: Final = {"sealift": "sealift_packager.cli", "sealift-agent": "sealift_runtime.cli", "sealift-hub": "sealift_hub.cli"}


@dataclasses.dataclass(frozen=True, slots=True)
class Ran:
    """A finished command: its exit code and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed, parsed."""
        return json.loads(self.out)

    @property
    def complaint(self) -> str:
        """What it printed on standard error, but for the lines that tell of finished stages."""
        return without_stages(self.err)

    def ok(self) -> Ran:
        """Itself, if the command succeeded."""
        assert self.code == 0, self.out + self.err
        return self


def without_stages(text: str) -> str:
    """Lines of standard error that tell of no finished stage."""
    return "".join(f"{line}\n" for line in text.strip().splitlines() if not STAGE.search(line))


def run(program: str, *words: object, env: Mapping[str, str] | None = None, cwd: Path | None = None, timeout_s: float = 300) -> Ran:
    """Run ``program`` (``sealift``, ``sealift-agent``, ``sealift-hub``, ``python``) from this environment."""
    return run_argv([BIN / program, *words], env=env, cwd=cwd, timeout_s=timeout_s)


def run_argv(
    argv: list[Any], *, env: Mapping[str, str] | None = None, cwd: Path | None = None, timeout_s: float = 300, stdin: str | None = None
) -> Ran:
    """Run a whole command line to its end."""
    environment = {**os.environ, **(env or {})}
    words = [str(word) for word in argv]
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=environment, cwd=cwd, timeout=timeout_s, input=stdin)
    return Ran(done.returncode, done.stdout, done.stderr)


def call(program: str, *words: object, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> Ran:
    """What `run` does, without the second or two that a process needs to start and to import."""
    main = importlib.import_module(MODULES[program]).main
    out, err = io.StringIO(), io.StringIO()
    with (
        contextlib.chdir(cwd or Path.cwd()),
        mock.patch.dict(os.environ, env or {}),
        mock.patch.object(sys, "argv", [program, *map(str, words)]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as done:
            return Ran(int(done.code or 0), out.getvalue(), err.getvalue())
    raise AssertionError(f"{program} came back without an exit code")
