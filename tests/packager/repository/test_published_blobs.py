"""What is published is the publisher's alone: no link leads out of it, and no edit elsewhere reaches it."""

from __future__ import annotations

import json
import os
import shutil
import stat
from pathlib import Path

import onnx
import pytest

from sealift_core.bundle.digest import Digest
from sealift_core.bundle.layout import Descriptor, OciLayout
from sealift_core.bundle.release import BundleFiles, only_release, read_listed_bundle
from sealift_core.errors import IntegrityError, LimitError, SealiftError
from sealift_core.signing.keys import PublicKey
from sealift_core.verify.materialize import materialize
from sealift_packager.diff import artifact
from sealift_packager.errors import RepositoryError
from sealift_packager.repository import publisher
from sealift_packager.repository.intake import check_release, import_blobs
from sealift_packager.repository.keyring import default_keys
from sealift_packager.repository.publisher import Repository
from support.models import make_bundle, make_release
from support.odd_files import replace_file
from support.publishing import EXPIRY, NOW, add, release_in
from support.versions import since


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return publisher.init(tmp_path / "repo", tmp_path / "repo-keys", expiry=EXPIRY, now=NOW)


def largest(release: Path) -> Path:
    return max((release / "blobs/sha256").iterdir(), key=lambda path: path.stat().st_size)


def test_an_edit_of_the_release_folder_does_not_reach_what_is_published(repository: Repository, tmp_path: Path) -> None:
    release = release_in(tmp_path)
    add(repository, release)
    for path in (release / "blobs/sha256").iterdir():
        path.write_bytes(b"edited in place")
    assert all(Digest.of_file(path).hex == path.name for path in repository.layout.blobs.iterdir())


def test_published_files_are_readable_by_everybody_and_run_by_nobody(repository: Repository, tmp_path: Path) -> None:
    release = release_in(tmp_path)
    for path in (release / "blobs/sha256").iterdir():
        path.chmod(0o4700)
    add(repository, release)
    files = [path for path in repository.directory.rglob("*") if path.is_file()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o644}


def test_a_linked_blob_is_not_published_and_so_can_serve_no_key_later(repository: Repository, tmp_path: Path) -> None:
    release = release_in(tmp_path)
    blob, elsewhere = largest(release), tmp_path / "elsewhere"
    blob.rename(elsewhere)
    blob.symlink_to(elsewhere)
    with pytest.raises(IntegrityError, match="not a regular file: found a symbolic link"):
        add(repository, release)
    elsewhere.unlink()
    elsewhere.symlink_to(default_keys(repository.directory) / "targets.pem")
    assert not any(path.is_symlink() for path in repository.directory.rglob("*"))
    assert list(repository.layout.blobs.iterdir()) == []


@pytest.mark.parametrize("folder", ["blobs", "blobs/sha256"])
def test_a_linked_folder_in_a_release_is_refused(tmp_path: Path, folder: str) -> None:
    release = release_in(tmp_path)
    (release / folder).rename(tmp_path / "elsewhere")
    (release / folder).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(IntegrityError, match="not a folder of its own: found a symbolic link"):
        check_release(release, None)


@pytest.mark.parametrize("name", ["index.json", "oci-layout"])
def test_a_linked_document_of_a_release_is_refused(tmp_path: Path, name: str) -> None:
    release = release_in(tmp_path)
    (release / name).rename(tmp_path / "elsewhere")
    (release / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SealiftError, match="not a release|not a regular file"):
        check_release(release, None)


def test_a_release_that_is_itself_named_by_a_link_is_published(repository: Repository, tmp_path: Path) -> None:
    (tmp_path / "newest").symlink_to(release_in(tmp_path))
    assert add(repository, tmp_path / "newest").changed


@pytest.mark.parametrize("name", ["index.json", "oci-layout", "blob"])
def test_a_pipe_in_a_release_keeps_nobody_waiting(tmp_path: Path, name: str) -> None:
    release = release_in(tmp_path)
    place = largest(release) if name == "blob" else release / name
    place.unlink()
    os.mkfifo(place)
    with pytest.raises(SealiftError, match="not a regular file: found a pipe|not a release"):
        check_release(release, None)


@pytest.mark.parametrize("size", [0, 10**13])
def test_a_blob_of_another_size_is_refused_unread(tmp_path: Path, size: int) -> None:
    release = release_in(tmp_path)
    os.truncate(largest(release), size)
    with pytest.raises(IntegrityError, match=f"the content was changed: expected [0-9]+ bytes, found {size} bytes"):
        check_release(release, None)


def test_an_index_of_any_size_is_refused_unread(tmp_path: Path) -> None:
    release = release_in(tmp_path)
    os.truncate(release / "index.json", 10**13)
    with pytest.raises(LimitError, match=r"index.json: too large"):
        check_release(release, None)


def test_a_blob_swapped_after_the_check_is_not_published(repository: Repository, tmp_path: Path) -> None:
    release = release_in(tmp_path)
    checked = check_release(release, None)
    blob = largest(release)
    data = bytearray(blob.read_bytes())
    data[-1] ^= 1
    blob.write_bytes(data)
    with pytest.raises(IntegrityError, match="the content was changed"):
        import_blobs(checked.layout, repository.layout, checked.blobs)
    assert blob.name not in {path.name for path in repository.layout.blobs.iterdir()}


@pytest.mark.parametrize("fault", ["hard link", "symbolic link", "mode"])
def test_adding_again_makes_a_blob_the_repositorys_own(repository: Repository, tmp_path: Path, fault: str) -> None:
    """Repositories that were made by links are mended by adding their releases once more."""
    release = release_in(tmp_path)
    add(repository, release)
    victim = repository.layout.path(Digest(largest(release).name))
    if fault == "mode":
        victim.chmod(0o4755)
    else:
        victim.unlink()
        (victim.hardlink_to if fault == "hard link" else victim.symlink_to)(largest(release))
    assert add(repository, release).new_blobs == 1
    status = victim.lstat()
    assert (stat.S_ISREG(status.st_mode), stat.S_IMODE(status.st_mode), status.st_nlink) == (True, 0o644, 1)


def test_metadata_that_is_a_link_is_not_read(repository: Repository, tmp_path: Path) -> None:
    place = repository.directory / "metadata/timestamp.json"
    place.rename(tmp_path / "elsewhere")
    place.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(IntegrityError, match=r"timestamp.json: not a regular file"):
        repository.read_metadata()


def rewritten(release: Path, change: dict[str, int]) -> None:
    """The release with other sizes declared for some files of its first bundle, and all digests made to fit."""
    layout = OciLayout.open(release)
    [entry] = layout.index()
    index = json.loads(layout.read(entry.digest))
    manifest = json.loads(layout.read(Digest.parse(index["manifests"][0]["digest"])))
    for layer in manifest["layers"]:
        layer["size"] = change.get(layer["annotations"]["org.cncf.model.filepath"], layer["size"])
    data = json.dumps(manifest).encode()
    index["manifests"][0] |= {"digest": str(layout.put(data)), "size": len(data)}
    data = json.dumps(index).encode()
    layout.write_index([Descriptor(media_type=entry.media_type, digest=layout.put(data), size_bytes=len(data), annotations=entry.annotations)])


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"bundle.json": 5 * 2**20}, r"bundle.json: too large: expected at most 4194304 bytes"),
        ({"golden.safetensors": 2**30}, r"golden.safetensors: too large"),
        ({"MODEL_CARD.md": 2**30}, r"MODEL_CARD.md: too large"),
        ({"model.onnx": 64 * 2**30}, r"the bundle is too large"),
        ({"model.onnx": 65 * 2**30}, r"size"),
        ({"model.onnx": 7}, r"model.onnx .*: the content was changed: expected 7 bytes"),
    ],
)
def test_a_declared_size_beyond_the_limits_or_the_truth_is_refused(tmp_path: Path, sizes: dict[str, int], message: str) -> None:
    release = release_in(tmp_path)
    rewritten(release, sizes)
    with pytest.raises(SealiftError, match=message):
        check_release(release, None)


def test_one_content_of_two_sizes_is_refused(tmp_path: Path) -> None:
    release = release_in(tmp_path)
    layout = OciLayout.open(release)
    [entry] = layout.index()
    manifest = json.loads(layout.read(Digest.parse(json.loads(layout.read(entry.digest))["manifests"][0]["digest"])))
    manifest["config"] = {**manifest["layers"][0], "size": 1}
    with pytest.raises(IntegrityError, match="the same content is listed with two sizes"):
        BundleFiles.parse(json.dumps(manifest).encode(), where="manifest")


def test_unpacking_gives_files_of_their_own(tmp_path: Path) -> None:
    release = release_in(tmp_path)
    artifact.unpack(release, "any-cpu", tmp_path / "out")
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert {path.stat().st_nlink for path in files} == {1}
    (tmp_path / "out/model.onnx").write_bytes(b"edited")
    check_release(release, None)


@pytest.mark.parametrize("fault", ["link", "pipe", "size", "content"])
def test_unpacking_takes_no_blob_that_is_not_what_it_was(tmp_path: Path, fault: str) -> None:
    release = release_in(tmp_path)
    layout = OciLayout.open(release)
    ref = only_release(layout)[0].bundle("any-cpu")
    blob = layout.path(read_listed_bundle(layout, ref).layers["model.onnx"].digest)
    data = blob.read_bytes()
    if fault in ("link", "pipe"):
        replace_file(blob, fault, tmp_path / "elsewhere")
    else:
        blob.unlink()
        blob.write_bytes(data + b"x" if fault == "size" else data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(IntegrityError):
        artifact.unpack(release, "any-cpu", tmp_path / "out")
    assert not [path for path in tmp_path.iterdir() if "out" in path.name]


def test_verifying_a_bundle_directory_reads_no_file_larger_than_one_may_be(tmp_path: Path) -> None:
    release = release_in(tmp_path)
    artifact.unpack(release, "any-cpu", tmp_path / "out")
    os.truncate(tmp_path / "out/baseline.json", 10**12)
    with pytest.raises(LimitError, match=r"baseline.json: too large"):
        artifact.verify(tmp_path / "out", signing_key(release))


def signing_key(release: Path) -> PublicKey:
    key = check_release(release, None).release.public_key
    assert key is not None
    return key


def test_a_release_that_is_a_pipe_is_no_release(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "oci-layout")
    with pytest.raises(RepositoryError, match="not a release"):
        check_release(tmp_path, None)


def test_onnx_itself_opens_an_unpacked_bundle_with_its_weights(tmp_path: Path) -> None:
    make_bundle(tmp_path / "bundle", model="sharded")
    make_release(tmp_path / "layout", tmp_path / "bundle")
    artifact.unpack(tmp_path / "layout", "any-cpu", tmp_path / "out")
    graph = tmp_path / "out" / "model.onnx"
    onnx.checker.check_model(str(graph))
    assert all(tensor.raw_data for tensor in onnx.load(graph).graph.initializer)
    assert {path.stat().st_nlink for path in (tmp_path / "out").rglob("*.*")} == {1}


@since("onnx", "1.21", "refuse weights with a second name")
def test_onnx_refuses_the_links_of_a_device_s_own_view_which_is_why_people_get_copies(tmp_path: Path) -> None:
    make_bundle(tmp_path / "bundle", model="sharded")
    release = make_release(tmp_path / "layout", tmp_path / "bundle")
    materialize(OciLayout.open(tmp_path / "layout"), release.bundles[0].manifest.digest, tmp_path / "view")
    with pytest.raises(onnx.checker.ValidationError, match="hard link"):
        onnx.load(tmp_path / "view" / "model.onnx")


@pytest.mark.parametrize("place", ["layout", "repository"])
def test_no_blob_that_is_published_has_a_second_name(repository: Repository, tmp_path: Path, place: str) -> None:
    release = release_in(tmp_path)
    shutil.rmtree(release.parent / "bundle")
    shutil.rmtree(release.parent / "other")
    add(repository, release)
    folder = release if place == "layout" else repository.directory
    assert {path.stat().st_nlink for path in (folder / "blobs" / "sha256").iterdir()} == {1}
