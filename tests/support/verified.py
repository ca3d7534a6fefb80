"""A bundle directory, proven as the packager and a device prove it."""

from __future__ import annotations

from pathlib import Path

from sealift_core.bundle.manifest import BundleManifest
from sealift_core.bundle.signature import Statement
from sealift_core.signing.keys import PublicKey
from sealift_core.verify.check import DirectoryBundle, check_bundle


def check_directory(directory: Path, key: PublicKey | None) -> BundleManifest:
    """The manifest of a bundle directory that is as it was signed."""
    return check_bundle(DirectoryBundle(directory=directory), key=key).manifest


def verify_directory(directory: Path, key: PublicKey) -> Statement:
    """What was signed of a bundle directory that is as it was signed."""
    statement = check_bundle(DirectoryBundle(directory=directory), key=key).statement
    assert statement
    return statement
