"""Pure, but for ``index.json``: which releases are published, and which were withdrawn.

A withdrawn release is no target any more, so no device takes it. Role targets remembers its name and version for good: a version names one content,
also after it was withdrawn.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Final

from sealift_core.bundle.digest import Digest
from sealift_core.bundle.layout import REF_NAME, Descriptor, OciLayout
from sealift_core.errors import nearest
from sealift_core.messages.roles import WITHDRAWN_FIELD
from sealift_packager.errors import RepositoryError
from sealift_packager.repository.metadata import RepositoryMetadata

_NEW_VERSION: Final = "Pack the model with a new version."


def published_releases(current: RepositoryMetadata) -> dict[tuple[str, str], Digest]:
    """The OCI index digest of every published release by name and version, in order."""
    targets = sorted(current.targets.signed.targets.items())
    parts = {target: target.split("/") for target, _ in targets}
    return {(parts[target][1], parts[target][2]): Digest(file.hashes["sha256"]) for target, file in targets if parts[target][0] == "releases"}


def withdrawn_releases(current: RepositoryMetadata) -> dict[tuple[str, str], str]:
    """When each withdrawn release was withdrawn, by name and version, in order."""
    field = current.targets.signed.unrecognized_fields.get(WITHDRAWN_FIELD, {})
    if not isinstance(field, dict):
        raise RepositoryError("not a table of releases", where=f"targets: {WITHDRAWN_FIELD}", expected="times by NAME/VERSION")
    return {(name, version): str(time) for key, time in sorted(field.items()) for name, _, version in [str(key).partition("/")]}


def check_published(current: RepositoryMetadata, name: str, version: str) -> None:
    """Raise `RepositoryError` unless a release is published, with what could have been meant."""
    check_not_withdrawn(current, name, version)
    releases = published_releases(current)
    if (name, version) in releases:
        return
    versions = [published for model, published in releases if model == name]
    if versions:
        raise RepositoryError(
            "no such version in this repository",
            where=f"{name} {version}",
            expected=f"one of {', '.join(versions)}",
            advice=nearest(version, versions),
        )
    models = sorted({model for model, _ in releases})
    expected = f"one of {', '.join(models)}" if models else "a release; none was added yet"
    raise RepositoryError("no such model in this repository", where=f"{name} {version}", expected=expected, advice=nearest(name, models))


def check_not_withdrawn(current: RepositoryMetadata, name: str, version: str) -> None:
    """Raise `RepositoryError` for a release that was withdrawn."""
    if time := withdrawn_releases(current).get((name, version)):
        raise RepositoryError("this release was withdrawn", where=f"{name} {version}", found=f"withdrawn at {time}", advice=_NEW_VERSION)


def list_release(layout: OciLayout, name: str, version: str, descriptor: Descriptor) -> None:
    """Name a release in ``index.json``, for OCI tools; nothing trusts that file."""
    ref = f"{name}:{version}"
    entry = dataclasses.replace(descriptor, annotations={**descriptor.annotations, REF_NAME: ref})
    layout.write_index([*(other for other in layout.index() if other.annotations.get(REF_NAME) != ref), entry])


def unlist_releases(layout: OciLayout, releases: Iterable[tuple[str, str]]) -> None:
    """Take releases out of ``index.json``."""
    refs, listed = {f"{name}:{version}" for name, version in releases}, list(layout.index())
    kept = [entry for entry in listed if entry.annotations.get(REF_NAME) not in refs]
    if len(kept) != len(listed):
        layout.write_index(kept)
