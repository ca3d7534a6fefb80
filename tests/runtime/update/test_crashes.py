"""A real process is killed at each point of an update; what is left serves the old or the new version, and finishes."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from sealift_core.errors import IntegrityError
from sealift_runtime.update.desired_file import DesiredFile
from sealift_runtime.update.installed import check_installed
from sealift_runtime.update.records import Update
from sealift_runtime.update.state import StateDatabase
from sealift_runtime.update.table import TABLE, State
from support.devices import Device
from support.repositories import Repository

ON_THE_WAY = [state for state in State if state not in (State.ROLLED_BACK, State.REJECTED)]
POINTS = [
    *(f"entered:{state}" for state in ON_THE_WAY),
    "entering:activating",  # the switch itself, undone
    "entering:probation",
    "blob:1",  # the channel
    "blob:2",  # the release
    "blob:5",
    "naming",
    "sending",
    "activating",
]


def run(home: Path, repository: Repository, point: str) -> int:
    tests = Path(__file__).parents[2]
    command = [sys.executable, str(tests / "support" / "crashing.py"), str(home), str(repository.directory), point]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(tests)}, capture_output=True, text=True, check=False)
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    repository = Repository(tmp_path_factory.mktemp("crashes") / "repository")
    repository.add_release("1.0.0")
    return repository


@pytest.fixture(scope="module")
def old_home(repository: Repository) -> Path:
    """A home where 1.0.0 is installed, before 1.1.0 is released."""
    device = Device(repository.directory.parent / "old", repository)
    device.sync()
    device.state.close()
    repository.add_release("1.1.0")
    return device.home


def serving(home: Path, repository: Repository) -> str:
    """The version that a data plane would load now, by the document that it is left with, every byte checked."""
    device = Device(home, repository)
    desired = DesiredFile(home).read()
    assert desired
    model = desired.model("linear")
    assert model
    assert model.current
    check_installed(device.store, model.current)
    device.state.verify_ledger()
    device.state.close()
    return model.current.version


def stored_update(home: Path) -> Update:
    state = StateDatabase(home / "state.sqlite")
    update = state.update("linear")
    state.close()
    assert update
    return update


@pytest.mark.parametrize("point", POINTS)
def test_a_crash_leaves_the_old_or_the_new_version_and_a_restart_finishes(point: str, repository: Repository, old_home: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(old_home, home)
    assert run(home, repository, point) == -signal.SIGKILL
    update = stored_update(home)
    if point.startswith("entered:"):
        assert (update.version, update.state) == ("1.1.0", point.removeprefix("entered:"))
    allowed = {"old": ["1.0.0"], "new": [update.version], "either": ["1.0.0", update.version]}[TABLE[update.state].serves]
    assert serving(home, repository) in allowed
    if point in ("entered:activating", "naming"):
        assert serving(home, repository) == "1.0.0"
    if point in ("sending", "activating"):
        assert serving(home, repository) == "1.1.0"
    assert run(home, repository, "never") == 0
    assert serving(home, repository) == "1.1.0"
    assert stored_update(home).state is State.COMMITTED
    assert not list(home.rglob("*.partial"))


def test_a_self_test_that_never_ends_is_given_up_after_three_attempts(repository: Repository, old_home: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(old_home, home)
    for _ in range(3):
        assert run(home, repository, "entering:activating") == -signal.SIGKILL
        assert stored_update(home).state is State.SELF_TESTING
    assert run(home, repository, "never") == 0
    assert stored_update(home).state is State.REJECTED
    assert serving(home, repository) == "1.0.0"


def test_a_first_installation_survives_a_crash_while_fetching(repository: Repository, old_home: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    Device(home, repository).state.close()
    assert run(home, repository, "blob:3") == -signal.SIGKILL
    assert run(home, repository, "never") == 0
    assert serving(home, repository) == "1.1.0"


def test_a_ledger_that_was_changed_is_found_out(old_home: Path, tmp_path: Path) -> None:
    shutil.copytree(old_home, tmp_path / "home")
    path = tmp_path / "home" / "state.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("UPDATE events SET detail = 'nothing happened' WHERE number = 2")
    connection.commit()
    connection.close()
    state = StateDatabase(path)
    with pytest.raises(IntegrityError, match="event 2: the ledger was changed"):
        state.verify_ledger()
    state.close()
