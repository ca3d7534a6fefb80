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
from sealift_core.errors import DocumentError, IntegrityError
from sealift_core.schema.documents import Json, canonical_json, nearest
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
    """One bundle of a release: its profile, its OCI manifest's digest and size."""

    profile: str
    manifest: Descriptor


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A release's OCI index as a value; ``public_key`` is None when its bundles aren't signed."""

    name: str
    version: str
    bundles: tuple[BundleRef, ...]
    public_key: PublicKey | None

    @classmethod
    def parse(cls, data: bytes, *, where: str) -> Release:
        """Read an OCI image index that is a release."""
        document = parse_oci_document(data, where=where, media_type=INDEX_TYPE)
        notes = document.document("annotations")
        rows = [Descriptor.parse(row) for row in document.documents("manifests", max_items=LIMITS.bundles_per_release)]
        bundles = tuple(BundleRef(profile=row.annotations.get(PROFILE_KEY, ""), manifest=row) for row in rows)
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
        """The OCI image index."""
        notes: dict[str, Json] = {NAME_KEY: self.name, VERSION_KEY: self.version}
        if self.public_key:
            notes[PUBLIC_KEY_KEY] = self.public_key.pem().decode()
        rows = [bundle.manifest.json() for bundle in self.bundles]
        fields: dict[str, Json] = {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": rows, "annotations": notes}
        return canonical_json(fields | {"artifactType": MODEL_MANIFEST})

    def bundle(self, profile: str) -> BundleRef:
        """The bundle for a profile; `DocumentError` with the profiles there are."""
        for bundle in self.bundles:
            if bundle.profile == profile:
                return bundle
        there = [bundle.profile for bundle in self.bundles]
        raise DocumentError(
            "the release has no bundle for this profile",
            where=f"{self.name} {self.version}",
            expected=f"one of {', '.join(there)}",
            found=repr(profile),
            advice=nearest(profile, there),
        )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BundleFiles:
    """One bundle's OCI manifest as a value: its config blob, and the blob of each of its files by name."""

    config: Descriptor
    layers: dict[str, Descriptor]

    @classmethod
    def parse(cls, data: bytes, *, where: str) -> BundleFiles:
        """Read an OCI manifest that is a bundle; file names that a bundle can't have are refused, and sizes beyond the limits."""
        document = parse_oci_document(data, where=where, media_type=MANIFEST_TYPE)
        document.text("artifactType", one_of=(MODEL_MANIFEST,))
        layers: dict[str, Descriptor] = {}
        for row in document.documents("layers", max_items=LIMITS.files):
            layer = Descriptor.parse(row)
            name = files.check_name(layer.annotations.get(FILE_PATH, ""), where=row.where)
            if name in layers:
                raise IntegrityError("a file is listed twice", where=row.where, found=name)
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
        """The sum of all files."""
        return sum(layer.size_bytes for layer in self.layers.values())

    def blobs(self) -> list[Descriptor]:
        """Every blob that a device needs beside the OCI manifest itself, each once."""
        return list({row.digest: row for row in (self.config, *self.layers.values())}.values())


def _check_consistent(rows: Iterable[Descriptor], where: str) -> None:
    sizes: dict[Digest, int] = {}
    for row in rows:
        if sizes.setdefault(row.digest, row.size_bytes) != row.size_bytes:
            raise IntegrityError(
                "one content can't have two sizes", where=where, found=f"{row.digest}: {sizes[row.digest]} and {row.size_bytes} bytes"
            )


def add_bundle(layout: OciLayout, directory: Path) -> BundleRef:
    """Store a bundle directory in a layout: one blob per file, a config, a manifest."""
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
    config_row = Descriptor(media_type=MODEL_CONFIG, digest=layout.put(config), size_bytes=len(config)).json()
    fields: dict[str, Json] = {"schemaVersion": 2, "mediaType": MANIFEST_TYPE, "artifactType": MODEL_MANIFEST}
    data = canonical_json(fields | {"config": config_row, "layers": layers})
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
    """Store a release's index and list it in the layout's ``index.json`` as ``NAME:VERSION`` (replacing that name)."""
    data = release.to_bytes()
    ref = f"{release.name}:{release.version}"
    descriptor = Descriptor(media_type=INDEX_TYPE, digest=layout.put(data), size_bytes=len(data), annotations={REF_NAME: ref})
    others = [row for row in layout.index() if row.annotations.get(REF_NAME) != ref]
    layout.write_index([*others, descriptor])
    return descriptor


def read_release(layout: OciLayout, digest: Digest) -> Release:
    """The release whose index has this digest."""
    return Release.parse(layout.read(digest), where=str(layout.path(digest)))


def read_bundle_files(layout: OciLayout, digest: Digest) -> BundleFiles:
    """The file list of the bundle whose OCI manifest has this digest."""
    return BundleFiles.parse(layout.read(digest), where=str(layout.path(digest)))


def read_listed_bundle(layout: OciLayout, ref: BundleRef) -> BundleFiles:
    """The file list of a bundle of a release, whose OCI manifest must also have the size that the release says."""
    return BundleFiles.parse(layout.read_blob(ref.manifest), where=str(layout.path(ref.manifest.digest)))


def only_release(layout: OciLayout) -> tuple[Release, Descriptor]:
    """The one release of a packager's output; `IntegrityError` if there are none or several."""
    rows = layout.index()
    if len(rows) != 1:
        found = ", ".join(row.annotations.get(REF_NAME, str(row.digest)) for row in rows) or "none"
        raise IntegrityError("not the layout of one release", where=str(layout.directory), expected="one release", found=found)
    return Release.parse(layout.read_blob(rows[0]), where=str(layout.path(rows[0].digest))), rows[0]
