"""``sealift keys generate``: a key pair to sign bundles with."""

from __future__ import annotations

from pathlib import Path

import click

from sealift_core import durable
from sealift_core.signing.keys import PrivateKey
from sealift_core.terminal.commandline import json_option, show
from sealift_core.terminal.logging_options import Program
from sealift_packager.cli.passphrase import passphrase_option, passphrases
from sealift_packager.errors import OutputError
from sealift_packager.keys.passphrase import OPTION, VARIABLE


@click.group(cls=Program)
def keys() -> None:
    """Make keys for signing bundles."""


@keys.command(short_help="Write a new key for signing, and its public half.")
@click.argument("out", type=click.Path(path_type=Path))
@passphrase_option
@json_option
def generate(out: Path, passphrase_files: tuple[Path, ...], *, as_json: bool) -> None:
    """Write a new ECDSA P-256 private key to OUT and its public half to OUT.pub.

    The key is encrypted with the passphrase from --passphrase-file, from SEALIFT_KEY_PASSPHRASE, or from a prompt. Existing files are never
    overwritten.
    """
    public = out.with_name(out.name + ".pub")
    for path in (out, public):
        if path.exists() or path.is_symlink():
            raise OutputError("a file with this name exists, and keys are never overwritten", where=str(path), advice="Choose another name.")
    passphrase = passphrases(passphrase_files).for_new_key()
    key = PrivateKey.generate()
    durable.write_new(out, key.pem(passphrase), mode=0o600)
    durable.write_new(public, key.public_key.pem())
    fields = {"private_key": str(out), "public_key": str(public), "fingerprint": key.public_key.fingerprint, "encrypted": passphrase is not None}
    note = [] if passphrase else [f"It is not encrypted; set {VARIABLE} or pass {OPTION} to encrypt it."]
    show(fields, [f"{out}", f"{public}", f"fingerprint {key.public_key.fingerprint}", *note], as_json=as_json)
