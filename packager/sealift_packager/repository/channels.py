"""Where channels point: promote, demote, remove a channel. Role channels signs all of it."""

from __future__ import annotations

import copy
import datetime
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tuf.api.metadata import TargetFile, Targets

from sealift_core.errors import nearest
from sealift_core.messages.channel import CHANNEL_NAME, Channel, channel_target
from sealift_core.messages.roles import CHANNELS
from sealift_core.schema.documents import Document
from sealift_packager.errors import RepositoryError
from sealift_packager.repository.directory import Repository
from sealift_packager.repository.keyring import KeyRing
from sealift_packager.repository.metadata import HASHES, RepositoryMetadata
from sealift_packager.repository.publication import Publication, Published
from sealift_packager.repository.releases import check_published
from sealift_packager.repository.roles import Expiry

_LOG: Final = logging.getLogger("sealift.repository")


def promote(
    repository: Repository,
    name: str,
    version: str,
    channel: str,
    ring: KeyRing,
    *,
    expiry: Expiry,
    now: datetime.datetime,
    request: Path | None = None,
    new: bool = False,
    dry_run: bool = False,
) -> Published:
    """Point a channel at a release.

    1. The release is published. Else `RepositoryError`.
    2. The channel exists, is ``new`` on purpose, or is the repository's first. Else `RepositoryError`, so that a misspelt name makes no channel.
    3. A channel that points there already is no change.
    """
    Document({"channel": channel}, "--channel").text("channel", pattern=CHANNEL_NAME)
    with repository.locked(reading=dry_run):
        current = repository.read_metadata()
        check_published(current, name, version)  # 1
        channels = repository.channels(current)
        if channels and not new:
            _check_known(channels, channel, creating=True)  # 2
        before = channels.get(channel, Channel(models={}))
        if before.models.get(name) == version:  # 3
            return Published(changed=False, new_blobs=0, timestamp_version=current.timestamp.signed.version, dry_run=dry_run)
        _LOG.info("Channel %s: %s goes from %s to %s", channel, name, before.models.get(name, "nothing"), version)
        signed, documents = repointed(current, {channel: Channel(models={**before.models, name: version})})
        publication = Publication.prepare(current, {CHANNELS: signed}, ring, expiry, now, request=request, documents=documents)
        return publication.write(repository, new_blobs=1, dry_run=dry_run)


def demote(
    repository: Repository,
    name: str,
    channel: str,
    ring: KeyRing,
    *,
    expiry: Expiry,
    now: datetime.datetime,
    request: Path | None = None,
    dry_run: bool = False,
) -> Published:
    """Take a model out of a channel; `RepositoryError` if the channel or the model in it is unknown. Devices keep what they have of it."""
    with repository.locked(reading=dry_run):
        current = repository.read_metadata()
        channels = repository.channels(current)
        models = dict(_check_known(channels, channel).models)
        if name not in models:
            raise RepositoryError(
                "the channel doesn't name this model",
                where=f"channel {channel}: {name}",
                expected=f"one of {', '.join(models)}" if models else "a model; the channel names none",
                advice=nearest(name, list(models)),
            )
        _LOG.info("Channel %s: %s goes from %s to nothing", channel, name, models.pop(name))
        signed, documents = repointed(current, {channel: Channel(models=models)})
        publication = Publication.prepare(current, {CHANNELS: signed}, ring, expiry, now, request=request, documents=documents)
        return publication.write(repository, new_blobs=1, dry_run=dry_run)


def remove_channel(
    repository: Repository,
    channel: str,
    ring: KeyRing,
    *,
    expiry: Expiry,
    now: datetime.datetime,
    request: Path | None = None,
    dry_run: bool = False,
) -> Published:
    """Remove a channel; `RepositoryError` if there is none of that name. Devices that follow it keep what they have, and tell that it is gone."""
    with repository.locked(reading=dry_run):
        current = repository.read_metadata()
        _check_known(repository.channels(current), channel)
        signed = copy.deepcopy(current.channels.signed)
        del signed.targets[channel_target(channel)]
        _LOG.info("Channel %s is removed", channel)
        return Publication.prepare(current, {CHANNELS: signed}, ring, expiry, now, request=request).write(repository, dry_run=dry_run)


def repointed(current: RepositoryMetadata, changed: Mapping[str, Channel]) -> tuple[Targets, dict[str, bytes]]:
    """What role channels is to say once some channels are others, and the documents of those by target. Pure."""
    signed, documents = copy.deepcopy(current.channels.signed), {}
    for name, channel in changed.items():
        target, data = channel_target(name), channel.to_bytes()
        signed.targets[target] = TargetFile.from_data(target, data, HASHES)
        documents[target] = data
    return signed, documents


def _check_known(channels: Mapping[str, Channel], channel: str, *, creating: bool = False) -> Channel:
    if channel in channels:
        return channels[channel]
    advice = [nearest(channel, list(channels)), "Pass --new to create this channel." if creating else None]
    raise RepositoryError(
        "the repository has no such channel",
        where=f"channel {channel}",
        expected=f"one of {', '.join(channels)}" if channels else "a channel; none exists yet",
        advice=" ".join(filter(None, advice)) or None,
    )
