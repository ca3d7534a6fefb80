"""Every byte that a device could ask a repository for, checked: what `status` only looks for."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from sealift_core.bundle.digest import Digest
from sealift_core.bundle.layout import Descriptor, OciLayout
from sealift_core.bundle.release import Release, read_listed_bundle
from sealift_core.errors import DocumentError, IntegrityError, LimitError, SealiftError
from sealift_core.schema.documents import Json
from sealift_packager.repository.directory import Repository, target_blob

_DAMAGE = (IntegrityError, DocumentError, LimitError, OSError)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """What isn't as it was signed: the release or channel that names it, and what is wrong, in words."""

    target: str
    problem: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryCheck:
    """How much was read, and what of it is damaged or missing."""

    blobs: int
    size_bytes: int
    damage: tuple[Damage, ...]

    def json(self) -> dict[str, Json]:
        """The result for machines."""
        return {"blobs": self.blobs, "size_bytes": self.size_bytes, "damage": [dataclasses.asdict(each) for each in self.damage]}


def check_repository(repository: Repository) -> RepositoryCheck:
    """Check a repository that nobody changes meanwhile.

    1. Its metadata holds together, from the root down, and every earlier root is there, which a device that missed some asks for.
    2. Each blob that a release or channel needs, by the digests that are signed, is there with the size and the content that were signed.

    Raises `TrustError` or `RepositoryError` for metadata that doesn't hold: nothing can be said of blobs then.
    """
    with repository.locked(reading=True):
        current = repository.read_metadata()
        for name in current.file_names():  # 1
            repository.read_metadata_file(name)
        targets = {**current.targets.signed.targets, **current.channels.signed.targets}
        seen: dict[tuple[Digest, int], str | None] = {}
        damage: list[Damage] = []
        for target, target_file in sorted(targets.items()):  # 2
            for blob in _blobs(repository.layout, target, target_blob(target_file)):
                key = (blob.digest, blob.size_bytes)
                if key not in seen:
                    seen[key] = _problem(repository.layout, blob)
                if problem := seen[key]:
                    damage.append(Damage(target=target, problem=problem))
    return RepositoryCheck(blobs=len(seen), size_bytes=sum(size for _, size in seen), damage=tuple(dict.fromkeys(damage)))


def _blobs(layout: OciLayout, target: str, index: Descriptor) -> Iterator[Descriptor]:
    """A target's blobs, as deep as they can be read: what is behind a damaged list, nobody knows."""
    yield index
    if not target.startswith("releases/"):
        return
    try:
        release = Release.parse(layout.read_blob(index), where=str(layout.path(index.digest)))
    except (SealiftError, OSError):
        return
    for ref in release.bundles:
        yield ref.manifest
        try:
            yield from read_listed_bundle(layout, ref).blobs()
        except _DAMAGE:
            continue


def _problem(layout: OciLayout, blob: Descriptor) -> str | None:
    try:
        layout.check(blob)
    except OSError as error:
        return f"{layout.path(blob.digest)}: can't be read ({error.strerror})"
    except IntegrityError as error:
        return str(error)
    return None
