"""What only a directory can do wrong."""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path

import pytest

from sealift_core.errors import LimitError, NotFoundError, TransportError
from sealift_runtime.transport.base import read_bounded
from sealift_runtime.transport.directory import DirectoryTransport


def test_a_symbolic_link_that_leaves_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "medium").mkdir()
    (tmp_path / "medium" / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(TransportError, match="a symbolic link points outside the directory"):
        read_bounded(DirectoryTransport(tmp_path / "medium"), "link", 100)


def test_a_linked_folder_that_leaves_is_refused(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").write_bytes(b"secret")
    (tmp_path / "medium").mkdir()
    (tmp_path / "medium" / "blobs").symlink_to("../outside")
    with pytest.raises(TransportError, match="a symbolic link points outside the directory"):
        read_bounded(DirectoryTransport(tmp_path / "medium"), "blobs/file", 100)


def test_a_symbolic_link_that_stays_inside_is_followed(tmp_path: Path) -> None:
    (tmp_path / "1.root.json").write_bytes(b"root")
    (tmp_path / "root.json").symlink_to("1.root.json")
    assert read_bounded(DirectoryTransport(tmp_path), "root.json", 100) == b"root"


def test_a_link_that_is_made_to_leave_after_it_was_resolved_reads_nothing_outside(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    medium = tmp_path / "medium"
    (medium / "blobs").mkdir(parents=True)
    (medium / "blobs/secret").write_bytes(b"public")
    running = True

    def swap() -> None:
        while running:
            (medium / "blobs").rename(medium / "away")
            (medium / "blobs").symlink_to(tmp_path)
            (medium / "blobs").unlink()
            (medium / "away").rename(medium / "blobs")

    swapping = threading.Thread(target=swap)
    swapping.start()
    contents = set()
    try:
        for _ in range(2000):
            with contextlib.suppress(TransportError):
                contents.add(read_bounded(DirectoryTransport(medium), "blobs/secret", 100))
    finally:
        running = False
        swapping.join()
    assert contents <= {b"public"}


def test_a_file_larger_than_asked_for_is_refused_before_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "large").touch()
    os.truncate(tmp_path / "large", 10**13)
    with pytest.raises(LimitError, match=f"at most 100 bytes, found {10**13} bytes"):
        read_bounded(DirectoryTransport(tmp_path), "large", 100)


def test_links_in_a_circle_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(TransportError):
        read_bounded(DirectoryTransport(tmp_path), "a", 100)


def test_a_pipe_is_no_file_and_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(NotFoundError, match="not a file"):
        read_bounded(DirectoryTransport(tmp_path), "pipe", 100)


def test_a_medium_that_is_gone_is_not_taken_for_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(TransportError, match="mounted") as caught:
        read_bounded(DirectoryTransport(tmp_path / "medium"), "metadata/2.root.json", 100)
    assert not isinstance(caught.value, NotFoundError)
