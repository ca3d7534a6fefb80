"""`sealift repo`: a repository of releases that devices trust, as static files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

from sealift_packager.repository import publisher
from sealift_packager.repository.intake import check_release
from sealift_packager.repository.keyring import KeyRing, default_keys
from sealift_packager.repository.publisher import Published, Repository
from sealift_packager.repository.roles import CHANNELS, ROOT, TARGETS, Expiry
from sealift_packager.repository.status import RepositoryStatus, repository_status
from sealift_runtime.bundle.digest import Digest
from sealift_runtime.clock import SystemClock, format_time
from sealift_runtime.commandline import json_option, show
from sealift_runtime.documents import Json
from sealift_runtime.signing.keys import PublicKey

Decorator = Callable[[Any], Any]
_directory: Final[Decorator] = click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
_keys: Final[Decorator] = click.option(
    "--keys", type=click.Path(path_type=Path), help="The folder of the roles' keys (default: DIR-keys beside DIR; not remembered)."
)
_expires: Final[Decorator] = click.option(
    "--expires", multiple=True, metavar="ROLE=DAYS", help="How long a role's new signature is good (root 1095, targets and channels 365, "
    "snapshot 90, timestamp 30); may be given several times."
)  # fmt: skip


@click.group()
def repo() -> None:
    """A repository of releases: static files that devices trust by their metadata (TUF)."""


@repo.command()
@_directory
@_keys
@_expires
@json_option
def init(directory: Path, keys: Path | None, expires: tuple[str, ...], *, as_json: bool) -> None:
    """Make an empty repository in DIR, with a fresh key for each role.

    Keep the keys of root and targets offline; a device needs only the file root.json, once, by a way that you trust.
    """
    place = keys or default_keys(directory)
    repository = publisher.init(directory, place, expiry=Expiry.parse(expires), now=SystemClock().now())
    digest = Digest.of_file(repository.root_file)
    value: dict[str, Json] = {"repository": str(directory), "keys": str(place), "root": str(repository.root_file), "root_digest": str(digest)}
    advice = "keep root.pem and targets.pem offline"
    lines = [f"Repository: {directory}", f"Keys: {place} ({advice})", f"Root of trust for devices: {repository.root_file}", f"  {digest}"]
    show(value, lines, as_json=as_json)


@repo.command()
@_directory
@click.argument("release", type=click.Path(path_type=Path))
@click.option("--public-key", type=click.Path(path_type=Path), help="The key that must have signed the release's bundles (a .pub file).")
@_keys
@_expires
@json_option
def add(directory: Path, release: Path, public_key: Path | None, keys: Path | None, expires: tuple[str, ...], *, as_json: bool) -> None:
    """Publish RELEASE, the output of `sealift pack`, once its digests and signatures hold."""
    expected = PublicKey.load(public_key) if public_key else None
    checked = check_release(release, expected)
    done = publisher.add(
        Repository(directory), checked, KeyRing(keys or default_keys(directory)), expiry=Expiry.parse(expires), now=SystemClock().now()
    )
    what = f"{checked.release.name} {checked.release.version}"
    text = f"Published {what}: {done.new_blobs} new blobs of {len(checked.blobs)}." if done.changed else f"{what} was published already."
    value: dict[str, Json] = {"name": checked.release.name, "version": checked.release.version, "digest": str(checked.descriptor.digest)}
    show(value | _published_json(done), text, as_json=as_json)


@repo.command()
@_directory
@click.argument("name")
@click.argument("version")
@click.option("--channel", required=True, help="The channel to move, like stable or beta; made if it isn't there.")
@_keys
@_expires
@json_option
def promote(directory: Path, name: str, version: str, channel: str, keys: Path | None, expires: tuple[str, ...], *, as_json: bool) -> None:
    """Point a channel at the published release NAME VERSION; devices on that channel follow."""
    ring, expiry = KeyRing(keys or default_keys(directory)), Expiry.parse(expires)
    done = publisher.promote(Repository(directory), name, version, channel, ring, expiry=expiry, now=SystemClock().now())
    text = f"Channel {channel}: {name} is now {version}." if done.changed else f"Channel {channel}: {name} was {version} already."
    show({"channel": channel, "name": name, "version": version} | _published_json(done), text, as_json=as_json)


@repo.command()
@_directory
@click.option("--role", "roles", multiple=True, type=click.Choice([ROOT, TARGETS, CHANNELS]), help="Sign this role anew as well.")
@_keys
@_expires
@json_option
def refresh(directory: Path, roles: tuple[str, ...], keys: Path | None, expires: tuple[str, ...], *, as_json: bool) -> None:
    """Sign snapshot and timestamp anew, before they expire; run it from a timer."""
    ring, expiry = KeyRing(keys or default_keys(directory)), Expiry.parse(expires)
    done = publisher.refresh(Repository(directory), ring, roles, expiry=expiry, now=SystemClock().now())
    show(_published_json(done), f"Signed anew: timestamp version {done.timestamp_version}.", as_json=as_json)


@repo.command()
@_directory
@json_option
def status(directory: Path, *, as_json: bool) -> None:
    """Show roles with their expiry, releases and channels."""
    found = repository_status(Repository(directory), SystemClock().now())
    show(found.json(), _status_lines(found), as_json=as_json)


def _published_json(done: Published) -> dict[str, Json]:
    return {"changed": done.changed, "new_blobs": done.new_blobs, "timestamp_version": done.timestamp_version}


def _status_lines(found: RepositoryStatus) -> list[str]:
    lines = ["Roles"]
    lines += [f"  {row.role:<9} version {row.version:<4} until {format_time(row.expires)}  {row.state}" for row in found.roles]
    lines += ["Releases"]
    for row in found.releases:
        lines += [f"  {row.name} {row.version}  {', '.join(row.profiles)}"]
        lines += [f"    missing blob {digest}" for digest in row.missing_blobs]
    lines += ["Channels"]
    lines += [f"  {channel}: {name} {version}" for channel, models in found.channels.items() for name, version in models.items()]
    if found.stale:
        lines += ["Stale: sign anew with `sealift repo refresh` (root, targets, channels: with --role)."]
    return lines
