"""Which releases a kit carries, and so which blobs."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from sealift_core.bundle.layout import Descriptor, OciLayout
from sealift_core.bundle.release import Release, read_listed_bundle
from sealift_core.errors import nearest
from sealift_core.messages.channel import Channel, release_target
from sealift_packager.errors import KitError
from sealift_packager.repository.directory import target_blob
from sealift_packager.repository.metadata import RepositoryMetadata
from sealift_packager.repository.publisher import Repository
from sealift_packager.repository.releases import published_releases

ReleaseName = tuple[str, str]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Releases as (name, version), channels by name, and every blob that they need, with its digest and size.

    ``left_out`` is what these channels point to, too.
    """

    releases: tuple[ReleaseName, ...]
    channels: tuple[str, ...]
    blobs: tuple[Descriptor, ...]
    left_out: tuple[ReleaseName, ...] = ()


def choose_releases(
    published: Sequence[ReleaseName], channels: Mapping[str, Channel], requested_channels: Sequence[str], models: Sequence[str], version: str | None
) -> tuple[ReleaseName, ...]:
    """The releases to carry. Pure.

    1. Every wanted channel exists.
    2. What the channels point to goes along: all of it, or that of ``models`` where they are given.
    3. With a version (of the one model given), that goes along too.
    4. Every model given has a release by now, and there is one at all.

    Raises `KitError` with the nearest name.
    """
    for name in requested_channels:  # 1
        if name not in channels:
            existing = ", ".join(channels) or "a channel; none exists yet (create one with `sealift repo promote`)"
            raise KitError("no such channel in the repository", where=name, expected=f"one of {existing}", advice=nearest(name, list(channels)))
    pairs = [pair for name in requested_channels for pair in channels[name].models.items()]
    chosen = [pair for pair in pairs if not models or pair[0] in models]  # 2
    if version is not None:  # 3
        if len(models) != 1:
            raise KitError("--version needs exactly one --model", where=f"--version {version}", expected="--model once", found=f"{len(models)} times")
        chosen.append((models[0], version))
    for model in models:  # 4
        if model not in (name for name, _ in chosen):
            names = sorted({name for name, _ in pairs})
            raise KitError("no channel points to this model", where=model, expected=f"one of {', '.join(names)}", advice=nearest(model, names))
    if not chosen:
        raise KitError(
            "the channels point to nothing", where=", ".join(requested_channels), advice="Promote a release first: `sealift repo promote`."
        )
    for pair in chosen:
        if pair not in published:
            labels = [" ".join(release) for release in published]
            raise KitError("no such release", where=" ".join(pair), expected=f"one of {', '.join(labels)}", advice=nearest(" ".join(pair), labels))
    return tuple(sorted(set(chosen)))


def select(repository: Repository, current: RepositoryMetadata, channels: Sequence[str], models: Sequence[str], version: str | None) -> Selection:
    """Choose releases and find their blobs; the documents of all channels, which are small, are among those."""
    published = published_releases(current)
    points_to = repository.channels(current)
    releases = choose_releases(list(published), points_to, channels, models, version)
    named = {pair for channel in channels for pair in points_to[channel].models.items()}
    blobs = [target_blob(target_file) for _, target_file in sorted(current.channels.signed.targets.items())]
    for name, number in releases:
        blobs += release_blobs(repository.layout, target_blob(current.targets.signed.targets[release_target(name, number)]))
    left_out = tuple(sorted(named - set(releases)))
    return Selection(releases=releases, channels=tuple(channels), blobs=tuple({blob.digest: blob for blob in blobs}.values()), left_out=left_out)


def release_blobs(layout: OciLayout, index: Descriptor) -> list[Descriptor]:
    """Every blob of a release: its index, and each bundle's manifest, config and files."""
    release = Release.parse(layout.read_blob(index), where=str(layout.path(index.digest)))
    return [index, *(blob for ref in release.bundles for blob in (ref.manifest, *read_listed_bundle(layout, ref).blobs()))]
