"""What a build gives: bundles without a signature, and then the release that they are in. Imports nothing that builds."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from sealift_core.bundle.digest import Digest
from sealift_core.bundle.manifest import BundleManifest
from sealift_core.bundle.release import Release
from sealift_packager.build.request import PackRequest
from sealift_packager.cache.store import Store
from sealift_packager.lock.lockfile import Lock
from sealift_packager.progress.progress import Progress
from sealift_packager.quantize.node_error import NodeError

#: What int8 costs each node, by profile and candidate.
NodeErrors = Mapping[str, Mapping[str, Mapping[str, NodeError]]]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Unsigned:
    """Finished bundles without a signature.

    Attributes:
        directories: Each bundle's directory, by profile; all files are there but for the signature.
        lock: What was measured, and what they were made from.
        node_errors: What int8 costs each node, by profile and candidate.
        notes: Sentences on parity and on the data, warnings among them.
    """

    directories: Mapping[str, Path]
    lock: Lock
    node_errors: NodeErrors
    notes: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """A finished release.

    Attributes:
        release: Its OCI index as a value.
        directory: Where its OCI image layout is.
        digest: The digest of its index.
        manifests: Each bundle's manifest, by profile.
        lock: What was measured, and what they were made from.
        node_errors: What int8 costs each node, by profile and candidate.
        notes: Sentences on parity and on the data, warnings among them.
    """

    release: Release
    directory: Path
    digest: Digest
    manifests: dict[str, BundleManifest]
    lock: Lock
    node_errors: NodeErrors = dataclasses.field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BuildOptions:
    """What a build may use beside its request.

    Attributes:
        cache: Results of earlier builds; None for no cache.
        lock: A lock to believe; None to measure anew.
        inline_bytes: A model of more weights is built with its weights in files.
    """

    cache: Store | None
    lock: Lock | None
    inline_bytes: int


class Builder(Protocol):
    """Builds the bundles of a request in a scratch folder, in this process or in another one."""

    def __call__(self, request: PackRequest, scratch: Path, progress: Progress, options: BuildOptions) -> Unsigned:
        """Build the bundles of a request.

        Args:
            request: What is asked for.
            scratch: The folder that the bundles go below.
            progress: Where the build reports its stages.
            options: What may be used beside the request.

        Returns:
            The bundles.

        Raises:
            PackagerError: If there are none.
        """
