"""Where the passphrase of a private key comes from: the environment, a file, or the person at the terminal; never an argument."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

import click

from sealift_runtime.errors import KeyFileError
from sealift_runtime.signing.keys import PrivateKey

VARIABLE: Final = "SEALIFT_KEY_PASSPHRASE"


def load_key(path: Path) -> PrivateKey:
    """Read a private key; asks for its passphrase if it needs one and the environment has none."""
    try:
        return PrivateKey.load(path)
    except KeyFileError as error:
        if "needs a passphrase" not in str(error):
            raise
        return PrivateKey.load(path, _existing(path, error))


def _existing(path: Path, error: KeyFileError) -> bytes:
    given = os.environ.get(VARIABLE)
    if given is not None:
        return given.encode()
    if not sys.stdin.isatty():
        raise KeyFileError(error.message, where=str(path), advice=f"Set {VARIABLE}, or run at a terminal to be asked.") from error
    text: str = click.prompt(f"Passphrase of {path}", hide_input=True, err=True)
    return text.encode()


def new_passphrase(file: Path | None) -> bytes | None:
    """The passphrase for a new key, from a file's first line, the environment, or a prompt; None (no encryption) if all are empty."""
    if file is not None:
        try:
            lines = file.read_bytes().splitlines()
        except OSError as error:
            raise KeyFileError(f"the passphrase file can't be read ({error.strerror})", where=str(file)) from error
        if not lines or not lines[0]:
            raise KeyFileError("no passphrase", where=str(file), expected="a first line with the passphrase", found="an empty one")
        return lines[0]
    given = os.environ.get(VARIABLE)
    if given is None and sys.stdin.isatty():
        given = click.prompt("Passphrase (empty for none)", default="", hide_input=True, confirmation_prompt=True, show_default=False, err=True)
    return given.encode() if given else None
