"""install.sh on a machine that has an agent: the old one is whole until the new one has proved itself, and one step leads back."""

from __future__ import annotations

import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from sealift_packager.cli.kit import kit as kit_command
from sealift_packager.cli.repo import repo
from support.agents import wait_until
from support.models import make_bundle, make_release
from support.wheels import write_agent_wheels

pytestmark = pytest.mark.long

OLD, NEW = "9.9.9", "9.10.0"


@pytest.fixture(scope="module")
def kits(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A kit with each version of the agent."""
    folder = tmp_path_factory.mktemp("kits")
    make_bundle(folder / "bundle")
    make_release(folder / "layout", folder / "bundle")
    directory, made = str(folder / "repo"), {}
    promote = ["promote", directory, "linear", "1.0.0", "--channel", "stable"]
    for words in (["init", directory], ["add", directory, str(folder / "layout")], promote):
        assert CliRunner().invoke(repo, words, catch_exceptions=False).exit_code == 0
    for version in (OLD, NEW):
        wheels = write_agent_wheels(folder / f"wheels-{version}", version=version)
        words = ["build", "--repo", directory, "--out", str(folder / version), "--wheels", str(wheels)]
        assert CliRunner().invoke(kit_command, words, catch_exceptions=False).exit_code == 0
        made[version] = folder / version
    return made


def environment(machine: Path, **more: str) -> dict[str, str]:
    keep = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**keep, "PYTHON": sys.executable, "AGENT_CALLS": str(machine / "calls"), "AGENT_URL": "http://127.0.0.1:1", **more}


def command(kit: Path, machine: Path, *words: str) -> list[str]:
    restart = f"echo restarted >> '{machine / 'restarts'}'"
    return ["sh", str(kit / "install.sh"), "--prefix", str(machine / "agent"), "--restart-with", restart, "--wait", "2", *words]


def install(kit: Path, machine: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    argv = command(kit, machine, *words)
    return subprocess.run(argv, env=environment(machine, **more), cwd=machine, capture_output=True, text=True, check=False, timeout=300)


def version(machine: Path) -> str:
    """What the installed agent says it is."""
    done = subprocess.run([machine / "agent/bin/sealift-agent", "--version"], env=environment(machine), capture_output=True, text=True, check=True)
    return done.stdout.split()[-1]


def environments(machine: Path) -> list[str]:
    return sorted(path.name.rpartition(".")[0] for path in (machine / "agent/versions").iterdir() if path.is_dir())


def made(machine: Path, pattern: str) -> list[Path]:
    return list((machine / "agent/versions").glob(pattern))


def restarts(machine: Path) -> int:
    path = machine / "restarts"
    return len(path.read_text().splitlines()) if path.exists() else 0


@pytest.fixture(scope="module")
def equipped(kits: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A machine with the old agent, initialised."""
    machine = tmp_path_factory.mktemp("equipped")
    result = install(kits[OLD], machine)
    assert result.returncode == 0, result.stderr
    assert version(machine) == OLD
    return machine


@pytest.fixture
def machine(equipped: Path) -> Path:
    """It as it was: a test may leave another version beside it."""
    for name in ("calls", "restarts"):
        (equipped / name).unlink(missing_ok=True)
    if version(equipped) != OLD:
        assert install(equipped / "agent", equipped, "--rollback").returncode == 0
        (equipped / "restarts").unlink()
    return equipped


def test_an_upgrade_that_is_killed_leaves_the_old_agent_and_the_next_one_cleans_up(kits: dict[str, Path], machine: Path) -> None:
    before = (machine / "agent/current").readlink()
    for moment in ("*/bin/python", "*/.wheels.*"):
        argv = command(kits[NEW], machine)
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        with subprocess.Popen(argv, env=environment(machine), cwd=machine, start_new_session=True, **quiet) as process:  # type: ignore[call-overload]
            wait_until(functools.partial(made, machine, f"{NEW}{moment}"), 120, "the new environment")
            os.killpg(process.pid, signal.SIGKILL)
        assert (machine / "agent/current").readlink() == before
        assert version(machine) == OLD
    result = install(kits[NEW], machine)
    assert result.returncode == 0, result.stderr
    assert version(machine) == NEW
    assert environments(machine) == [NEW, OLD], "what was left unfinished is gone"
    assert restarts(machine) == 1


def test_a_new_agent_that_fails_its_self_test_isnt_taken(kits: dict[str, Path], machine: Path) -> None:
    for entry in (machine / "agent/versions").glob(f"{NEW}.*"):
        shutil.rmtree(entry)
    result = install(kits[NEW], machine, AGENT_DOCTOR_EXIT="6")
    assert result.returncode == 1
    assert "the new agent fails on this machine; the agent that is installed stays as it is" in result.stderr
    assert version(machine) == OLD
    assert restarts(machine) == 0
    (called,) = [json.loads(line) for line in (machine / "calls").read_text().splitlines()]
    assert called == ["doctor", "--check", "engine", "--check", "self-test"]


def test_a_new_agent_that_doesnt_start_isnt_taken(kits: dict[str, Path], machine: Path) -> None:
    result = install(kits[NEW], machine, AGENT_DETECT_EXIT="6")
    assert result.returncode == 1
    assert "the new agent doesn't work on this machine" in result.stderr
    assert version(machine) == OLD


def test_a_new_agent_that_doesnt_serve_after_its_restart_gives_way_to_the_old_one(kits: dict[str, Path], machine: Path) -> None:
    begun = time.monotonic()
    result = install(kits[NEW], machine, AGENT_STATUS_EXIT="1", AGENT_URL="")
    assert result.returncode == 1
    assert "the new agent didn't serve within 2 s after its restart; the old one is back" in result.stderr
    assert version(machine) == OLD
    assert restarts(machine) == 2
    assert time.monotonic() - begun < 200


def test_one_step_leads_back_and_forth_without_the_medium(kits: dict[str, Path], machine: Path) -> None:
    assert install(kits[NEW], machine).returncode == 0
    assert version(machine) == NEW
    for expected in (OLD, NEW):
        result = install(machine / "agent", machine, "--rollback")
        assert result.returncode == 0, result.stderr
        assert f"Back to the agent from before: sealift-agent, version {expected}" in result.stdout
        assert version(machine) == expected
    assert restarts(machine) == 3


def test_the_same_kit_again_changes_nothing(kits: dict[str, Path], machine: Path) -> None:
    before = (machine / "agent/current").readlink()
    result = install(kits[OLD], machine)
    assert result.returncode == 0, result.stderr
    assert (machine / "agent/current").readlink() == before
    assert restarts(machine) == 0


def test_a_machine_without_an_earlier_agent_has_nothing_to_go_back_to(kits: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "agent").mkdir()
    assert "there is no earlier agent" in install(kits[OLD], tmp_path, "--rollback").stderr


def test_an_agent_that_an_earlier_installer_made_is_upgraded_and_can_come_back(kits: dict[str, Path], tmp_path: Path) -> None:
    prefix = tmp_path / "agent"
    subprocess.run([sys.executable, "-m", "venv", prefix], check=True)
    pip = f"{prefix}/bin/python -m pip --quiet --disable-pip-version-check install --no-index --find-links {kits[OLD]}/wheels".split()
    (wheel,) = (kits[OLD] / "wheels").glob("sealift_runtime-*.whl")
    subprocess.run([*pip, f"{wheel}[cpu]"], check=True)
    (prefix / "sealift-initialised").touch()
    result = install(kits[NEW], tmp_path)
    assert result.returncode == 0, result.stderr
    assert "stay as they are" in result.stdout
    assert version(tmp_path) == NEW
    assert install(prefix, tmp_path, "--rollback").returncode == 0
    assert version(tmp_path) == OLD
