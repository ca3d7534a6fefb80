"""What verified metadata vouches for: releases by length and digest, channels, and what a channel points to."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping

from tuf.api.metadata import TargetFile, Targets

from sealift_core.bundle.digest import Digest
from sealift_core.bundle.layout import INDEX_TYPE, Descriptor
from sealift_core.bundle.limits import LIMITS
from sealift_core.errors import IntegrityError, TrustError, nearest
from sealift_core.messages.channel import CHANNEL_NAME, Channel, channel_target, release_target
from sealift_core.messages.roles import CHANNELS, TARGETS, WITHDRAWN_FIELD
from sealift_runtime.trust.metadata import where
from sealift_runtime.trust.state import TrustState
from sealift_runtime.trust.workflow import trusted

CHANNEL_TYPE = "application/vnd.sealift.channel.v1+json"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TrustedTargets:
    """The targets that two roles sign: releases by role targets, channels by role channels.

    ``withdrawn`` are the names and versions of releases that role targets no longer vouches for, by its own word.
    """

    releases: Mapping[str, Descriptor]
    channels: Mapping[str, Descriptor]
    withdrawn: frozenset[tuple[str, str]] = frozenset()

    @classmethod
    def of(cls, state: TrustState) -> TrustedTargets:
        """What a complete state vouches for. Targets of other names, or of the other role, count for nothing."""
        signed = trusted(Targets, TARGETS, state).signed
        targets, withdrawn = signed.targets, signed.unrecognized_fields.get(WITHDRAWN_FIELD)
        withdrawn = withdrawn if isinstance(withdrawn, dict) else {}
        channels = trusted(Targets, CHANNELS, state).signed.targets
        return cls(
            releases={path: _descriptor(TARGETS, target, INDEX_TYPE) for path, target in targets.items() if path.startswith("releases/")},
            channels={path: _descriptor(CHANNELS, target, CHANNEL_TYPE) for path, target in channels.items() if path.startswith("channels/")},
            withdrawn=frozenset((name, version) for key in withdrawn for name, _, version in [str(key).partition("/")]),
        )

    def release(self, name: str, version: str) -> Descriptor:
        """The OCI index of a release; `TrustError` if there is none of that name."""
        descriptor = self.releases.get(release_target(name, version))
        if descriptor is None:
            raise TrustError("the repository has no such release", where=where(TARGETS), expected=release_target(name, version))
        return descriptor

    def channel(self, name: str) -> Descriptor:
        """The document of a channel; `TrustError` with the channels that there are."""
        descriptor = self.channels.get(channel_target(name)) if re.fullmatch(CHANNEL_NAME, name) else None
        if descriptor is None:
            names = sorted(path.removeprefix("channels/").removesuffix(".json") for path in self.channels)
            raise TrustError(
                "the repository has no such channel",
                where=where(CHANNELS),
                expected=f"one of {', '.join(names) or 'none'}",
                found=repr(name),
                advice=nearest(name, names),
            )
        return descriptor

    def resolve(self, channel: str, data: bytes) -> dict[str, tuple[str, Descriptor]]:
        """What a channel points to: version and release by model name.

        1. ``data`` is what role channels signed.
        2. Each release that it names is vouched for by role targets; one unknown release refuses the whole channel.
        """
        target = channel_target(channel)
        self.channel(channel).digest.check(data, where=target)  # 1
        models = Channel.parse(data, where=target).models
        for name, version in models.items():  # 2
            if release_target(name, version) not in self.releases:
                raise TrustError(
                    "the channel names a release that isn't signed by the repository's targets key", where=target, found=release_target(name, version)
                )
        return {name: (version, self.release(name, version)) for name, version in models.items()}


def _descriptor(role: str, target: TargetFile, media_type: str) -> Descriptor:
    place = f"{where(role)}: {target.path}"
    if "sha256" not in target.hashes:
        raise IntegrityError("the target has no SHA-256 digest", where=place, found=", ".join(target.hashes))
    if target.length > LIMITS.oci_document_bytes:
        raise TrustError(
            "the target is too large", where=place, expected=f"at most {LIMITS.oci_document_bytes} bytes", found=f"{target.length} bytes"
        )
    return Descriptor(media_type=media_type, digest=Digest.parse(f"sha256:{target.hashes['sha256']}", where=place), size_bytes=target.length)
