"""A vendor's repository under test: releases made, added and promoted at a fixed time."""

from __future__ import annotations

import datetime
from pathlib import Path

from sealift_packager.repository import channels, publisher
from sealift_packager.repository.intake import check_release
from sealift_packager.repository.keyring import KeyRing, default_keys
from sealift_packager.repository.publisher import Published, Repository
from sealift_packager.repository.roles import Expiry
from support.models import make_bundle, make_profile, make_release

NOW = datetime.datetime(2026, 1, 31, 12, 0, 0, tzinfo=datetime.UTC)

EXPIRY = Expiry()


def ring(repository: Repository) -> KeyRing:
    return KeyRing(default_keys(repository.directory))


def release_in(tmp_path: Path, version: str = "1.0.0", *, name: str = "linear", description: str = "") -> Path:
    folder = tmp_path / f"release-{name}-{version}-{len(description)}"
    make_bundle(folder / "bundle", name=name, version=version, description=description)
    make_bundle(folder / "other", name=name, version=version, description=description, profile=make_profile("other"))
    make_release(folder / "layout", folder / "bundle", folder / "other")
    return folder / "layout"


def add(repository: Repository, release: Path) -> Published:
    return publisher.add(repository, check_release(release, None), ring(repository), expiry=EXPIRY, now=NOW)


def promote(repository: Repository, version: str, *, name: str = "linear", channel: str = "stable", new: bool = False) -> Published:
    return channels.promote(repository, name, version, channel, ring(repository), expiry=EXPIRY, now=NOW, new=new)


def versions(repository: Repository) -> dict[str, int]:
    return {role: signed.version for role, signed in repository.read_metadata().roles().items()}
