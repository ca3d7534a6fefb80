"""What is written to a medium: FAT and exFAT have no permissions, sticks belong to whoever mounted them, and files have a largest size."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from sealift_core import beneath, durable
from sealift_core.disk_room import check_fits
from sealift_core.errors import DiskFullError, StoreError
from support.small_disk import small_disk
from support.sticks import as_nobody, stick

STICKS = pytest.mark.parametrize("file_system", ["vfat", "exfat"])


def refuse(number: int) -> object:
    def act(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    return act


def raised_by(act: object) -> None:
    raise AssertionError(act)


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_for_everybody_needs_no_permissions_of_the_file_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    monkeypatch.setattr(os, "fchmod", refuse(number))
    before = os.umask(0o077)  # so the file lacks permissions
    try:
        durable.write_bytes(tmp_path / "report.json", b"{}")
    finally:
        os.umask(before)
    assert (tmp_path / "report.json").read_bytes() == b"{}"


def test_no_permissions_are_asked_for_where_a_new_file_has_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fchmod", raised_by)
    before = os.umask(0o022)
    try:
        durable.write_bytes(tmp_path / "report.json", b"{}")
        durable.write_bytes(tmp_path / "key", b"", mode=0o600)
    finally:
        os.umask(before)
    assert [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("report.json", "key")] == [0o644, 0o600]


def test_a_file_for_everybody_is_that_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        durable.write_bytes(tmp_path / "report.json", b"{}")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "report.json").stat().st_mode) == 0o644


@STICKS
def test_a_key_is_not_written_where_everybody_could_read_it(tmp_path: Path, file_system: str) -> None:
    with stick(tmp_path, file_system) as medium:

        def write() -> None:
            with pytest.raises(StoreError, match="can't be written"):
                durable.write_bytes(medium / "key", b"secret", mode=0o600)

        as_nobody(write, tmp_path)
        assert list(medium.iterdir()) == []


@STICKS
def test_a_user_who_owns_nothing_writes_to_a_stick_and_replaces_what_is_there(tmp_path: Path, file_system: str) -> None:
    with stick(tmp_path, file_system) as medium:

        def write() -> None:
            for data in (b"old", b"new"):
                with beneath.open_folder(medium, "sealift-reports", "0a1b", create=True) as folder:
                    durable.write_bytes(medium / "0000000001.json", data, folder=folder)
            durable.sync_tree(medium)

        as_nobody(write, tmp_path)
        assert (medium / "sealift-reports" / "0a1b" / "0000000001.json").read_bytes() == b"new"
        assert len(list((medium / "sealift-reports" / "0a1b").iterdir())) == 1


def test_a_file_system_that_syncs_no_folders_is_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sync = os.fsync

    def of_files_only(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", of_files_only)
    durable.write_bytes(tmp_path / "report.json", b"{}")
    durable.sync_directory(tmp_path)
    assert (tmp_path / "report.json").read_bytes() == b"{}"


def test_a_read_only_medium_is_called_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "replace", lambda *_, **__: refuse(errno.EROFS)())  # type: ignore[operator]
    with pytest.raises(StoreError, match=r"can't be written \(Read-only file system\)\. Mount it writable"):
        durable.write_bytes(tmp_path / "report.json", b"{}")


def test_a_file_beyond_a_file_system_s_largest_is_refused_before_a_byte_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seek = os.lseek

    def of_fat(descriptor: int, position: int, how: int) -> int:
        if position >= 2**32:
            raise OSError(errno.EINVAL, "Invalid argument")
        return seek(descriptor, position, how)

    monkeypatch.setattr(os, "lseek", of_fat)
    with pytest.raises(DiskFullError, match=r"too large for this file system: found a file of 4,294,967,296 bytes\. FAT32 holds files below 4 GiB"):
        check_fits(tmp_path, [10, 2**32])
    check_fits(tmp_path, [10])
    assert list(tmp_path.iterdir()) == []


def test_fat_takes_no_file_of_four_gibibytes(tmp_path: Path) -> None:
    with stick(tmp_path, "vfat") as medium:
        with pytest.raises(DiskFullError, match="too large for this file system"):
            check_fits(medium, [2**32])
        assert list(medium.iterdir()) == []


def test_too_little_room_is_told_with_both_figures(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", megabytes=1) as disk, pytest.raises(DiskFullError, match=r"expected 2,000,000 bytes, found [0-9,]+ bytes"):
        check_fits(disk.directory, [1_000_000, 1_000_000])


def test_a_file_that_turned_out_too_large_is_not_called_a_full_disk(tmp_path: Path) -> None:
    with pytest.raises(DiskFullError, match="the file is too large for this file system"), durable.translate_full_disk(tmp_path):
        raise OSError(errno.EFBIG, "File too large")
