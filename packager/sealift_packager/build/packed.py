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
    """Finished bundles: a directory for each profile, all there but for the signature; the evidence they rest on, and what `Packed` says besides."""

    directories: Mapping[str, Path]
    lock: Lock
    node_errors: NodeErrors
    notes: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """A finished release: where its layout is, the digest of its index, each bundle's manifest by profile, and the evidence it rests on.

    ``node_errors`` is what int8 costs each node, by profile and candidate; ``notes`` are sentences on parity and on the data, warnings among them.
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
    """What a build may use beside its request: results of earlier ones, and a lock to believe.

    A model of more than ``inline_bytes`` of weights is built with its weights in files.
    """

    cache: Store | None
    lock: Lock | None
    inline_bytes: int


class Builder(Protocol):
    """Builds the bundles of a request in a scratch folder, in this process or in another one."""

    def __call__(self, request: PackRequest, scratch: Path, progress: Progress, options: BuildOptions) -> Unsigned:
        """The bundles, in folders below ``scratch``; a `PackagerError` if there are none."""
