"""``sealift repo rotate``, ``revoke``, ``sign``, ``publish``: keys that come and go, and what several people sign."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from sealift_core.clock import SystemClock
from sealift_core.schema.documents import Json
from sealift_core.signing.keys import PublicKey
from sealift_core.terminal.commandline import json_option, show
from sealift_packager.cli.passphrase import passphrase_option, passphrases
from sealift_packager.cli.repo_options import (
    PATH,
    directory_argument,
    dry_run_option,
    expires_option,
    keys_option,
    plain_option,
    published_json,
    published_lines,
    request_option,
    ring,
    trust_clock_option,
)
from sealift_packager.repository import ceremony
from sealift_packager.repository.ceremony import Rotated, Rotation
from sealift_packager.repository.directory import Repository
from sealift_packager.repository.keyring import tuf_signer
from sealift_packager.repository.request import Request
from sealift_packager.repository.roles import MAX_KEYS, ROLES, Expiry
from sealift_packager.repository.rotation import roles_with
from sealift_packager.repository.signing_clock import check_drafted, signing_time


@click.command()
@directory_argument
@click.argument("role", type=click.Choice(ROLES))
@click.option("--generate", type=click.IntRange(min=0, max=MAX_KEYS), default=0, help="How many new keys to make and add.")
@click.option("--add-key", "added", multiple=True, type=PATH, help="A person's own key to add (its .pub file). Can be given several times.")
@click.option(
    "--remove-key", "removed", multiple=True, metavar="KEYID", help="A key to remove: its id, or the beginning of the id, as `repo status` shows it."
)
@click.option("--threshold", type=click.IntRange(min=1, max=MAX_KEYS), help="How many of the role's keys must sign from now on.")
@plain_option
@request_option
@dry_run_option
@keys_option
@passphrase_option
@expires_option
@trust_clock_option
@json_option
def rotate(
    directory: Path,
    role: str,
    *,
    generate: int,
    added: tuple[Path, ...],
    removed: tuple[str, ...],
    threshold: int | None,
    plain: bool,
    request: Path | None,
    dry_run: bool,
    keys: Path | None,
    passphrase_files: tuple[Path, ...],
    expires: tuple[str, ...],
    trust_clock: bool,
    as_json: bool,
) -> None:
    """Change the keys of ROLE. Without other options, replace its only key with a new one.

    The next root (for channels: the next targets) is signed as both the old and the new keys require. Devices pick up the change by themselves.
    """
    rotation = Rotation(role=role, generate=generate, add=[PublicKey.load(path) for path in added], remove=removed, threshold=threshold)
    signers = ring(directory, keys, passphrase_files)
    now = signing_time(Repository(directory), SystemClock(), trust_clock=trust_clock, replaced=[role])
    expiry, repository = Expiry.parse(expires), Repository(directory)
    done = ceremony.rotate(repository, rotation, signers, expiry=expiry, now=now, plain=plain, request=request, dry_run=dry_run)
    _show(done, as_json=as_json)


@click.command(short_help="Remove a key from every role that has it.")
@directory_argument
@click.argument("keyid")
@plain_option
@request_option
@dry_run_option
@keys_option
@passphrase_option
@expires_option
@trust_clock_option
@json_option
def revoke(
    directory: Path,
    keyid: str,
    *,
    plain: bool,
    request: Path | None,
    dry_run: bool,
    keys: Path | None,
    passphrase_files: tuple[Path, ...],
    expires: tuple[str, ...],
    trust_clock: bool,
    as_json: bool,
) -> None:
    """Remove the key KEYID (its id, or the beginning of the id, as `repo status` shows it) from every role that has it.

    A role that would fall below its threshold gets a new key. Metadata that the key signed is signed again; devices refuse whatever the key
    signs from then on.
    """
    signers = ring(directory, keys, passphrase_files)
    now = signing_time(Repository(directory), SystemClock(), trust_clock=trust_clock, replaced=_roles_of(directory, keyid))
    expiry, repository = Expiry.parse(expires), Repository(directory)
    done = ceremony.revoke(repository, keyid, signers, expiry=expiry, now=now, plain=plain, request=request, dry_run=dry_run)
    _show(done, as_json=as_json)


@click.command()
@click.argument("request", type=PATH)
@click.option("--key", type=PATH, help="Sign with this private key (PEM). Without it, the request is only shown.")
@trust_clock_option
@passphrase_option
@json_option
def sign(request: Path, key: Path | None, passphrase_files: tuple[Path, ...], *, trust_clock: bool, as_json: bool) -> None:
    """Show what REQUEST asks you to sign. With --key, add your signature to the file.

    This needs neither a repository nor a network. Read what is shown before you sign: your signature vouches for it.
    """
    to_sign = Request.read(request)
    described = to_sign.describe()  # refuses what can't be shown
    signed: list[str] = []
    if key is not None:
        for role, drafted in () if trust_clock else to_sign.drafts.items():
            check_drafted(role, drafted.signed, SystemClock().now())
        signed = to_sign.sign(tuf_signer(passphrases(passphrase_files).load(key)))
        to_sign.write(request)
        described = to_sign.describe()
    outcome = f"Signed: {', '.join(signed)}" if key else "Not signed; pass --key to sign."
    show({"request": str(request), "signed": list(signed), "roles": described}, [*_described(described), outcome], as_json=as_json)


@click.command()
@directory_argument
@click.argument("requests", metavar="REQUEST...", nargs=-1, required=True, type=PATH)
@dry_run_option
@keys_option
@passphrase_option
@expires_option
@trust_clock_option
@json_option
def publish(
    directory: Path,
    requests: tuple[Path, ...],
    *,
    dry_run: bool,
    keys: Path | None,
    passphrase_files: tuple[Path, ...],
    expires: tuple[str, ...],
    trust_clock: bool,
    as_json: bool,
) -> None:
    """Publish REQUEST once enough people have signed it. If people signed copies of it separately, pass all the copies.

    Signatures are counted against the repository's own metadata. Nothing is published below a threshold.
    """
    signers = ring(directory, keys, passphrase_files)
    done = ceremony.publish(
        Repository(directory),
        requests,
        signers,
        expiry=Expiry.parse(expires),
        now=signing_time(Repository(directory), SystemClock(), trust_clock=trust_clock),
        dry_run=dry_run,
    )
    show(published_json(done), published_lines(done, f"Published: timestamp version {done.timestamp_version}."), as_json=as_json)


def _roles_of(directory: Path, keyid: str) -> list[str]:
    repository = Repository(directory)
    return list(roles_with(repository.read_metadata(), keyid)) if repository.is_complete() else []


def _show(done: Rotated, *, as_json: bool) -> None:
    roles: dict[str, Json] = {role: {"keys": list(keyids), "threshold": threshold} for role, (keyids, threshold) in done.roles.items()}
    lines = [f"{role}: {threshold} of {', '.join(keyid[:16] for keyid in keyids)}" for role, (keyids, threshold) in done.roles.items()]
    lines += [f"New key: {path}" for path in done.new_keys]
    value = {"roles": roles, "new_keys": [str(path) for path in done.new_keys]} | published_json(done.published)
    show(value, published_lines(done.published, *lines), as_json=as_json)


def _described(described: Mapping[str, Any]) -> list[str]:
    lines = []
    for role, description in described.items():
        lines += [f"{role}, version {description['version']}, until {description['expires']}"]
        lines += [f"  {'*' if name in description['changes'] else ' '} {name}: {value}" for name, value in description["says"].items()]
        lines += [f"  * {name}" for name in description["changes"] if name not in description["says"]]
        lines += [
            f"  signed by {', '.join(keyid[:16] for keyid in description['signed_by']) or 'nobody'}; {description['missing_signatures']} more needed"
        ]
    return [*lines, "* is changed by this request, according to the request itself"]
