"""Files that somebody else wrote: by no link, of no other kind, and no further than expected."""

from __future__ import annotations

import io
import os
import socket
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from sealift_core import beneath, durable
from sealift_core.bundle.digest import Digest
from sealift_core.errors import IntegrityError, LimitError, SealiftError

CONTENT = b"content" * 1000
DIGEST = Digest.of(CONTENT).hex


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root/blobs").mkdir(parents=True)
    (tmp_path / "root/blobs/file").write_bytes(CONTENT)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/file").write_bytes(CONTENT)
    return tmp_path / "root"


def link(place: Path) -> None:
    place.symlink_to(place.parents[2] / "outside/file")


def dangling_link(place: Path) -> None:
    place.symlink_to("nothing")


def link_inside(place: Path) -> None:
    place.with_name("other").write_bytes(CONTENT)
    place.symlink_to("other")


def bound_socket(place: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(place))


def device(place: Path) -> None:
    try:
        os.mknod(place, stat.S_IFCHR | 0o666, os.makedev(1, 5))
    except PermissionError:
        pytest.skip("only root can make a device")


OTHER_FILES: dict[str, tuple[Callable[[Path], None], str]] = {
    "link": (link, "a symbolic link"),
    "dangling link": (dangling_link, "a symbolic link"),
    "link that stays inside": (link_inside, "a symbolic link"),
    "pipe": (os.mkfifo, "a pipe"),
    "socket": (bound_socket, "a socket"),
    "device": (device, "a device"),
    "folder": (Path.mkdir, "a folder"),
}


def read(root: Path, *names: str) -> bytes:
    with beneath.open_file(root, *names) as file:
        return file.read()


def test_a_regular_file_is_read(root: Path) -> None:
    assert read(root, "blobs", "file") == CONTENT
    assert beneath.is_file(root, "blobs", "file")


def test_the_folder_that_a_person_named_may_be_a_link(root: Path) -> None:
    (root.parent / "named").symlink_to(root)
    assert read(root.parent / "named", "blobs", "file") == CONTENT


def test_a_folder_that_can_be_entered_but_not_listed_will_do(root: Path) -> None:
    (root / "blobs").chmod(0o711)
    assert read(root, "blobs", "file") == CONTENT


@pytest.mark.parametrize("name", OTHER_FILES)
def test_anything_else_is_refused_at_once(root: Path, name: str) -> None:
    make, description = OTHER_FILES[name]
    (root / "blobs/file").unlink()
    make(root / "blobs/file")
    with pytest.raises(IntegrityError, match=f"blobs/file: not a regular file: found {description}"):
        read(root, "blobs", "file")
    assert not beneath.is_file(root, "blobs", "file")


def test_what_to_do_about_a_link_is_said(root: Path) -> None:
    (root / "link").symlink_to("blobs/file")
    with pytest.raises(IntegrityError, match="copy the folder with its links followed"):
        read(root, "link")


def test_a_folder_that_is_a_link_is_refused(root: Path) -> None:
    (root / "blobs").rename(root / "real")
    (root / "blobs").symlink_to("real")
    with pytest.raises(IntegrityError, match="blobs: not a folder of its own: found a symbolic link"):
        read(root, "blobs", "file")
    assert not beneath.is_file(root, "blobs", "file")


def test_what_is_not_there_is_not_found(root: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read(root, "blobs", "nothing")
    with pytest.raises(FileNotFoundError):
        read(root, "nothing", "file")


def test_no_swap_makes_it_read_what_a_link_names(root: Path) -> None:
    """Somebody swaps the file, and its folder, for links as fast as they can; what is read is never what those name."""
    (root.parent / "outside/file").write_bytes(b"secret")
    running = True

    def swap() -> None:
        places = [(root / "blobs/file", root.parent / "outside/file"), (root / "blobs", root.parent / "outside")]
        while running:
            for place, target in places:
                place.rename(place.with_name("away"))
                place.symlink_to(target)
                place.unlink()
                place.with_name("away").rename(place)

    swapping = threading.Thread(target=swap)
    swapping.start()
    outcomes = set()
    try:
        for _ in range(3000):
            try:
                outcomes.add(read(root, "blobs", "file"))
            except (SealiftError, OSError) as error:
                outcomes.add(type(error).__name__.encode())
    finally:
        running = False
        swapping.join()
    assert outcomes <= {CONTENT, b"IntegrityError", b"FileNotFoundError"}


def test_descriptors_are_closed_whatever_happens(root: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    (root / "link").symlink_to("blobs")
    os.mkfifo(root / "pipe")
    for names in (("link", "file"), ("pipe",), ("nothing", "x"), ("blobs",)):
        with pytest.raises((SealiftError, OSError)):
            read(root, *names)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_too_large_a_file_is_refused_before_it_is_read(root: Path) -> None:
    os.truncate(root / "blobs/file", 10**13)
    with beneath.open_file(root, "blobs", "file") as file:
        with pytest.raises(LimitError, match=f"at most 10 bytes, found {10**13} bytes"):
            beneath.read_open(file, 10, where="x")
        with pytest.raises(IntegrityError, match=f"expected 10 bytes, found {10**13} bytes"):
            beneath.hash_open(file, 10, where="x")
        assert file.tell() == 0


class GrowingFile(io.FileIO):
    """A file to which somebody appends as soon as it is read."""

    def readinto(self, buffer: object) -> int:
        with Path(str(self.name)).open("ab") as file:
            file.write(b"more")
        return super().readinto(buffer)  # type: ignore[arg-type]


def growing(root: Path) -> io.BufferedReader:
    return io.BufferedReader(GrowingFile(str(root / "blobs/file")))


@pytest.mark.parametrize("place", ["state", "link"])
def test_what_stands_in_place_of_an_own_file_keeps_nobody_waiting(tmp_path: Path, place: str) -> None:
    os.mkfifo(tmp_path / "state")
    (tmp_path / "link").symlink_to("state")
    with pytest.raises(IntegrityError, match=f"{place}: not a regular file: found a pipe"):
        beneath.read_own(tmp_path / place, 10)


def test_an_own_file_is_read_through_a_link(root: Path) -> None:
    (root / "link").symlink_to("blobs/file")
    assert beneath.read_own(root / "link", len(CONTENT)) == CONTENT
    with pytest.raises(LimitError):
        beneath.read_own(root / "link", len(CONTENT) - 1)


def test_a_file_that_grows_is_read_to_one_byte_beyond_what_is_expected(root: Path) -> None:
    for use in (beneath.read_open, beneath.read_exactly, beneath.hash_open):
        with growing(root) as file, pytest.raises(SealiftError, match=r"too large|found at least 7001 bytes"):
            use(file, len(CONTENT), where="x")
        (root / "blobs/file").write_bytes(CONTENT)


def test_a_copy_of_what_grows_meanwhile_is_not_taken(root: Path, tmp_path: Path) -> None:
    with growing(root) as file, pytest.raises(IntegrityError, match="expected 7000 bytes, found 7001 bytes"):
        durable.copy(file, tmp_path / "new/copy", size_bytes=len(CONTENT), sha256=DIGEST, where="x")
    assert list((tmp_path / "new").iterdir()) == []


def test_a_copy_shares_no_inode_and_is_readable_by_everybody_and_nobodys_program(root: Path, tmp_path: Path) -> None:
    (root / "blobs/file").chmod(0o6711)
    before = os.umask(0o077)
    try:
        with beneath.open_file(root, "blobs", "file") as file:
            durable.copy(file, tmp_path / "copy", size_bytes=len(CONTENT), sha256=DIGEST, where="x")
    finally:
        os.umask(before)
    (root / "blobs/file").write_bytes(b"edited")
    assert (tmp_path / "copy").read_bytes() == CONTENT
    assert stat.S_IMODE((tmp_path / "copy").stat().st_mode) == 0o644


@pytest.mark.parametrize(("size", "digest"), [(len(CONTENT) + 1, DIGEST), (len(CONTENT), "0" * 64), (10, DIGEST)])
def test_a_copy_that_is_not_what_was_expected_leaves_what_was_there(root: Path, tmp_path: Path, size: int, digest: str) -> None:
    (tmp_path / "copies").mkdir()
    (tmp_path / "copies/copy").write_bytes(b"before")
    with beneath.open_file(root, "blobs", "file") as file, pytest.raises(IntegrityError, match="x: the content was changed"):
        durable.copy(file, tmp_path / "copies/copy", size_bytes=size, sha256=digest, where="x")
    assert [path.read_bytes() for path in (tmp_path / "copies").iterdir()] == [b"before"]


def test_a_link_at_the_target_is_replaced_and_not_written_through(root: Path, tmp_path: Path) -> None:
    (tmp_path / "victim").write_bytes(b"victim")
    (tmp_path / "copy").symlink_to("victim")
    with beneath.open_file(root, "blobs", "file") as file:
        durable.copy(file, tmp_path / "copy", size_bytes=len(CONTENT), sha256=DIGEST, where="x")
    assert (tmp_path / "victim").read_bytes() == b"victim"
    assert not (tmp_path / "copy").is_symlink()


def test_a_write_into_an_open_folder_follows_no_link_to_it(root: Path) -> None:
    with beneath.open_folder(root, "reports", "device", create=True) as folder:
        (root / "reports").rename(root / "moved")
        (root / "reports").symlink_to(root.parent / "outside")
        durable.write_bytes(root / "reports/device/new", b"new", folder=folder)
    assert (root / "moved/device/new").read_bytes() == b"new"
    assert {path.name for path in (root.parent / "outside").iterdir()} == {"file"}
