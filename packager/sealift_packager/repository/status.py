"""A repository as it stands: roles with their expiry, releases, channels, and what grows stale."""

from __future__ import annotations

import dataclasses
import datetime
from typing import Final

from tuf.api.metadata import Signed

from sealift_core.bundle.digest import Digest
from sealift_core.bundle.layout import OciLayout
from sealift_core.bundle.release import read_bundle_files, read_release
from sealift_core.clock import format_time
from sealift_core.messages.roles import CHANNELS, ROOT, SNAPSHOT, TARGETS, TIMESTAMP
from sealift_core.schema.documents import Json
from sealift_packager.repository.metadata import RepositoryMetadata
from sealift_packager.repository.publisher import Repository, bundle_keys
from sealift_packager.repository.releases import published_releases, withdrawn_releases
from sealift_packager.repository.rotation import keys_of
from sealift_packager.repository.signing_clock import CLOCK_SKEW, signed_at

FUTURE: Final = "signed in the future"
#: With fewer days left than this, a role should be signed anew.
SOON_DAYS: Final = {ROOT: 90, TARGETS: 30, CHANNELS: 30, SNAPSHOT: 14, TIMESTAMP: 7}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RoleStatus:
    """One role's current metadata.

    ``state`` is ``fresh``, ``expires soon``, ``expired`` or ``signed in the future``. ``threshold`` of ``keys`` (their ids) must sign it.
    """

    role: str
    version: int
    expires: datetime.datetime
    days_left: int
    state: str
    threshold: int
    keys: tuple[str, ...]
    signed_at: datetime.datetime | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseStatus:
    """One published release: its profiles, the key that signed it, and blobs that aren't there (or can't be told)."""

    name: str
    version: str
    digest: Digest
    profiles: tuple[str, ...]
    signed_by: str
    missing_blobs: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryStatus:
    """All there is to see; ``channels`` maps a channel to its models and their versions.

    ``bundle_keys`` are the fingerprints of the key that signs bundles (several only in a repository that never remembered one); ``withdrawn`` are
    names, versions and times of releases that no device takes any more.
    """

    roles: tuple[RoleStatus, ...]
    releases: tuple[ReleaseStatus, ...]
    channels: dict[str, dict[str, str]]
    bundle_keys: tuple[str, ...] = ()
    withdrawn: tuple[tuple[str, str, str], ...] = ()

    @property
    def stale(self) -> bool:
        """Whether a role has expired or soon will."""
        return any(role.state in ("expires soon", "expired") for role in self.roles)

    @property
    def ahead(self) -> tuple[str, ...]:
        """The roles that say that they were signed in the future."""
        return tuple(role.role for role in self.roles if role.state == FUTURE)

    def json(self) -> dict[str, Json]:
        """The status for machines."""
        return {
            "stale": self.stale,
            "roles": [_role_json(role) for role in self.roles],
            "releases": [dataclasses.asdict(release) | {"digest": str(release.digest)} for release in self.releases],
            "channels": self.channels,
            "bundle_keys": list(self.bundle_keys),
            "withdrawn": [{"name": name, "version": version, "withdrawn_at": time} for name, version, time in self.withdrawn],
        }


def repository_status(repository: Repository, now: datetime.datetime) -> RepositoryStatus:
    """Read a repository, its metadata verified; blobs are looked for, not hashed."""
    current = repository.read_metadata()
    releases = published_releases(current)
    return RepositoryStatus(
        roles=role_statuses(current, now),
        releases=tuple(_release(repository.layout, name, version, digest) for (name, version), digest in releases.items()),
        channels={name: dict(channel.models) for name, channel in repository.channels(current).items()},
        bundle_keys=bundle_keys(repository, current),
        withdrawn=tuple((name, version, time) for (name, version), time in withdrawn_releases(current).items()),
    )


def role_statuses(current: RepositoryMetadata, now: datetime.datetime) -> tuple[RoleStatus, ...]:
    """How every role stands at a time."""
    return tuple(_role(current, role, signed, now) for role, signed in current.roles().items())


def _role(current: RepositoryMetadata, role: str, signed: Signed, now: datetime.datetime) -> RoleStatus:
    keyids, threshold = keys_of(current, role)
    left, moment = signed.expires - now, signed_at(signed)
    state = "expired" if left <= datetime.timedelta(0) else "expires soon" if left.days < SOON_DAYS[role] else "fresh"
    return RoleStatus(
        role=role,
        version=signed.version,
        expires=signed.expires,
        days_left=left.days,
        state=FUTURE if moment and moment > now + CLOCK_SKEW else state,
        threshold=threshold,
        keys=tuple(keyids),
        signed_at=moment,
    )


def _role_json(role: RoleStatus) -> dict[str, Json]:
    times = {"expires": format_time(role.expires), "signed_at": format_time(role.signed_at) if role.signed_at else None}
    return dataclasses.asdict(role) | times


def _release(layout: OciLayout, name: str, version: str, digest: Digest) -> ReleaseStatus:
    if not layout.has(digest):
        return ReleaseStatus(name=name, version=version, digest=digest, profiles=(), signed_by="", missing_blobs=(str(digest),))
    release = read_release(layout, digest)
    missing = [ref.manifest.digest for ref in release.bundles if not layout.has(ref.manifest.digest)]
    for ref in release.bundles:
        if ref.manifest.digest not in missing:
            missing += [blob.digest for blob in read_bundle_files(layout, ref.manifest.digest).blobs() if not layout.has(blob.digest)]
    return ReleaseStatus(
        name=name,
        version=version,
        digest=digest,
        profiles=tuple(ref.profile for ref in release.bundles),
        signed_by=release.public_key.fingerprint if release.public_key else "",
        missing_blobs=tuple(str(digest) for digest in dict.fromkeys(missing)),
    )
