"""An output appears whole or not at all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sealift_packager.assemble.output import building
from sealift_packager.errors import OutputError


def build(target: Path, content: str, *, force: bool = False, fail: bool = False) -> None:
    with building(target, force=force) as scratch:
        (scratch / "release").mkdir()
        (scratch / "release" / "oci-layout").write_text(content)
        if fail:
            raise ValueError("stop")


def test_a_build_appears_and_leaves_nothing_beside(tmp_path: Path) -> None:
    build(tmp_path / "out", "1")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_build_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="stop"):
        build(tmp_path / "out", "1", fail=True)
    assert list(tmp_path.iterdir()) == []


def test_a_taken_place_is_refused_unless_forced(tmp_path: Path) -> None:
    build(tmp_path / "out", "1")
    with pytest.raises(OutputError, match="taken"):
        build(tmp_path / "out", "2")
    assert (tmp_path / "out" / "oci-layout").read_text() == "1"
    build(tmp_path / "out", "2", force=True)
    assert (tmp_path / "out" / "oci-layout").read_text() == "2"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_force_replaces_only_what_is_a_release(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("years of work")
    with pytest.raises(OutputError, match="only an earlier release"):
        build(tmp_path / "out", "1", force=True)
    assert (tmp_path / "out" / "thesis.tex").read_text() == "years of work"


#: A build that has begun, says where, and goes on until it is killed.
BUILDING = """
import sys, time
from pathlib import Path
from sealift_packager.assemble.output import building
with building(Path(sys.argv[1]), force=True) as scratch:
    print(scratch.name, flush=True)
    time.sleep(600)
"""


@pytest.fixture
def other_build(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A process that builds ``out``, and its scratch directory, which isn't new any more."""
    process = subprocess.Popen([sys.executable, "-c", BUILDING, str(tmp_path / "out")], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        scratch = tmp_path / process.stdout.readline().strip()
        make_old(scratch)
        yield process, scratch
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def make_old(path: Path) -> None:
    os.utime(path, (time.time() - 60, time.time() - 60))


def test_what_a_killed_build_left_goes_with_the_next_one(tmp_path: Path, other_build: tuple[subprocess.Popen[str], Path]) -> None:
    process, scratch = other_build
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert scratch.is_dir()
    build(tmp_path / "out", "1")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_build_that_goes_on_keeps_its_directory(tmp_path: Path, other_build: tuple[subprocess.Popen[str], Path]) -> None:
    _, scratch = other_build
    build(tmp_path / "out", "1")
    assert scratch.is_dir()


@pytest.mark.parametrize("name", [".out.mine.building", ".out.12345678.kept", ".other.12345678.building", "out.12345678.building"])
def test_no_other_folder_is_taken_for_a_killed_build_s(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    make_old(tmp_path / name)
    build(tmp_path / "out", "1")
    assert (tmp_path / name).is_dir()


def test_a_link_that_looks_like_a_killed_build_s_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").touch()
    make_old(tmp_path / "folder")
    (tmp_path / ".out.12345678.building").symlink_to("folder")
    build(tmp_path / "out", "1")
    assert (tmp_path / "folder" / "file").exists()
