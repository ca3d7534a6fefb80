"""What the verbs of ``sealift repo`` share: their options, and what they print."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

from sealift_core.clock import SystemClock
from sealift_core.schema.documents import Json
from sealift_packager.cli.passphrase import passphrase_option, passphrases
from sealift_packager.repository.directory import Repository
from sealift_packager.repository.keyring import KeyRing, default_keys
from sealift_packager.repository.publisher import Published
from sealift_packager.repository.roles import Expiry
from sealift_packager.repository.signing_clock import signing_time

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
dry_run_option: Final[Decorator] = click.option(
    "--dry-run", is_flag=True, help="Check and sign everything as without this option, show what would be published, and write nothing."
)
plain_option: Final[Decorator] = click.option("--plain", is_flag=True, help="Leave the new key unencrypted, for a role that a timer signs.")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Signing:
    """What the options of `signing_options` say."""

    request: Path | None
    dry_run: bool
    keys: Path | None
    passphrase_files: tuple[Path, ...]
    expires: tuple[str, ...]
    trust_clock: bool

    def ring(self, directory: Path) -> KeyRing:
        """The keys of a repository."""
        return ring(directory, self.keys, self.passphrase_files)

    def arguments(self, directory: Path) -> dict[str, Any]:
        """What every function that publishes takes by name; `RepositoryError` for a clock that can't be right."""
        now = signing_time(Repository(directory), SystemClock(), trust_clock=self.trust_clock)
        return {"expiry": Expiry.parse(self.expires), "now": now, "request": self.request, "dry_run": self.dry_run}


def signing_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a verb the options of all that publish, as one argument ``signing``."""
    names = tuple(field.name for field in dataclasses.fields(Signing))

    @functools.wraps(command)
    def collecting(*arguments: Any, **options: Any) -> None:
        command(*arguments, signing=Signing(**{name: options.pop(name) for name in names}), **options)

    for option in (trust_clock_option, expires_option, passphrase_option, keys_option, dry_run_option, request_option):
        collecting = option(collecting)
    return collecting


def ring(directory: Path, keys: Path | None, passphrase_files: tuple[Path, ...]) -> KeyRing:
    """The keys of a repository."""
    return KeyRing(keys or default_keys(directory), passphrases(passphrase_files))


def published_json(done: Published) -> dict[str, Json]:
    """What a publication did, for machines."""
    request = str(done.request) if done.request else None
    written: dict[str, Json] = {"files": list(done.files), "dry_run": done.dry_run}
    return {"changed": done.changed, "new_blobs": done.new_blobs, "timestamp_version": done.timestamp_version, "request": request, **written}


def published_lines(done: Published, *lines: str) -> list[str]:
    """What a publication did, what to do with the request that was written instead, or what a dry run says about both."""
    if done.dry_run:
        would = [f"Request: {done.request}"] if done.request else [f"Metadata: {', '.join(done.files)}"] if done.files else []
        return ["Dry run: nothing was written. Without --dry-run, this would be the result:", *(f"  {line}" for line in (*lines, *would))]
    if done.request is None:
        return list(lines)
    return [
        f"Nothing is published yet. To be signed: {done.request}",
        f"  sealift repo sign {done.request} --key KEY   (each signer)",
        f"  sealift repo publish DIR {done.request}",
    ]
