"""The store against real transports: resume, bounds, damage, a full disk, garbage."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealift_core.bundle.digest import Digest
from sealift_core.bundle.layout import Descriptor, OciLayout
from sealift_core.bundle.release import Release
from sealift_core.clock import SystemClock
from sealift_core.errors import DiskFullError, IntegrityError, LimitError, NotFoundError, TransportError
from sealift_runtime.store.device_store import DeviceStore
from sealift_runtime.store.download import partial_path
from sealift_runtime.transport.directory import DirectoryTransport
from sealift_runtime.transport.http import HttpSettings, HttpTransport
from support.models import make_bundle, make_release
from support.repositories import flip
from support.static_server import StaticServer, serve_directory
from support.verified import check_directory

CONTENT = bytes(range(256)) * 8000


def describe(data: bytes) -> Descriptor:
    return Descriptor(media_type="application/octet-stream", digest=Digest.of(data), size_bytes=len(data))


@pytest.fixture
def remote(tmp_path: Path) -> OciLayout:
    layout = OciLayout.create(tmp_path / "remote")
    layout.put(CONTENT)
    return layout


@pytest.fixture
def server(remote: OciLayout) -> Iterator[StaticServer]:
    with serve_directory(remote.directory) as server:
        yield server


@pytest.fixture
def store(tmp_path: Path) -> DeviceStore:
    return DeviceStore(tmp_path / "home", reserve_bytes=0)


def once(server: StaticServer) -> HttpTransport:
    return HttpTransport(server.url, clock=SystemClock(), settings=HttpSettings(attempts=1))


def test_a_blob_is_brought_and_checked(store: DeviceStore, remote: OciLayout) -> None:
    seen: list[int] = []
    store.fetch(describe(CONTENT), DirectoryTransport(remote.directory), seen.append)
    assert store.layout.path(Digest.of(CONTENT)).read_bytes() == CONTENT
    assert sum(seen) == len(CONTENT)


def test_a_blob_that_is_there_is_not_fetched_again(store: DeviceStore, server: StaticServer) -> None:
    store.layout.put(CONTENT)
    transport = once(server)
    store.fetch(describe(CONTENT), transport)
    transport.close()
    assert server.faults.requests == []


def test_a_broken_download_goes_on_where_it_stopped(store: DeviceStore, server: StaticServer) -> None:
    blob, transport = describe(CONTENT), once(server)
    server.faults.cut_after_bytes = [100_000]
    with pytest.raises(TransportError):
        store.fetch(blob, transport)
    kept = partial_path(store.layout.path(blob.digest)).stat().st_size
    assert 0 < kept <= 100_000
    store.fetch(blob, transport)
    transport.close()
    assert server.faults.requests[-1][1] == f"bytes={kept}-"
    assert store.layout.read(blob.digest) == CONTENT


def test_left_overs_that_a_power_cut_spoilt_are_dropped_and_fetched_anew(store: DeviceStore, remote: OciLayout) -> None:
    blob = describe(CONTENT)
    partial_path(store.layout.path(blob.digest)).write_bytes(bytes(50_000))
    store.fetch(blob, DirectoryTransport(remote.directory))
    assert store.layout.read(blob.digest) == CONTENT


@pytest.mark.parametrize("size", [len(CONTENT), len(CONTENT) + 1])
def test_left_overs_of_any_size_do_no_harm(store: DeviceStore, remote: OciLayout, size: int) -> None:
    blob = describe(CONTENT)
    partial_path(store.layout.path(blob.digest)).write_bytes((CONTENT + b"x")[:size])
    store.fetch(blob, DirectoryTransport(remote.directory))
    assert store.layout.read(blob.digest) == CONTENT


def test_a_blob_that_was_changed_is_refused_by_name(store: DeviceStore, remote: OciLayout) -> None:
    blob = describe(CONTENT)
    remote.path(blob.digest).write_bytes(b"!" + CONTENT[1:])
    with pytest.raises(IntegrityError, match=blob.digest.hex):
        store.fetch(blob, DirectoryTransport(remote.directory))
    assert list(store.layout.blobs.iterdir()) == []


def test_a_blob_that_is_larger_than_signed_is_refused(store: DeviceStore, remote: OciLayout) -> None:
    blob = describe(CONTENT)
    remote.path(blob.digest).write_bytes(CONTENT * 3)
    with pytest.raises(LimitError, match=f"larger than what was signed.*{len(CONTENT)} bytes"):
        store.fetch(blob, DirectoryTransport(remote.directory))
    assert list(store.layout.blobs.iterdir()) == []


def test_a_blob_that_is_shorter_than_signed_is_not_taken(store: DeviceStore, remote: OciLayout) -> None:
    blob = describe(CONTENT)
    remote.path(blob.digest).write_bytes(CONTENT[:-1])
    with pytest.raises(TransportError, match="ends too early"):
        store.fetch(blob, DirectoryTransport(remote.directory))
    assert not store.has(blob)


def test_a_missing_blob_is_not_found(store: DeviceStore, remote: OciLayout) -> None:
    with pytest.raises(NotFoundError):
        store.fetch(describe(b"other"), DirectoryTransport(remote.directory))


def test_a_document_damaged_on_this_disk_is_fetched_anew(store: DeviceStore, remote: OciLayout) -> None:
    store.layout.put(CONTENT)
    store.layout.path(Digest.of(CONTENT)).write_bytes(b"!" + CONTENT[1:])
    assert store.fetch_document(describe(CONTENT), DirectoryTransport(remote.directory), max_bytes=len(CONTENT)) == CONTENT


def test_a_document_over_its_bound_is_not_even_fetched(store: DeviceStore, remote: OciLayout) -> None:
    with pytest.raises(LimitError, match="at most 10 bytes"):
        store.fetch_document(describe(CONTENT), DirectoryTransport(remote.directory), max_bytes=10)
    assert not store.has(describe(CONTENT))


def test_too_little_space_is_said_before_anything_is_written(tmp_path: Path, remote: OciLayout) -> None:
    store = DeviceStore(tmp_path / "home", reserve_bytes=2**60)
    with pytest.raises(DiskFullError, match=rf"{len(CONTENT)} bytes plus a reserve of {2**60} bytes, found \d+ bytes free\. Free at least \d+ bytes"):
        store.fetch(describe(CONTENT), DirectoryTransport(remote.directory))
    assert list(store.layout.blobs.iterdir()) == []


def test_what_is_there_needs_no_space(tmp_path: Path) -> None:
    store = DeviceStore(tmp_path / "home", reserve_bytes=2**60)
    store.layout.put(CONTENT)
    store.check_space([describe(CONTENT)])


def test_a_disk_that_fills_up_meanwhile_leaves_nothing_half_written(tmp_path: Path, remote: OciLayout) -> None:
    code = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from sealift_core.bundle.digest import Digest\n"
        "from sealift_core.bundle.layout import Descriptor\n"
        "from sealift_core.errors import DiskFullError\n"
        "from sealift_runtime.store.device_store import DeviceStore\n"
        "from sealift_runtime.transport.directory import DirectoryTransport\n"
        "store = DeviceStore(Path(sys.argv[1]), reserve_bytes=0)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "blob = Descriptor(media_type='x', digest=Digest(sys.argv[3]), size_bytes=int(sys.argv[4]))\n"
        "try:\n    store.fetch(blob, DirectoryTransport(Path(sys.argv[2])))\n"
        "except DiskFullError as error:\n    print(error)\n"
    )
    arguments = [str(tmp_path / "home"), str(remote.directory), Digest.of(CONTENT).hex, str(len(CONTENT))]
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    assert "the file is too large for this file system" in done.stdout
    assert list((tmp_path / "home" / "store" / "blobs" / "sha256").iterdir()) == []


@pytest.fixture
def releases(tmp_path: Path) -> tuple[Release, Release]:
    made = []
    for version in ("1.0.0", "2.0.0"):
        make_bundle(tmp_path / version, model="sharded", version=version)
        made.append(make_release(tmp_path / "vendor", tmp_path / version))
    return made[0], made[1]


def install(store: DeviceStore, release: Release, vendor: Path) -> Digest:
    transport, digest = DirectoryTransport(vendor), release.bundles[0].manifest.digest
    store.fetch(release.bundles[0].manifest, transport)
    for blob in store.missing(store.bundle_files(digest).blobs()):
        store.fetch(blob, transport)
    store.materialize(digest)
    return digest


def test_a_materialized_bundle_is_whole_and_shares_its_blobs(store: DeviceStore, releases: tuple[Release, Release], tmp_path: Path) -> None:
    digest = install(store, releases[0], tmp_path / "vendor")
    check_directory(store.bundle_directory(digest), releases[0].public_key)
    graph = store.bundle_files(digest).layers["model.onnx"]
    assert (store.bundle_directory(digest) / "model.onnx").samefile(store.layout.path(graph.digest))


def test_shards_that_two_versions_share_come_once(store: DeviceStore, releases: tuple[Release, Release], tmp_path: Path) -> None:
    install(store, releases[0], tmp_path / "vendor")
    second = releases[1].bundles[0].manifest
    store.fetch(second, DirectoryTransport(tmp_path / "vendor"))
    listed = store.bundle_files(second.digest)
    missing = {blob.digest for blob in store.missing(listed.blobs())}
    assert missing
    assert not missing & {blob.digest for name, blob in listed.layers.items() if name.startswith("weights/") or name == "model.onnx"}


def test_garbage_collection_keeps_what_is_needed_and_nothing_else(store: DeviceStore, releases: tuple[Release, Release], tmp_path: Path) -> None:
    old, new = (install(store, release, tmp_path / "vendor") for release in releases)
    stray = store.layout.put(b"stray")
    kept = store.layout.put(b"kept")
    partial_path(store.layout.path(Digest.of(b"gone"))).write_bytes(b"go")
    collected = store.collect_garbage([new], [kept])
    assert collected.files > 2
    assert store.layout.has(kept)
    assert not store.layout.has(stray)
    assert not store.bundle_directory(old).exists()
    check_directory(store.bundle_directory(new), releases[1].public_key)
    assert store.drop_damaged(store.bundle_files(new).blobs()) == []
    assert not list(store.layout.blobs.glob("*.partial"))


def test_while_a_kept_bundle_s_manifest_is_damaged_no_blob_is_removed(store: DeviceStore, releases: tuple[Release, Release], tmp_path: Path) -> None:
    old, new = (install(store, release, tmp_path / "vendor") for release in releases)
    flip(store.layout.path(new), 40)
    blobs = set(store.layout.blobs.iterdir())
    assert store.collect_garbage([new]).files == 0
    assert set(store.layout.blobs.iterdir()) == blobs
    assert store.bundle_directory(new).exists()
    assert not store.bundle_directory(old).exists()


def test_damaged_and_missing_blobs_are_reported_and_removed(store: DeviceStore) -> None:
    whole, damaged, missing = store.layout.put(b"whole"), store.layout.put(b"damaged"), Digest.of(b"missing")
    store.layout.path(damaged).write_bytes(b"damages")
    blobs = [Descriptor(media_type="", digest=digest, size_bytes=7 - (digest == whole) * 2) for digest in (whole, damaged, missing)]
    assert store.drop_damaged(blobs) == [damaged, missing]
    assert store.layout.has(whole)
    assert not store.layout.has(damaged)


@given(content=st.binary(min_size=1, max_size=2000), kept=st.integers(0, 2000), spoilt=st.booleans())
def test_whatever_an_earlier_attempt_left_the_blob_comes_out_right(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, kept: int, spoilt: bool
) -> None:
    folder = tmp_path_factory.mktemp("resume")
    remote, store = OciLayout.create(folder / "remote"), DeviceStore(folder / "home", reserve_bytes=0)
    blob = describe(content)
    remote.put(content)
    left = content[:kept]
    partial_path(store.layout.path(blob.digest)).write_bytes(bytes(byte ^ 1 for byte in left) if spoilt else left)
    store.fetch(blob, DirectoryTransport(remote.directory))
    assert store.layout.read(blob.digest) == content
