"""What the verbs of ``sealift repo`` share: their options, and what they print."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

from sealift_core.schema.documents import Json
from sealift_packager.cli.passphrase import passphrases
from sealift_packager.repository.keyring import KeyRing, default_keys
from sealift_packager.repository.publisher import Published

Decorator = Callable[[Any], Any]
PATH: Final = click.Path(path_type=Path)
directory_argument: Final[Decorator] = click.argument("directory", metavar="DIR", type=PATH)
keys_option: Final[Decorator] = click.option(
    "--keys", type=PATH, help="The folder of the roles' keys (default: DIR-keys beside DIR). Pass it every time if the keys are elsewhere."
)
expires_option: Final[Decorator] = click.option(
    "--expires", multiple=True, metavar="ROLE=DAYS", help="How long a role's new signature stays valid (default: root 1095, targets and "
                                                          "channels 365, snapshot 90, timestamp 30). Can be given several times."
)  # fmt: skip
request_option: Final[Decorator] = click.option(
    "--request", type=PATH, metavar="FILE", help="Publish nothing; write the metadata to be signed to FILE, for `repo sign` and `repo publish`."
)
trust_clock_option: Final[Decorator] = click.option(
    "--trust-clock", is_flag=True, help="Sign although this machine's clock doesn't fit the times of earlier signatures."
)
plain_option: Final[Decorator] = click.option("--plain", is_flag=True, help="Leave the new key unencrypted, for a role that a timer signs.")


def ring(directory: Path, keys: Path | None, passphrase_files: tuple[Path, ...]) -> KeyRing:
    """The keys of a repository."""
    return KeyRing(keys or default_keys(directory), passphrases(passphrase_files))


def published_json(done: Published) -> dict[str, Json]:
    """What a publication did, for machines."""
    request = str(done.request) if done.request else None
    return {"changed": done.changed, "new_blobs": done.new_blobs, "timestamp_version": done.timestamp_version, "request": request}


def published_lines(done: Published, *lines: str) -> list[str]:
    """What a publication did, or what to do with the request that was written instead."""
    if done.request is None:
        return list(lines)
    return [
        f"Nothing is published yet. To be signed: {done.request}",
        f"  sealift repo sign {done.request} --key KEY   (each signer)",
        f"  sealift repo publish DIR {done.request}",
    ]
