from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealift_core.bundle.digest import Digest
from sealift_hub.repository.files import UnsatisfiableRangeError, byte_range, open_public

BLOB = f"blobs/sha256/{Digest.of(b'x').hex}"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    for name in (
        "index.json",
        "oci-layout",
        "metadata/timestamp.json",
        "metadata/3.root.json",
        BLOB,
        "keys/root.pem",
        ".git/config",
        "metadata/.x.json",
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    (tmp_path / "secret.json").write_text("secret")
    return root


def content(root: Path, path: str) -> bytes | None:
    file = open_public(root, path)
    if file is None:
        return None
    with file:
        return file.read()


@pytest.mark.parametrize("path", ["index.json", "oci-layout", "metadata/timestamp.json", "metadata/3.root.json", BLOB])
def test_what_the_format_knows_is_public(repository: Path, path: str) -> None:
    assert content(repository, path) == path.encode()


@pytest.mark.parametrize(
    "path",
    [
        "",
        ".",
        "metadata",
        "metadata/",
        "blobs/sha256/",
        "keys/root.pem",
        ".git/config",
        "metadata/.x.json",
        "metadata/../index.json",
        "../secret.json",
        "metadata/../../secret.json",
        "/etc/passwd",
        "metadata/timestamp.json/",
        "metadata/timestamp.json\n",
        "metadata\\timestamp.json",
        "metadata/timestamp.json\x00",
        BLOB.upper(),
        f"{BLOB}0",
        "metadata/nothing.json",
        f"metadata/{'x' * 300}.json",
    ],
)
def test_all_else_is_as_if_it_were_not_there(repository: Path, path: str) -> None:
    assert content(repository, path) is None


@pytest.mark.parametrize("target", ["../secret.json", "keys/root.pem", "metadata/timestamp.json"])
def test_a_link_is_not_followed_wherever_it_leads(repository: Path, target: str) -> None:
    (repository / "metadata/1.targets.json").symlink_to(repository / target)
    assert content(repository, "metadata/1.targets.json") is None


@pytest.mark.parametrize("folder", ["metadata", "blobs", "blobs/sha256"])
def test_a_folder_that_is_a_link_is_not_followed(repository: Path, tmp_path: Path, folder: str) -> None:
    (repository / folder).rename(tmp_path / "elsewhere")
    (repository / folder).symlink_to(tmp_path / "elsewhere")
    assert content(repository, "metadata/timestamp.json" if folder == "metadata" else BLOB) is None


def test_a_pipe_and_a_folder_keep_nobody_waiting(repository: Path) -> None:
    os.mkfifo(repository / "metadata/1.targets.json")
    (repository / "metadata/2.targets.json").mkdir()
    assert content(repository, "metadata/1.targets.json") is None
    assert content(repository, "metadata/2.targets.json") is None


def test_a_repository_that_is_itself_a_link_works(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "current").symlink_to(repository)
    assert content(tmp_path / "current", "index.json") == b"index.json"


@pytest.mark.parametrize(
    ("header", "size", "expected"),
    [
        (None, 10, None),
        ("bytes=0-", 10, range(10)),
        ("bytes=4-", 10, range(4, 10)),
        ("bytes=4-6", 10, range(4, 7)),
        ("bytes=4-99", 10, range(4, 10)),
        ("bytes=-3", 10, range(7, 10)),
        ("bytes=-99", 10, range(10)),
        ("bytes=6-4", 10, None),
        ("bytes=-", 10, None),
        ("bytes=0-1,4-5", 10, None),
        ("lines=0-1", 10, None),
        ("bytes=a-b", 10, None),
        (f"bytes={'9' * 5000}-", 10, None),
    ],
)
def test_a_range_header_asks_for_bytes(header: str | None, size: int, expected: range | None) -> None:
    assert byte_range(header, size) == expected


@pytest.mark.parametrize(("header", "size"), [("bytes=10-", 10), ("bytes=10-20", 10), ("bytes=-0", 10), ("bytes=0-", 0)])
def test_a_range_behind_the_end_is_said_to_be_so(header: str, size: int) -> None:
    with pytest.raises(UnsatisfiableRangeError, match=rf"bytes \*/{size}"):
        byte_range(header, size)


@given(st.integers(0, 100), st.integers(0, 120), st.integers(0, 120))
def test_a_range_lies_within_the_file(size: int, first: int, last: int) -> None:
    try:
        requested = byte_range(f"bytes={first}-{last}", size)
    except UnsatisfiableRangeError:
        assert first >= size
        return
    if requested is not None:
        assert set(requested) == set(range(size)) & set(range(first, last + 1))
        assert requested
