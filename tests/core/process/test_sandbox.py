"""A confined process can read its bundle and compute; whatever else it tries fails."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sealift_core.process import landlock, seccomp
from sealift_core.process.child import run_child
from sealift_core.process.identity import UID
from sealift_core.process.sandbox import Confinement
from support import attacks
from support.attacks import WORKED
from support.confined import behind_walls

TESTS = Path(__file__).parents[2]
ORDINARY = 12345
needs_filters = pytest.mark.skipif(not seccomp.supported(), reason="this machine has no filters that are known")
needs_landlock = pytest.mark.skipif(landlock.detect() == 0, reason="this kernel has no Landlock")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has more to lose")


@dataclasses.dataclass(frozen=True)
class Home:
    """An agent's home, with sockets that listen; ``port`` is that of a server."""

    folder: Path
    port: int


@contextlib.contextmanager
def a_home(owner: int) -> Iterator[Home]:
    """Everything of an agent's home that an attack is after, of one owner and closed to everyone else."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder)
        for name in (attacks.KEY, attacks.OTHER, attacks.BUNDLE, "agent.toml"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(f"content of {name}")
        (folder / "bundles/mine/link").symlink_to(folder / attacks.KEY)
        server, local, abstract = (stack.enter_context(socket.socket(family)) for family in (socket.AF_INET, socket.AF_UNIX, socket.AF_UNIX))
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]
        local.bind(os.fspath(folder / attacks.SOCKET))
        abstract.bind(f"\0sealift-attack-{port}")
        for listener in (server, local, abstract):
            listener.listen()
        for path in (folder, *folder.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o700 if path.is_dir() else 0o600)
            if os.geteuid() == 0:
                os.chown(path, owner, owner, follow_symlinks=False)
        yield Home(folder, port)


def attacked(home: Home, *, uid: int = 0, **changes: Any) -> Any:
    """The outcomes of a process that may read one bundle and tries everything else."""
    confinement = Confinement(readable=(home.folder / "bundles/mine",), **changes)
    start = f"import sys; sys.path.insert(0, {str(TESTS)!r}); import support.attacks; support.attacks.main()"
    text = json.dumps(confinement.json())
    with subprocess.Popen(["sleep", "100"], user=uid or None) as victim:
        numbers = [str(number) for number in (uid, os.getpid(), victim.pid, home.port)]
        outcome = run_child([sys.executable, "-P", "-c", start, *numbers, str(home.folder), text], timeout_s=60)
        assert victim.poll() is None
        victim.kill()
    assert outcome.status == 0, outcome.output
    return json.loads(outcome.result)


def contents(folder: Path) -> dict[str, str]:
    return {str(path): path.read_text() for path in folder.rglob("*") if path.is_file() and not path.is_symlink()}


USERS = [pytest.param(0, id="as the user of the tests"), pytest.param(ORDINARY, id="as an ordinary user", marks=needs_root)]


@needs_filters
@needs_landlock
@pytest.mark.parametrize("uid", USERS)
def test_behind_all_walls_nothing_works_but_reading_the_bundle(uid: int) -> None:
    with a_home(uid) as home:
        before = contents(home.folder)
        outcomes = attacked(home, uid=uid)
        assert contents(home.folder) == before
    assert outcomes["mine"] == f"content of {attacks.BUNDLE}"
    for group in ("reading", "writing", "reaching", "acting"):
        worked = [name for name, outcome in outcomes[group].items() if outcome not in ("EPERM", "EACCES", "ENOSYS")]
        assert worked == [], outcomes[group]


@needs_filters
@pytest.mark.parametrize("uid", USERS)
def test_without_landlock_files_can_be_read_and_nothing_else_works(uid: int) -> None:
    with a_home(uid) as home:
        before = contents(home.folder)
        outcomes = attacked(home, uid=uid, newest_abi=0)
        assert contents(home.folder) == before
    assert outcomes["walls"]["landlock_abi"] == 0
    assert outcomes["mine"] == f"content of {attacks.BUNDLE}"
    for group in ("writing", "reaching", "acting"):
        worked = [name for name, outcome in outcomes[group].items() if outcome not in ("EPERM", "EACCES", "ENOSYS")]
        assert worked == [], outcomes[group]


@needs_filters
@needs_landlock
@needs_root
def test_root_becomes_nobody_with_one_capability_that_landlock_bounds() -> None:
    with a_home(0) as home:
        outcomes = attacked(home)
    assert outcomes["walls"] == {"landlock_abi": landlock.detect(), "seccomp": True, "other_user": True, "root": False}
    assert outcomes["ids"] == [UID] * 6 + [0]
    reading_all = format(1 << 2, "x")
    expected = {"CapInh": "", "CapPrm": reading_all, "CapEff": reading_all, "CapBnd": "", "CapAmb": "", "NoNewPrivs": "1", "Seccomp": "2"}
    assert outcomes["capabilities"] == expected


@needs_filters
@needs_root
def test_without_landlock_root_keeps_its_id_and_no_capability() -> None:
    with a_home(0) as home:
        outcomes = attacked(home, newest_abi=0)
    assert outcomes["walls"] == {"landlock_abi": 0, "seccomp": True, "other_user": False, "root": True}
    expected = {"CapInh": "", "CapPrm": "", "CapEff": "", "CapBnd": "", "CapAmb": "", "NoNewPrivs": "1", "Seccomp": "2"}
    assert outcomes["capabilities"] == expected


@needs_filters
@needs_landlock
@needs_root
@pytest.mark.parametrize("abi", range(1, landlock.NEWEST_ABI))
def test_an_older_landlock_leaves_nothing_open_beside_seccomp(abi: int) -> None:
    with a_home(0) as home:
        outcomes = attacked(home, newest_abi=abi)
    assert outcomes["walls"]["landlock_abi"] == min(abi, landlock.detect())
    worked = [name for group in ("reading", "writing", "reaching", "acting") for name, outcome in outcomes[group].items() if outcome == WORKED]
    assert worked == []


@needs_filters
@needs_landlock
def test_a_folder_to_write_to_is_the_only_one(tmp_path: Path) -> None:
    for name in ("out", "other"):
        (tmp_path / name).mkdir()
    script = f"""
        from pathlib import Path
        out, other, result = Path({str(tmp_path / "out")!r}), Path({str(tmp_path / "other")!r}), []
        (out / "folder").mkdir()
        (out / "folder" / "file").write_text("0123456789")
        (out / "folder" / "file").rename(out / "file")
        attempts = (
            lambda: (other / "file").write_text("x"),
            lambda: (out / "file").rename(other / "file"),
            lambda: (out / "link").symlink_to(other),
            lambda: (out / "large").write_text("x" * 21),
            lambda: (out / "file").chmod(0o777),
        )
        for attempt in attempts:
            try:
                attempt()
            except OSError as error:
                result.append(error.errno)
    """
    outcome = behind_walls(script, writable=(tmp_path / "out",), file_bytes=20)
    assert outcome.status == 0, outcome.output
    refused = {errno.EACCES, errno.EPERM, errno.EXDEV}
    numbers = json.loads(outcome.result)
    assert len(numbers) == 5
    assert set(numbers) <= refused | {errno.EFBIG}
    assert (tmp_path / "out" / "file").read_text() == "0123456789"
    assert list((tmp_path / "other").iterdir()) == []


@needs_landlock
def test_without_walls_the_attempts_work_so_that_they_prove_something() -> None:
    with a_home(0) as home:
        outcomes = attacked(home, walls=False)
    failed = {name for group in ("reading", "writing", "reaching") for name, outcome in outcomes[group].items() if outcome != WORKED}
    assert {"read the device's key", "list the home", "read another bundle", "read the key by a link in the bundle"} & failed == set()
    assert {"open for writing", "empty by opening for reading", "create", "create in /tmp", "unlink"} & failed == set()
    assert {"connect", "listen", "connect to the agent's socket", "connect to an abstract socket"} & failed == set()
    assert set(outcomes["acting"].values()) == {WORKED}
