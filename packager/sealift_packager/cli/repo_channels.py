"""``sealift repo promote``, ``demote``, ``channel remove``, ``withdraw``: what devices are to run, and what no longer."""

from __future__ import annotations

from pathlib import Path

import click

from sealift_core.schema.documents import Json
from sealift_core.terminal.commandline import json_option, show
from sealift_core.terminal.logging_options import Program
from sealift_packager.cli.repo_options import Signing, directory_argument, published_json, published_lines, signing_options
from sealift_packager.repository import channels, withdrawal
from sealift_packager.repository.directory import Repository


@click.command(short_help="Point a channel at the published release NAME VERSION.")
@directory_argument
@click.argument("name")
@click.argument("version")
@click.option("--channel", "channel_name", required=True, help="The channel to move, such as stable or beta.")
@click.option("--new", is_flag=True, help="Create the channel if it doesn't exist. A repository without channels needs no --new.")
@signing_options
@json_option
def promote(directory: Path, name: str, version: str, *, channel_name: str, new: bool, signing: Signing, as_json: bool) -> None:
    """Point a channel at the published release NAME VERSION. Devices on that channel follow.

    A channel that doesn't exist is refused, so that a misspelt name isn't taken for a new one: pass --new to create it. The first channel of a
    repository needs no --new.
    """
    done = channels.promote(Repository(directory), name, version, channel_name, signing.ring(directory), new=new, **signing.arguments(directory))
    moved = done.changed or done.request
    text = f"Channel {channel_name}: {name} is now {version}." if moved else f"Channel {channel_name}: {name} is {version} already."
    value: dict[str, Json] = {"channel": channel_name, "name": name, "version": version}
    show(value | published_json(done), published_lines(done, text), as_json=as_json)


@click.command(short_help="Take the model NAME out of a channel.")
@directory_argument
@click.argument("name")
@click.option("--channel", "channel_name", required=True, help="The channel to change.")
@signing_options
@json_option
def demote(directory: Path, name: str, *, channel_name: str, signing: Signing, as_json: bool) -> None:
    """Take the model NAME out of a channel.

    Devices on that channel keep the version that they run. To move them to another version, use `sealift repo promote`.
    """
    done = channels.demote(Repository(directory), name, channel_name, signing.ring(directory), **signing.arguments(directory))
    text = f"Channel {channel_name} no longer names {name}. Devices keep the version that they run."
    value: dict[str, Json] = {"channel": channel_name, "name": name}
    show(value | published_json(done), published_lines(done, text), as_json=as_json)


@click.group(cls=Program, short_help="Remove channels.")
def channel() -> None:
    """Channels of a repository. `sealift repo promote` creates and moves them, `sealift repo status` lists them."""


@channel.command(short_help="Remove the channel NAME.")
@directory_argument
@click.argument("name")
@signing_options
@json_option
def remove(directory: Path, name: str, *, signing: Signing, as_json: bool) -> None:
    """Remove the channel NAME.

    Devices that follow it keep the versions that they run, and say that the channel is gone until they follow another one.
    """
    done = channels.remove_channel(Repository(directory), name, signing.ring(directory), **signing.arguments(directory))
    text = f"Channel {name} is removed. Devices that follow it keep the versions that they run."
    show({"channel": name} | published_json(done), published_lines(done, text), as_json=as_json)


@click.command(short_help="Withdraw a release: no device takes it any more.")
@directory_argument
@click.argument("name")
@click.argument("version")
@signing_options
@json_option
def withdraw(directory: Path, name: str, version: str, *, signing: Signing, as_json: bool) -> None:
    """Withdraw the release NAME VERSION, so that no device takes it any more. This can't be undone.

    Channels that name it no longer do. Devices that run it keep it until their channel names another version; to move them, use
    `sealift repo promote`, best before you withdraw. The version can't be published again, with whatever content.
    """
    done = withdrawal.withdraw(Repository(directory), name, version, signing.ring(directory), **signing.arguments(directory))
    changed = done.published.changed or done.published.request
    lines = [f"Withdrawn: {name} {version}. No device takes it any more." if changed else f"{name} {version} was withdrawn already."]
    lines += [f"Channel {channel_name} names no version of {name} now. Devices that run {version} keep it." for channel_name in done.channels]
    value: dict[str, Json] = {"name": name, "version": version, "channels": list(done.channels)}
    show(value | published_json(done.published), published_lines(done.published, *lines), as_json=as_json)
