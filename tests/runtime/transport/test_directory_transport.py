"""What only a directory can do wrong."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sealift_runtime.errors import NotFoundError, TransportError
from sealift_runtime.transport.base import read_bounded
from sealift_runtime.transport.directory import DirectoryTransport


def test_a_symbolic_link_that_leaves_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "medium").mkdir()
    (tmp_path / "medium" / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(TransportError, match="a symbolic link leaves the directory"):
        read_bounded(DirectoryTransport(tmp_path / "medium"), "link", 100)


def test_a_linked_folder_that_leaves_is_refused(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").write_bytes(b"secret")
    (tmp_path / "medium").mkdir()
    (tmp_path / "medium" / "blobs").symlink_to("../outside")
    with pytest.raises(TransportError, match="a symbolic link leaves the directory"):
        read_bounded(DirectoryTransport(tmp_path / "medium"), "blobs/file", 100)


def test_a_symbolic_link_that_stays_inside_is_followed(tmp_path: Path) -> None:
    (tmp_path / "1.root.json").write_bytes(b"root")
    (tmp_path / "root.json").symlink_to("1.root.json")
    assert read_bounded(DirectoryTransport(tmp_path), "root.json", 100) == b"root"


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
