"""The release: an OCI layout with every bundle."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sealift_core.bundle.layout import Descriptor, OciLayout
from sealift_core.bundle.release import Release, add_bundle, add_release
from sealift_core.signing.keys import PublicKey


def write_release(directory: Path, name: str, version: str, bundles: Sequence[Path], key: PublicKey | None) -> tuple[Release, Descriptor]:
    """Put bundle directories into a new layout; the release and the descriptor of its index."""
    layout = OciLayout.create(directory)
    release = Release(name=name, version=version, bundles=tuple(add_bundle(layout, bundle) for bundle in bundles), public_key=key)
    return release, add_release(layout, release)
