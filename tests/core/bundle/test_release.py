"""A release as an OCI image layout: bundles go in as blobs and come out as the same files."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from sealift_core.bundle import files
from sealift_core.bundle.digest import Digest
from sealift_core.bundle.layout import OciLayout
from sealift_core.bundle.release import BundleFiles, Release, add_bundle, add_release, only_release, read_bundle_files
from sealift_core.errors import DocumentError, IntegrityError, SealiftError
from sealift_core.signing.keys import PrivateKey
from sealift_core.verify.check import check_release_bundle
from sealift_core.verify.materialize import materialize
from support.models import make_bundle, make_profile
from support.verified import check_directory

KEY = PrivateKey.generate()


@pytest.fixture
def release(tmp_path: Path) -> tuple[OciLayout, Release]:
    layout = OciLayout.create(tmp_path / "release")
    bundles = []
    for profile in ("one", "two"):
        make_bundle(tmp_path / profile, model="sharded", key=KEY, profile=make_profile(profile))
        bundles.append(add_bundle(layout, tmp_path / profile))
    made = Release(name="sharded", version="1.0.0", bundles=tuple(bundles), public_key=KEY.public_key)
    add_release(layout, made)
    return layout, made


def test_a_release_reads_back_equal(release: tuple[OciLayout, Release]) -> None:
    layout, made = release
    read, descriptor = only_release(OciLayout.open(layout.directory))
    assert read.to_bytes() == made.to_bytes()
    assert descriptor.digest == Digest.of(made.to_bytes())


def test_bundles_share_equal_files(release: tuple[OciLayout, Release]) -> None:
    layout, made = release
    one, two = (read_bundle_files(layout, bundle.manifest.digest) for bundle in made.bundles)
    assert one.layers["weights/00000.bin"].digest == two.layers["weights/00000.bin"].digest
    assert one.layers[files.MANIFEST].digest != two.layers[files.MANIFEST].digest


def test_a_bundle_comes_out_as_it_went_in(release: tuple[OciLayout, Release], tmp_path: Path) -> None:
    layout, made = release
    digest = made.bundle("two").manifest.digest
    check_release_bundle(layout, made, made.bundle("two"), key=KEY.public_key)
    materialize(layout, digest, tmp_path / "out")
    assert check_directory(tmp_path / "out", KEY.public_key).profile.name == "two"
    assert {name: path.read_bytes() for name, path in files.list_files(tmp_path / "out").items()} == {
        name: path.read_bytes() for name, path in files.list_files(tmp_path / "two").items()
    }


def test_materialized_files_are_links_into_the_blobs(release: tuple[OciLayout, Release], tmp_path: Path) -> None:
    layout, made = release
    digest = made.bundle("one").manifest.digest
    materialize(layout, digest, tmp_path / "out")
    blob = layout.path(read_bundle_files(layout, digest).layers[files.GRAPH].digest)
    assert (tmp_path / "out" / files.GRAPH).samefile(blob)


def test_copies_may_be_changed_without_the_release(release: tuple[OciLayout, Release], tmp_path: Path) -> None:
    layout, made = release
    digest = made.bundle("one").manifest.digest
    materialize(layout, digest, tmp_path / "out", copies=True)
    (tmp_path / "out" / files.GRAPH).write_bytes(b"changed")
    check_release_bundle(layout, made, made.bundle("one"), key=KEY.public_key)


@pytest.mark.parametrize("mode", [0o666, 0o600, 0o4755])
def test_a_blob_is_readable_by_everybody_and_writable_by_nobody_else(tmp_path: Path, mode: int) -> None:
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "file").chmod(mode)
    layout = OciLayout.create(tmp_path / "layout")
    digest, _ = layout.put_file(tmp_path / "file")
    assert stat.S_IMODE(layout.path(digest).stat().st_mode) == 0o644


def test_a_file_with_another_name_is_copied_so_that_no_edit_there_reaches_the_blob(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(b"content")
    (tmp_path / "file").hardlink_to(tmp_path / "elsewhere")
    layout = OciLayout.create(tmp_path / "layout")
    digest, size = layout.put_file(tmp_path / "file")
    (tmp_path / "elsewhere").write_bytes(b"edited!")
    assert layout.read(digest) == b"content"
    assert size == 7


def test_a_changed_blob_is_named_with_its_file(release: tuple[OciLayout, Release]) -> None:
    layout, made = release
    bundle = read_bundle_files(layout, made.bundle("one").manifest.digest)
    blob = layout.path(bundle.layers[files.GRAPH].digest)
    blob.write_bytes(blob.read_bytes()[:-1] + b"\x00")
    with pytest.raises(IntegrityError, match=r"model\.onnx \(.*\): the content was changed"):
        check_release_bundle(layout, made, made.bundle("one"), key=KEY.public_key)


def test_a_missing_blob_is_named_with_its_file(release: tuple[OciLayout, Release]) -> None:
    layout, made = release
    bundle = read_bundle_files(layout, made.bundle("one").manifest.digest)
    layout.path(bundle.layers[files.GOLDEN].digest).unlink()
    with pytest.raises(IntegrityError, match=r"golden\.safetensors .*: a blob is missing"):
        check_release_bundle(layout, made, made.bundle("one"), key=KEY.public_key)


def test_a_profile_that_is_not_there_is_answered_with_those_that_are(release: tuple[OciLayout, Release]) -> None:
    with pytest.raises(DocumentError, match="expected one of one, two, found 'three'"):
        release[1].bundle("three")


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "weights/../model.onnx", "", "bundle.json/", "weights\\0.bin", "model.onnx\n"])
def test_a_layer_that_would_land_elsewhere_is_refused(release: tuple[OciLayout, Release], name: str) -> None:
    layout, made = release
    fields = json.loads(layout.read(made.bundle("one").manifest.digest))
    fields["layers"][0]["annotations"]["org.cncf.model.filepath"] = name
    with pytest.raises(IntegrityError, match=r"layers\[0\]: not a file of a bundle"):
        BundleFiles.parse(json.dumps(fields).encode(), where="manifest")


def test_a_file_listed_twice_is_refused(release: tuple[OciLayout, Release]) -> None:
    layout, made = release
    fields = json.loads(layout.read(made.bundle("one").manifest.digest))
    fields["layers"].append(fields["layers"][0])
    with pytest.raises(IntegrityError, match="listed twice"):
        BundleFiles.parse(json.dumps(fields).encode(), where="manifest")


@pytest.mark.parametrize("digest", ["sha256:../../../etc/passwd", "sha256:" + "A" * 64, "md5:" + "a" * 32, "sha256:" + "a" * 63])
def test_a_digest_that_is_none_is_refused(digest: str) -> None:
    with pytest.raises(DocumentError, match="not a digest"):
        Digest.parse(digest)


def test_an_image_of_something_else_is_no_release() -> None:
    with pytest.raises(SealiftError):
        Release.parse(b'{"schemaVersion": 2, "manifests": [], "annotations": {}}', where="index")


def test_a_directory_that_is_no_layout_is_named(tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match="not an OCI image layout"):
        OciLayout.open(tmp_path)


def test_a_layout_without_its_index_is_named(release: tuple[OciLayout, Release]) -> None:
    (release[0].directory / "index.json").unlink()
    with pytest.raises(IntegrityError, match=r"index\.json: a file of the layout is missing"):
        only_release(release[0])
