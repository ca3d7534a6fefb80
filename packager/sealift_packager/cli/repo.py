"""`sealift repo`: a repository of releases that devices trust, as static files."""

from __future__ import annotations

from pathlib import Path

import click

from sealift_core.bundle.digest import Digest
from sealift_core.clock import SystemClock, format_time
from sealift_core.messages.roles import CHANNELS, ROOT, TARGETS
from sealift_core.schema.documents import Json
from sealift_core.signing.keys import PublicKey
from sealift_core.terminal.commandline import json_option, show
from sealift_core.terminal.logging_options import Program
from sealift_packager.cli.passphrase import passphrase_option, passphrases
from sealift_packager.cli.repo_channels import channel, demote, promote, withdraw
from sealift_packager.cli.repo_check import check
from sealift_packager.cli.repo_keys import publish, revoke, rotate, sign
from sealift_packager.cli.repo_options import (
    directory_argument,
    dry_run_option,
    expires_option,
    keys_option,
    published_json,
    published_lines,
    request_option,
    ring,
    trust_clock_option,
)
from sealift_packager.repository import publisher
from sealift_packager.repository.intake import check_release
from sealift_packager.repository.keyring import default_keys
from sealift_packager.repository.publisher import Founding, Repository
from sealift_packager.repository.roles import MAX_KEYS, ROLES, Expiry, parse_numbers, parse_paths
from sealift_packager.repository.signing_clock import signing_time
from sealift_packager.repository.status import RepositoryStatus, repository_status


@click.group(cls=Program, short_help="Make and change a repository of releases.")
def repo() -> None:
    """A repository of releases: static files that devices trust by their metadata (TUF)."""


for command in (check, rotate, revoke, sign, publish, promote, demote, channel, withdraw):
    repo.add_command(command)


@repo.command()
@directory_argument
@keys_option
@click.option(
    "--threshold", "thresholds", multiple=True, metavar="ROLE=N", help="How many of a role's keys must sign (default: 1). Can be given several times."
)
@click.option("--generate", multiple=True, metavar="ROLE=N", help="How many new keys to make for a role (default: 1, or none with --role-key).")
@click.option(
    "--role-key", "others", multiple=True, metavar="ROLE=FILE", help="A person's own key for a role (its .pub file). Can be given several times."
)
@click.option("--plain", multiple=True, type=click.Choice(ROLES), help="Leave this role's new keys unencrypted, so that a timer can sign.")
@request_option
@passphrase_option
@expires_option
@trust_clock_option
@json_option
def init(
    directory: Path,
    *,
    keys: Path | None,
    thresholds: tuple[str, ...],
    generate: tuple[str, ...],
    others: tuple[str, ...],
    plain: tuple[str, ...],
    request: Path | None,
    passphrase_files: tuple[Path, ...],
    expires: tuple[str, ...],
    trust_clock: bool,
    as_json: bool,
) -> None:
    """Make an empty repository in DIR, with a new key for each role.

    Keep the keys of root and targets offline. A device needs the file root.json once; bring it there by a way that you trust. Keys are encrypted
    with the passphrase from --passphrase-file, from SEALIFT_KEY_PASSPHRASE, or from a prompt.
    """
    place = keys or default_keys(directory)
    founding = Founding(
        generate=parse_numbers(generate, option="--generate", what="a number of keys", least=0, most=MAX_KEYS),
        others={role: [PublicKey.load(path) for path in paths] for role, paths in parse_paths(others, option="--role-key").items()},
        thresholds=parse_numbers(thresholds, option="--threshold", what="a threshold", least=1, most=MAX_KEYS),
        plain=plain,
    )
    repository = publisher.init(
        directory,
        place,
        expiry=Expiry.parse(expires),
        now=signing_time(Repository(directory), SystemClock(), trust_clock=trust_clock),
        founding=founding,
        passphrases=passphrases(passphrase_files),
        request=request,
    )
    root, lines = _root_of_trust(repository, request)
    value: dict[str, Json] = {"repository": str(directory), "keys": str(place), "root": str(repository.root_file), **root}
    show(value, [f"Repository: {directory}", f"Keys: {place} (keep root.pem and targets.pem offline)", *lines], as_json=as_json)


def _root_of_trust(repository: Repository, request: Path | None) -> tuple[dict[str, Json], list[str]]:
    """Where the first root is: in the repository, or in the request that others are to sign."""
    if request is not None:
        text = f"Root of trust: created once enough people have signed {request} (`sealift repo sign`) and it is published (`sealift repo publish`)"
        return {"request": str(request), "root_digest": None}, [text]
    digest = Digest.of_file(repository.root_file)
    return {"request": None, "root_digest": str(digest)}, [f"Root of trust for devices: {repository.root_file}", f"  {digest}"]


@repo.command(short_help="Publish a release, after checking all of it.")
@directory_argument
@click.argument("release", type=click.Path(path_type=Path))
@click.option("--public-key", type=click.Path(path_type=Path), help="The key that must have signed the release's bundles (a .pub file).")
@click.option("--new-key", is_flag=True, help="Make the release's key the repository's bundle key from now on, in place of the earlier one.")
@request_option
@dry_run_option
@keys_option
@passphrase_option
@expires_option
@trust_clock_option
@json_option
def add(
    directory: Path,
    release: Path,
    *,
    public_key: Path | None,
    new_key: bool,
    request: Path | None,
    dry_run: bool,
    keys: Path | None,
    passphrase_files: tuple[Path, ...],
    expires: tuple[str, ...],
    trust_clock: bool,
    as_json: bool,
) -> None:
    """Publish RELEASE, the output of `sealift pack`, after checking its digests and signatures.

    The repository remembers the key that signed its first release. It refuses releases signed by another key unless you pass --new-key.
    """
    expected = PublicKey.load(public_key) if public_key else None
    checked = check_release(release, expected)
    done = publisher.add(
        Repository(directory),
        checked,
        ring(directory, keys, passphrase_files),
        expiry=Expiry.parse(expires),
        now=signing_time(Repository(directory), SystemClock(), trust_clock=trust_clock),
        new_key=new_key,
        request=request,
        dry_run=dry_run,
    )
    what = f"{checked.release.name} {checked.release.version}"
    text = f"Published {what}: {done.new_blobs} new blobs of {len(checked.blobs)}." if done.changed else f"{what} is already published."
    signed_by = checked.release.public_key.fingerprint if checked.release.public_key else None
    value: dict[str, Json] = {"name": checked.release.name, "version": checked.release.version, "digest": str(checked.descriptor.digest)}
    show(value | {"signed_by": signed_by} | published_json(done), published_lines(done, text), as_json=as_json)


@repo.command()
@directory_argument
@click.option("--role", "roles", multiple=True, type=click.Choice([ROOT, TARGETS, CHANNELS]), help="Also sign this role again.")
@request_option
@dry_run_option
@keys_option
@passphrase_option
@expires_option
@trust_clock_option
@json_option
def refresh(
    directory: Path,
    *,
    roles: tuple[str, ...],
    request: Path | None,
    dry_run: bool,
    keys: Path | None,
    passphrase_files: tuple[Path, ...],
    expires: tuple[str, ...],
    trust_clock: bool,
    as_json: bool,
) -> None:
    """Sign snapshot and timestamp again before they expire. Run it from a timer."""
    if request is not None and not roles:
        raise click.UsageError(
            "Pass --role with --request. Only root, targets and channels are signed by request; `sealift repo publish` signs snapshot and timestamp."
        )
    done = publisher.refresh(
        Repository(directory),
        ring(directory, keys, passphrase_files),
        roles,
        expiry=Expiry.parse(expires),
        now=signing_time(Repository(directory), SystemClock(), trust_clock=trust_clock),
        request=request,
        dry_run=dry_run,
    )
    show(published_json(done), published_lines(done, f"Signed again: timestamp version {done.timestamp_version}."), as_json=as_json)


@repo.command()
@directory_argument
@json_option
def status(directory: Path, *, as_json: bool) -> None:
    """Show roles with their expiry, releases and channels."""
    state = repository_status(Repository(directory), SystemClock().now())
    show(state.json(), _status_lines(state), as_json=as_json)


def _status_lines(state: RepositoryStatus) -> list[str]:
    lines = ["Roles"]
    lines += [
        f"  {role.role:<9} version {role.version:<4} until {format_time(role.expires)}  {role.state:<12}  {role.threshold} of "
        + ", ".join(keyid[:16] for keyid in role.keys)
        for role in state.roles
    ]
    lines += [f"Bundles are signed by {', '.join(key[:16] for key in state.bundle_keys) or 'nobody yet'}"]
    lines += ["Releases"]
    for release in state.releases:
        lines += [f"  {release.name} {release.version}  {', '.join(release.profiles)}"]
        lines += [f"    missing blob {digest}" for digest in release.missing_blobs]
    lines += ["Withdrawn"] if state.withdrawn else []
    lines += [f"  {name} {version}  {time}" for name, version, time in state.withdrawn]
    lines += ["Channels"]
    for channel_name, models in state.channels.items():
        lines += [f"  {channel_name}: {name} {version}" for name, version in models.items()] or [f"  {channel_name}: no model"]
    for role in state.ahead:
        when = next(format_time(status.signed_at) for status in state.roles if status.role == role and status.signed_at)
        lines += [
            f"{role} says that it was signed at {when}, in the future: a clock is wrong, or somebody else has a key (see `sealift repo rotate`)."
        ]
    if state.stale:
        lines += ["Stale: sign again with `sealift repo refresh` (root, targets, channels: with --role)."]
    return lines
