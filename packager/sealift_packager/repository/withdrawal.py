"""Withdraw a release: no device takes it any more.

Role targets no longer lists it, and remembers its name, its version and the time for good, so that the version never gets other content. Channels
that name it are changed in the same publication, because a channel that names an unknown release is refused by devices as a whole. Its blobs stay:
devices that run it may have to repair it.
"""

from __future__ import annotations

import copy
import dataclasses
import datetime
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tuf.api.metadata import Signed

from sealift_core.clock import format_time
from sealift_core.messages.channel import Channel, release_target
from sealift_core.messages.roles import CHANNELS, TARGETS, WITHDRAWN_FIELD
from sealift_packager.repository.channels import repointed
from sealift_packager.repository.directory import Repository
from sealift_packager.repository.keyring import KeyRing
from sealift_packager.repository.publication import Publication, Published
from sealift_packager.repository.releases import check_published, withdrawn_releases
from sealift_packager.repository.roles import Expiry

_LOG: Final = logging.getLogger("sealift.repository")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawn:
    """What became of a withdrawal: the publication, and the channels that named the release and name nothing in its place."""

    published: Published
    channels: tuple[str, ...]


def withdraw(
    repository: Repository,
    name: str,
    version: str,
    ring: KeyRing,
    *,
    expiry: Expiry,
    now: datetime.datetime,
    request: Path | None = None,
    dry_run: bool = False,
) -> Withdrawn:
    """Withdraw a release, also from the channels that name it; one that was withdrawn already is no change.

    The key of channels is needed only where a channel names the release. Raises `RepositoryError` for a release that isn't published.
    """
    with repository.locked(reading=dry_run):
        current = repository.read_metadata()
        if (name, version) in withdrawn_releases(current):
            unchanged = Published(changed=False, new_blobs=0, timestamp_version=current.timestamp.signed.version, dry_run=dry_run)
            return Withdrawn(published=unchanged, channels=())
        check_published(current, name, version)
        targets = copy.deepcopy(current.targets.signed)
        del targets.targets[release_target(name, version)]
        times = targets.unrecognized_fields.get(WITHDRAWN_FIELD, {})
        targets.unrecognized_fields[WITHDRAWN_FIELD] = {**times, f"{name}/{version}": format_time(now)}
        changed: dict[str, Signed] = {TARGETS: targets}
        naming = _naming(repository.channels(current), name, version)
        documents: dict[str, bytes] = {}
        if naming:
            changed[CHANNELS], documents = repointed(current, naming)
        _LOG.info("%s %s is withdrawn; channels that named it: %s", name, version, ", ".join(naming) or "none")
        publication = Publication.prepare(current, changed, ring, expiry, now, request=request, documents=documents)
        done = publication.write(repository, new_blobs=len(documents), dry_run=dry_run)
        return Withdrawn(published=done, channels=tuple(naming))


def _naming(channels: Mapping[str, Channel], name: str, version: str) -> dict[str, Channel]:
    """The channels that name a release, as they are without it. Pure."""
    return {
        channel: Channel(models={model: named for model, named in says.models.items() if model != name})
        for channel, says in channels.items()
        if says.models.get(name) == version
    }
