"""Writes are whole or not at all."""

from __future__ import annotations

import errno
import resource
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sealift_core import durable
from sealift_core.errors import DiskFullError, StoreError


def test_a_write_replaces_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "a" / "file"
    durable.write_bytes(target, b"old")
    durable.write_bytes(target, b"new")
    assert target.read_bytes() == b"new"
    assert list(target.parent.iterdir()) == [target]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "file"
    durable.write_bytes(target, b"old")
    with pytest.raises(ValueError, match="in the middle"), durable.replacing(target) as file:
        file.write(b"half")
        raise ValueError("in the middle")
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_the_mode_is_set(tmp_path: Path) -> None:
    durable.write_bytes(tmp_path / "key", b"", mode=0o600)
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError, match=f"{tmp_path}/file/below: can't be written"):
        durable.write_bytes(tmp_path / "file" / "below", b"")


def test_a_full_disk_is_told_apart_and_leaves_nothing(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(DiskFullError, match="the file is too large for this file system"):
            durable.write_bytes(tmp_path / "file", bytes(100_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, previous)
    assert list(tmp_path.iterdir()) == []


WRITER = """
import sys
from pathlib import Path
from sealift_core import durable
number = 0
while True:
    durable.write_bytes(Path(sys.argv[1]), (b"%08d" % number) * 20_000)
    number += 1
    print(number, flush=True)
"""


def test_a_killed_writer_leaves_a_whole_file(tmp_path: Path) -> None:
    target = tmp_path / "file"
    for _ in range(5):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(target)], stdout=subprocess.PIPE)
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(0.02)
        writer.kill()
        writer.wait()
        writer.stdout.close()
        data = target.read_bytes()
        assert len(data) == 160_000
        assert data == data[:8] * 20_000


def test_only_a_full_disk_is_translated_where_other_errors_say_more(tmp_path: Path) -> None:
    with pytest.raises(DiskFullError, match="the disk is full"), durable.translate_full_disk(tmp_path):
        raise OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(FileNotFoundError), durable.translate_full_disk(tmp_path):
        raise FileNotFoundError(errno.ENOENT, "No such file")


@pytest.mark.parametrize(("name", "lacks_room"), [("SQLITE_FULL", True), ("SQLITE_IOERR_SHMSIZE", False), ("SQLITE_CORRUPT", False), (None, False)])
def test_a_database_lacks_room_when_sqlite_says_so_or_fails_on_a_full_disk(tmp_path: Path, name: str | None, lacks_room: bool) -> None:
    error = OSError()
    error.sqlite_errorname = name  # type: ignore[attr-defined]
    assert durable.database_lacks_room(error, tmp_path / "state.sqlite") is lacks_room
