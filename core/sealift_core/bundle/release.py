"""A release: all bundles of one version, as an OCI image index with one manifest per profile.

Manifests follow CNCF ModelPack (artifact type ``application/vnd.cncf.model.manifest.v1+json``): one layer per file,
raw. The index carries, as annotations, the model's name and version and the public key that signed its bundles, so
whoever trusts the index (through TUF, say) knows which key ``model.sig`` must answer to.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from sealift_core import beneath
from sealift_core.bundle import files
from sealift_core.bundle.digest import Digest
from sealift_core.bundle.layout import (
    INDEX_TYPE,
    MANIFEST_TYPE,
    REF_NAME,
    Descriptor,
    OciLayout,
    parse_oci_document,
)
from sealift_core.bundle.limits import LIMITS
from sealift_core.bundle.manifest import MAX_VERSION_CHARACTERS, MODEL_NAME, VERSION, BundleManifest
from sealift_core.errors import DocumentError, IntegrityError, nearest
from sealift_core.schema.documents import Json, canonical_json
from sealift_core.signing.keys import PublicKey

MODEL_MANIFEST: Final = "application/vnd.cncf.model.manifest.v1+json"
MODEL_CONFIG: Final = "application/vnd.cncf.model.config.v1+json"
WEIGHT: Final = "application/vnd.cncf.model.weight.v1.raw"
WEIGHT_CONFIG: Final = "application/vnd.cncf.model.weight.config.v1.raw"
DOC: Final = "application/vnd.cncf.model.doc.v1.raw"
FILE_PATH: Final = "org.cncf.model.filepath"
TITLE: Final = "org.opencontainers.image.title"
NAME_KEY: Final = "dev.sealift.name"
VERSION_KEY: Final = "dev.sealift.version"
PROFILE_KEY: Final = "dev.sealift.profile"
PUBLIC_KEY_KEY: Final = "dev.sealift.public-key"
OCI_ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64"}


def _media_type(name: str) -> str:
    if name == files.GRAPH or name.startswith("weights/"):
        return WEIGHT
    return WEIGHT_CONFIG if name in (files.MANIFEST, files.GOLDEN, files.BASELINE) else DOC


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BundleRef:
    """One bundle of a release.

    Attributes:
        profile: The name of its hardware profile.
        manifest: The digest and size of its OCI manifest.
    """

    profile: str
    manifest: Descriptor


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A release's OCI index as a value.

    Attributes:
        name: The model's name.
        version: Its semantic version.
        bundles: Its bundles, each for another profile; at least one.
        public_key: The key that signed them; None when they aren't signed.
    """

    name: str
    version: str
    bundles: tuple[BundleRef, ...]
    public_key: PublicKey | None

    @classmethod
    def parse(cls, data: bytes, *, where: str) -> Release:
        """Read an OCI image index that is a release.

        Args:
            data: The index's bytes.
            where: What errors call it.

        Returns:
            The release.

        Raises:
            IntegrityError: If there is no bundle, or not exactly one for each profile.
            DocumentError: If it isn't an OCI image index, or a name or version is malformed.
            LimitError: If it is larger than its bound, or lists too many bundles.
            KeyFileError: If the public key in it can't be used.
        """
        document = parse_oci_document(data, where=where, media_type=INDEX_TYPE)
        notes = document.document("annotations")
        manifests = [Descriptor.parse(manifest) for manifest in document.documents("manifests", max_items=LIMITS.bundles_per_release)]
        bundles = tuple(BundleRef(profile=manifest.annotations.get(PROFILE_KEY, ""), manifest=manifest) for manifest in manifests)
        profiles = [bundle.profile for bundle in bundles]
        if not bundles or "" in profiles or len(set(profiles)) != len(profiles):
            raise IntegrityError("not a release", where=where, expected=f"manifests with different {PROFILE_KEY}", found=repr(profiles[:10]))
        pem = notes.text(PUBLIC_KEY_KEY, None)
        return cls(
            name=notes.text(NAME_KEY, pattern=MODEL_NAME),
            version=notes.text(VERSION_KEY, pattern=VERSION, max_characters=MAX_VERSION_CHARACTERS),
            bundles=bundles,
            public_key=PublicKey.from_pem(pem.encode(), where=where) if pem else None,
        )

    def to_bytes(self) -> bytes:
        """Write the OCI image index."""
        notes: dict[str, Json] = {NAME_KEY: self.name, VERSION_KEY: self.version}
        if self.public_key:
            notes[PUBLIC_KEY_KEY] = self.public_key.pem().decode()
        manifests = [bundle.manifest.json() for bundle in self.bundles]
        fields: dict[str, Json] = {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": manifests, "annotations": notes}
        return canonical_json(fields | {"artifactType": MODEL_MANIFEST})

    def bundle(self, profile: str) -> BundleRef:
        """Find the bundle for a profile.

        Args:
            profile: The profile's name.

        Returns:
            The bundle.

        Raises:
            DocumentError: If there is none; it names the profiles that there are.
        """
        for bundle in self.bundles:
            if bundle.profile == profile:
                return bundle
        profiles = [bundle.profile for bundle in self.bundles]
        raise DocumentError(
            "the release has no bundle for this profile",
            where=f"{self.name} {self.version}",
            expected=f"one of {', '.join(profiles)}",
            found=repr(profile),
            advice=nearest(profile, profiles),
        )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BundleFiles:
    """One bundle's OCI manifest as a value.

    Attributes:
        config: The config blob.
        layers: The blob of each of its files, by the file's path within the bundle.
    """

    config: Descriptor
    layers: dict[str, Descriptor]

    @classmethod
    def parse(cls, data: bytes, *, where: str) -> BundleFiles:
        """Read an OCI manifest that is a bundle.

        Args:
            data: The manifest's bytes.
            where: What errors call it.

        Returns:
            The files.

        Raises:
            IntegrityError: If a name isn't one of a bundle's, is there twice or missing, or one blob has two sizes.
            DocumentError: If it isn't the OCI manifest of a model.
            LimitError: If it or a file that it lists is larger than its bound, or there are too many.
        """
        document = parse_oci_document(data, where=where, media_type=MANIFEST_TYPE)
        document.text("artifactType", one_of=(MODEL_MANIFEST,))
        layers: dict[str, Descriptor] = {}
        for entry in document.documents("layers", max_items=LIMITS.files):
            layer = Descriptor.parse(entry)
            name = files.check_name(layer.annotations.get(FILE_PATH, ""), where=entry.where)
            if name in layers:
                raise IntegrityError("a file is listed twice", where=entry.where, found=name)
            layers[name] = layer
        missing = [name for name in files.REQUIRED if name not in layers]
        if missing:
            raise IntegrityError("a file of the bundle is missing", where=where, expected=", ".join(missing))
        files.check_sizes({name: layer.size_bytes for name, layer in layers.items()}, where=where)
        made = cls(config=Descriptor.parse(document.document("config")), layers=layers)
        _check_consistent((made.config, *layers.values()), where)
        return made

    @property
    def size_bytes(self) -> int:
        """The size of all files together."""
        return sum(layer.size_bytes for layer in self.layers.values())

    def blobs(self) -> list[Descriptor]:
        """List every blob that a device needs beside the OCI manifest itself, each once."""
        return list({blob.digest: blob for blob in (self.config, *self.layers.values())}.values())


def _check_consistent(blobs: Iterable[Descriptor], where: str) -> None:
    sizes: dict[Digest, int] = {}
    for blob in blobs:
        if sizes.setdefault(blob.digest, blob.size_bytes) != blob.size_bytes:
            raise IntegrityError(
                "the same content is listed with two sizes", where=where, found=f"{blob.digest}: {sizes[blob.digest]} and {blob.size_bytes} bytes"
            )


def add_bundle(layout: OciLayout, directory: Path) -> BundleRef:
    """Store a bundle directory in a layout: one blob per file, a config, a manifest.

    Args:
        layout: Where the blobs go.
        directory: The bundle's folder. Files of our own become the blobs by hard links (`OciLayout.put_file`).

    Returns:
        What a release lists.

    Raises:
        IntegrityError: If the directory isn't exactly a bundle's.
        DocumentError: If its ``bundle.json`` can't be read.
        LimitError: If a file is larger than its bound.
        StoreError: If a blob can't be written; `DiskFullError` if there is no room.
        OSError: If a file can't be read.
    """
    with beneath.open_file(directory, files.MANIFEST) as file:
        data = beneath.read_open(file, LIMITS.manifest_bytes, where=str(directory / files.MANIFEST))
    manifest = BundleManifest.parse(data, where=str(directory / files.MANIFEST))
    layers: list[Json] = []
    diff_ids: list[Json] = []
    for name, path in files.list_files(directory).items():
        digest, size = layout.put_file(path)
        notes = {FILE_PATH: name, TITLE: name}
        layers.append(Descriptor(media_type=_media_type(name), digest=digest, size_bytes=size, annotations=notes).json())
        diff_ids.append(str(digest))
    config = canonical_json(_model_config(manifest, diff_ids))
    config_descriptor = Descriptor(media_type=MODEL_CONFIG, digest=layout.put(config), size_bytes=len(config)).json()
    fields: dict[str, Json] = {"schemaVersion": 2, "mediaType": MANIFEST_TYPE, "artifactType": MODEL_MANIFEST}
    data = canonical_json(fields | {"config": config_descriptor, "layers": layers})
    descriptor = Descriptor(  # without artifactType: skopeo 1.9 leaves that out when it copies an index, which changes the index's digest
        media_type=MANIFEST_TYPE,
        digest=layout.put(data),
        size_bytes=len(data),
        annotations={PROFILE_KEY: manifest.profile.name},
        platform={"os": "linux", "architecture": OCI_ARCHITECTURES[manifest.profile.cpu.arch]},
    )
    return BundleRef(profile=manifest.profile.name, manifest=descriptor)


def _model_config(manifest: BundleManifest, diff_ids: list[Json]) -> dict[str, Json]:
    """A CNCF ModelPack config: https://github.com/modelpack/model-spec/blob/main/docs/config.md."""
    descriptor = {"name": manifest.name, "version": manifest.version}
    config = {"format": "onnx", "precision": manifest.model.precision}
    return {"descriptor": descriptor, "config": config, "modelfs": {"type": "layers", "diffIds": diff_ids}}


def add_release(layout: OciLayout, release: Release) -> Descriptor:
    """Store a release's index, and list it in the layout's ``index.json`` as ``NAME:VERSION``, which replaces what had that name.

    Args:
        layout: Where it goes.
        release: The release, whose bundles are there already.

    Returns:
        The index's descriptor.

    Raises:
        IntegrityError: If the layout's ``index.json`` is missing.
        DocumentError: If it can't be read.
        LimitError: If it is larger than its bound.
        StoreError: If a file can't be written; `DiskFullError` if there is no room.
    """
    data = release.to_bytes()
    ref = f"{release.name}:{release.version}"
    descriptor = Descriptor(media_type=INDEX_TYPE, digest=layout.put(data), size_bytes=len(data), annotations={REF_NAME: ref})
    others = [other for other in layout.index() if other.annotations.get(REF_NAME) != ref]
    layout.write_index([*others, descriptor])
    return descriptor


def read_release(layout: OciLayout, digest: Digest) -> Release:
    """Read a release from a layout.

    Args:
        layout: Where it is.
        digest: The digest of its index, which is checked.

    Returns:
        The release.

    Raises:
        IntegrityError: If the blob is missing or was changed, or it isn't a release.
        DocumentError: If it can't be read.
        LimitError: If it is larger than its bound.
        KeyFileError: If the public key in it can't be used.
    """
    return Release.parse(layout.read(digest), where=str(layout.path(digest)))


def read_bundle_files(layout: OciLayout, digest: Digest) -> BundleFiles:
    """Read the file list of a bundle.

    Args:
        layout: Where it is.
        digest: The digest of its OCI manifest, which is checked.

    Returns:
        The files, whose blobs aren't looked at.

    Raises:
        IntegrityError: If the blob is missing or was changed, or it isn't a bundle.
        DocumentError: If it can't be read.
        LimitError: If it or what it lists is larger than its bound.
    """
    return BundleFiles.parse(layout.read(digest), where=str(layout.path(digest)))


def read_listed_bundle(layout: OciLayout, ref: BundleRef) -> BundleFiles:
    """Read the file list of a bundle of a release, whose OCI manifest must also have the size that the release says.

    Args:
        layout: Where it is.
        ref: What the release lists.

    Returns:
        The files, whose blobs aren't looked at.

    Raises:
        IntegrityError: If the blob is missing, of another size, or was changed, or it isn't a bundle.
        DocumentError: If it can't be read.
        LimitError: If it or what it lists is larger than its bound.
    """
    return BundleFiles.parse(layout.read_blob(ref.manifest), where=str(layout.path(ref.manifest.digest)))


def only_release(layout: OciLayout) -> tuple[Release, Descriptor]:
    """Read the one release of a packager's output.

    Args:
        layout: The output folder.

    Returns:
        The release, and the descriptor of its index.

    Raises:
        IntegrityError: If there are none or several, or the release's blob is missing or was changed.
        DocumentError: If it can't be read.
        LimitError: If it is larger than its bound.
        KeyFileError: If the public key in it can't be used.
    """
    indexes = layout.index()
    if len(indexes) != 1:
        names = ", ".join(index.annotations.get(REF_NAME, str(index.digest)) for index in indexes) or "none"
        raise IntegrityError("not the layout of one release", where=str(layout.directory), expected="one release", found=names)
    return Release.parse(layout.read_blob(indexes[0]), where=str(layout.path(indexes[0].digest))), indexes[0]
