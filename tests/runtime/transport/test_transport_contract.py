"""What every transport does, run against each of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealift_core.errors import LimitError, NotFoundError, TransportError
from sealift_runtime.transport.base import Transport, read_bounded, split_path
from sealift_runtime.transport.directory import DirectoryTransport
from sealift_runtime.transport.http import HttpTransport
from support.static_server import serve_directory

CONTENT = bytes(range(256)) * 20_000


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "blobs" / "sha256").mkdir(parents=True)
    (root / "blobs" / "sha256" / "abc").write_bytes(CONTENT)
    (root / "empty").write_bytes(b"")
    (root / "a name with # and %41").write_bytes(b"odd")
    (tmp_path / "secret").write_bytes(b"secret")
    return root


@pytest.fixture(params=["directory", "http"])
def transport(request: pytest.FixtureRequest, root: Path) -> Iterator[Transport]:
    if request.param == "directory":
        yield DirectoryTransport(root)
    else:
        with serve_directory(root) as server:
            http = HttpTransport(server.url)
            yield http
            http.close()


def read(transport: Transport, path: str, offset: int = 0) -> bytes:
    with transport.open(path, offset) as chunks:
        return b"".join(chunks)


def test_it_brings_a_whole_file(transport: Transport) -> None:
    assert read(transport, "blobs/sha256/abc") == CONTENT


@pytest.mark.parametrize("offset", [0, 70_000])
def test_a_file_that_says_it_is_larger_than_wanted_is_refused_before_it_comes(transport: Transport, offset: int) -> None:
    message = f"too large: expected at most 70001 bytes, found {len(CONTENT)} bytes"
    with pytest.raises(LimitError, match=message), transport.open("blobs/sha256/abc", offset, max_bytes=70_001):
        pass
    with transport.open("blobs/sha256/abc", offset, max_bytes=len(CONTENT)) as chunks:
        assert b"".join(chunks) == CONTENT[offset:]


@pytest.mark.parametrize("offset", [1, 70_000, len(CONTENT) - 1])
def test_it_brings_the_rest_of_a_file(transport: Transport, offset: int) -> None:
    assert read(transport, "blobs/sha256/abc", offset) == CONTENT[offset:]


def test_at_the_end_of_a_file_nothing_is_left(transport: Transport) -> None:
    assert read(transport, "blobs/sha256/abc", len(CONTENT)) == b""


def test_an_offset_behind_the_end_is_an_error(transport: Transport) -> None:
    with pytest.raises(TransportError, match="shorter than what was already read"):
        read(transport, "blobs/sha256/abc", len(CONTENT) + 1)


def test_an_empty_file_is_empty(transport: Transport) -> None:
    assert read(transport, "empty") == b""


def test_a_name_is_taken_literally(transport: Transport) -> None:
    assert read(transport, "a name with # and %41") == b"odd"


@pytest.mark.parametrize("path", ["missing", "blobs/missing", "empty/below-a-file"])
def test_a_missing_file_is_not_found(transport: Transport, path: str) -> None:
    with pytest.raises(NotFoundError, match=path):
        read(transport, path)


def test_a_folder_is_not_a_file(transport: Transport) -> None:
    with pytest.raises(NotFoundError):
        read(transport, "blobs/sha256")


@pytest.mark.parametrize("path", ["../secret", "/etc/passwd", "blobs/../../secret", "blobs//sha256", "", ".", "a\\..\\b", "a\nb", "a\0b", "a/"])
def test_an_unsafe_path_is_refused(transport: Transport, path: str) -> None:
    with pytest.raises(TransportError, match="not a safe path"):
        read(transport, path)


def test_a_file_within_its_bound_is_read_whole(transport: Transport) -> None:
    assert read_bounded(transport, "blobs/sha256/abc", len(CONTENT)) == CONTENT


def test_a_file_over_its_bound_is_refused_by_name(transport: Transport) -> None:
    with pytest.raises(LimitError, match="blobs/sha256/abc.*at most 1000 bytes"):
        read_bounded(transport, "blobs/sha256/abc", 1000)


def test_a_reader_may_stop_early(transport: Transport) -> None:
    with transport.open("blobs/sha256/abc") as chunks:
        assert CONTENT.startswith(next(chunks))
    assert read(transport, "empty") == b""


def test_it_says_where_it_reads_from(transport: Transport, root: Path) -> None:
    assert transport.describe() == str(root) or transport.describe().startswith("http://127.0.0.1:")


@given(st.text())
def test_no_accepted_path_can_leave_its_root(path: str) -> None:
    try:
        segments = split_path(path)
    except TransportError:
        return
    assert Path("/root", *segments).is_relative_to("/root")
    assert ".." not in segments
    assert "/".join(segments) == path
