"""What a build gives for one profile."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sealift_core.bundle.manifest import BundleManifest
from sealift_core.drift.baseline import Baseline
from sealift_core.schema.documents import Json
from sealift_packager.assemble.golden import Golden
from sealift_packager.quantize.node_error import NodeError


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ProfileResult:
    """All of a bundle but what a release calls it; what its choice rests on, each candidate's errors by node, and what the report says besides.

    ``measured`` are the measurements by name, as a lock writes them.
    """

    manifest: BundleManifest
    model: Any
    golden: Golden
    baseline: Baseline
    measured: dict[str, Any]
    node_errors: dict[str, dict[str, NodeError]]
    notes: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ProfileBuild:
    """A finished bundle directory, the measurements that its choice rests on, each candidate's errors by node, and what the report says besides."""

    directory: Path
    manifest: BundleManifest
    measured: Mapping[str, Json]
    node_errors: Mapping[str, Mapping[str, NodeError]]
    notes: tuple[str, ...] = ()
