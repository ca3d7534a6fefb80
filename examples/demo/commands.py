"""How the demo runs things: the installed commands, each shown as it would be typed, and servers that end with it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

BIN = Path(sys.executable).parent
T = TypeVar("T")


class DemoError(Exception):
    """A step didn't do what the demo says it does."""


def step(title: str) -> None:
    """Begin a step of the story."""
    print(f"\n\033[1m── {title}\033[0m" if sys.stdout.isatty() else f"\n── {title}", flush=True)


def claim(holds: bool, text: str) -> None:
    """State what was seen, or stop the demo because it wasn't."""
    if not holds:
        raise DemoError(text)
    print(f"   ✓ {text}", flush=True)


def _argv(words: tuple[object, ...]) -> list[str]:
    argv = [str(word) for word in words]
    return [str(BIN / argv[0]), *argv[1:]]


def _show(words: tuple[object, ...]) -> None:
    folder = f"{Path.cwd()}/"
    print("   $ " + " ".join(str(word).replace(folder, "") for word in words), flush=True)


def run(*words: object, expect: int = 0, quiet: bool = False) -> str:
    """Run a command to its end; its standard output. Any other exit code than ``expect`` stops the demo."""
    _show(words)
    nobody = subprocess.DEVNULL  # who would be asked for a passphrase
    done = subprocess.run(_argv(words), capture_output=True, text=True, check=False, stdin=nobody)
    text = (done.stdout + done.stderr).rstrip()
    if done.returncode != expect:
        raise DemoError(f"{words[0]} {words[1]} exited with {done.returncode} instead of {expect}:\n{text}")
    if text and not quiet:
        print("     " + text.replace("\n", "\n     "), flush=True)
    return done.stdout


def run_json(*words: object) -> Any:
    """Run a command with ``--json``; what it printed, parsed."""
    return json.loads(run(*words, "--json", quiet=True))


class Background:
    """A server that runs until the demo ends; its output goes to a file."""

    def __init__(self, log: Path, *words: object) -> None:
        _show((*words, "&"))
        self.log = log
        with log.open("w", encoding="utf-8") as file:
            self.process = subprocess.Popen(_argv(words), stdout=file, stderr=subprocess.STDOUT, env=dict(os.environ, PYTHONUNBUFFERED="1"))

    def url(self) -> str:
        """The address that it printed when it began to listen."""

        def printed() -> str | None:
            match = re.search(r"http://[\d.]+:\d+", self.log.read_text(encoding="utf-8"))
            return match[0] if match else None

        return wait_for(printed, 60, f"{self.log.stem} to listen (its output: {self.log})")

    def stop(self) -> None:
        """Ask it to end, and wait."""
        self.process.terminate()
        self.process.wait(timeout=30)


def wait_for(look: Callable[[], T | None], seconds: float, what: str) -> T:
    """Look until there is something to see; what was seen."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if seen := look():
            return seen
        time.sleep(0.2)
    raise DemoError(f"waited {seconds:.0f} s for {what}")
