"""The option ``--passphrase-file``, and the person at the terminal: see `sealift_packager.keys.passphrase`."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import click

from sealift_packager.keys.passphrase import OPTION, VARIABLE, Passphrases

passphrase_option: Final[Callable[[Any], Any]] = click.option(
    OPTION,
    "passphrase_files",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Read the keys' passphrase from the first line of this file. If the keys have different passphrases, pass it several times.  "
    f"[default: {VARIABLE}, or a prompt]",
)


def passphrases(files: Sequence[Path]) -> Passphrases:
    """Those of the option, of the environment, and of whoever is at the terminal."""
    collected = Passphrases.collect(files)
    if not sys.stdin.isatty():
        return collected
    return dataclasses.replace(collected, ask=_ask, new=collected.new or _choose)


def _ask(path: Path) -> bytes:
    text: str = click.prompt(f"Passphrase of {path}", hide_input=True, err=True)
    return text.encode()


def _choose() -> bytes | None:
    text: str = click.prompt("Passphrase (empty for none)", default="", hide_input=True, confirmation_prompt=True, show_default=False, err=True)
    return text.encode() if text else None
