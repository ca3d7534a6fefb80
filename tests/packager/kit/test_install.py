"""install.sh on a real kit: it verifies before it runs anything, installs with pip without a network, and can be run again."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from sealift_packager.cli.kit import kit as kit_command
from sealift_packager.cli.repo import repo
from support.models import make_bundle, make_release
from support.wheels import write_agent_wheels, write_wheel

pytestmark = pytest.mark.long

VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("repository")
    make_bundle(folder / "bundle")
    make_release(folder / "layout", folder / "bundle")
    directory = str(folder / "repo")
    promote = ["promote", directory, "linear", "1.0.0", "--channel", "stable"]
    for words in (["init", directory], ["add", directory, str(folder / "layout")], promote):
        result = CliRunner().invoke(repo, words, catch_exceptions=False)
        assert result.exit_code == 0, result.output
    return folder / "repo"


HUB_KEY = "5" * 64


@pytest.fixture
def medium(repository: Path, tmp_path: Path) -> Path:
    return build(repository, write_agent_wheels(tmp_path / "given"), tmp_path / "kit")


def build(repository: Path, wheels: Path, out: Path, *options: str) -> Path:
    words = ["build", *options, "--repo", str(repository), "--out", str(out), "--wheels", str(wheels), "--json"]
    result = CliRunner().invoke(kit_command, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    # click 8.1 puts the warnings there, too.
    assert json.loads(result.stdout[result.stdout.index("{") :])["releases"] == [{"name": "linear", "version": "1.0.0"}]
    return out


def environment(tmp_path: Path, **more: str) -> dict[str, str]:
    """A clean one, with pip told of an index that can't be reached: whoever asked it would fail."""
    keep = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    network = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
    return {**keep, **network, "PYTHON": sys.executable, "AGENT_CALLS": str(tmp_path / "calls"), **more}


def install(medium: Path, tmp_path: Path, *words: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
    command = ["sh", str(medium / "install.sh"), *(str(word) for word in words)]
    return subprocess.run(command, env=environment(tmp_path, **more), cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)


def calls(tmp_path: Path) -> list[list[str]]:
    path = tmp_path / "calls"
    called = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return [words for words in called if words[0] == "init"]


def spying_path(tmp_path: Path) -> str:
    """A PATH whose every Python leaves a trace and does nothing."""
    folder = tmp_path / "spies"
    folder.mkdir()
    for name in ("python3", f"python{VERSION}"):
        (folder / name).write_text(f"#!/bin/sh\necho ran >> '{tmp_path / 'traces'}'\n")
        (folder / name).chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Four installations into one place: init fails, init succeeds, the same again, a newer kit."""

    folder: Path
    medium: Path
    runs: tuple[subprocess.CompletedProcess[str], ...]
    calls: tuple[list[list[str]], ...]


@pytest.fixture(scope="module")
def history(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> History:
    folder = tmp_path_factory.mktemp("history")
    medium = build(repository, write_agent_wheels(folder / "wheels"), folder / "kit")
    newer = build(repository, write_agent_wheels(folder / "newer", version="9.10.0"), folder / "kit2", "--hub-key", HUB_KEY)
    words = ["--prefix", "agent", "--home", str(folder / "state"), "--channel", "beta"]
    runs, made = [], []
    for kit, code in ((medium, "3"), (medium, "0"), (medium, "0"), (newer, "0")):
        runs.append(install(kit, folder, *words, AGENT_INIT_EXIT=code))
        made.append(calls(folder))
    return History(folder=folder, medium=medium, runs=tuple(runs), calls=tuple(made))


def test_the_agent_is_installed_and_initialised_from_the_medium_alone(history: History) -> None:
    done = history.runs[1]
    assert done.returncode == 0, done.stderr
    called = history.calls[1][-1]
    root = called.index("--root")
    assert not Path(called[root + 1]).is_relative_to(history.medium), "a copy that was checked"
    assert called[: root + 1] == ["init", "--repo", str(history.medium / "repository"), "--root"]
    assert called[root + 2 :] == ["--channel", "beta", "--home", str(history.folder / "state")]
    assert f"sealift-agent import '{history.medium}' --home '{history.folder / 'state'}'\n" in done.stdout


def test_an_init_that_fails_is_tried_again_next_time(history: History) -> None:
    assert history.runs[0].returncode == 1
    assert "could not be initialised" in history.runs[0].stderr
    assert [len(made) for made in history.calls[:2]] == [1, 2]


def test_installing_again_does_no_harm(history: History) -> None:
    assert history.runs[2].returncode == 0, history.runs[2].stderr
    assert "stay as they are" in history.runs[2].stdout
    assert history.calls[2] == history.calls[1]


def test_a_newer_kit_upgrades_the_agent_in_place(history: History) -> None:
    assert history.runs[3].returncode == 0, history.runs[3].stderr
    assert "Sealift agent 9.10.0 is installed" in history.runs[3].stdout
    assert history.calls[3][-1] == ["init", "--hub-key", HUB_KEY, "--home", str(history.folder / "state")], "a device of before gets the hub's key"
    assert next((history.folder / "agent/current/lib").glob("*/site-packages/sealift_runtime-*.dist-info")).name == "sealift_runtime-9.10.0.dist-info"
    assert history.calls[3][:-1] == history.calls[1]


@pytest.mark.parametrize("victim", ["wheels/sealift_runtime-9.9.9-py3-none-any.whl", "root.json", "repository/metadata/timestamp.json", "README.txt"])
def test_a_flipped_byte_stops_the_installation_before_anything_runs(medium: Path, tmp_path: Path, victim: str) -> None:
    data = bytearray((medium / victim).read_bytes())
    data[len(data) // 2] ^= 1
    (medium / victim).write_bytes(data)
    result = install(medium, tmp_path, "--prefix", "agent", PATH=spying_path(tmp_path), PYTHON="")
    assert result.returncode == 1
    assert f"{victim}: FAILED" in result.stderr
    assert "nothing was installed" in result.stderr
    assert not (tmp_path / "agent").exists()
    assert not (tmp_path / "traces").exists()
    assert calls(tmp_path) == []


def test_a_missing_file_stops_the_installation(medium: Path, tmp_path: Path) -> None:
    next((medium / "repository/blobs/sha256").iterdir()).unlink()
    result = install(medium, tmp_path, "--prefix", "agent", PATH=spying_path(tmp_path), PYTHON="")
    assert result.returncode == 1
    assert not (tmp_path / "traces").exists()


def test_an_added_wheel_stops_the_installation(medium: Path, tmp_path: Path) -> None:
    write_wheel(medium / "wheels", "sealift-runtime", "10.0.0", {})
    result = install(medium, tmp_path, "--prefix", "agent", PATH=spying_path(tmp_path), PYTHON="")
    assert result.returncode == 1
    assert "sealift_runtime-10.0.0-py3-none-any.whl isn't listed in SHA256SUMS" in result.stderr
    assert not (tmp_path / "traces").exists()


def test_a_medium_without_its_sums_is_refused(medium: Path, tmp_path: Path) -> None:
    (medium / "SHA256SUMS").unlink()
    assert "SHA256SUMS is missing" in install(medium, tmp_path, "--prefix", "agent").stderr


def fake_python(tmp_path: Path, body: str) -> str:
    path = tmp_path / "fake-python"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return str(path)


def test_a_python_that_is_too_old_is_named(medium: Path, tmp_path: Path) -> None:
    result = install(medium, tmp_path, "--prefix", "agent", PYTHON=fake_python(tmp_path, "echo 3.9"))
    assert f"this kit needs Python {VERSION}, but {tmp_path / 'fake-python'} is 3.9" in result.stderr
    assert not (tmp_path / "agent").exists()


def test_a_machine_without_python_is_told_so(medium: Path, tmp_path: Path) -> None:
    result = install(medium, tmp_path, "--prefix", "agent", PYTHON="no-such-python")
    assert "there is no python3 on this machine" in result.stderr


def test_a_python_without_venv_is_told_what_to_install(medium: Path, tmp_path: Path) -> None:
    body = f"case $* in *ensurepip*) exit 1 ;; *) echo {VERSION} ;; esac"
    result = install(medium, tmp_path, "--prefix", "agent", PYTHON=fake_python(tmp_path, body))
    assert "python3-venv" in result.stderr
    assert not (tmp_path / "agent").exists()


def test_a_kit_for_another_machine_says_so(repository: Path, tmp_path: Path) -> None:
    other = "aarch64" if platform.machine() == "x86_64" else "x86_64"
    wheels = write_agent_wheels(tmp_path / "given")
    next(wheels.glob("onnxruntime-*")).unlink()
    abi = f"cp3{sys.version_info.minor}"
    write_wheel(wheels, "onnxruntime", "1.99.0", {}, tag=f"{abi}-{abi}-manylinux_2_28_{other}")
    result = install(build(repository, wheels, tmp_path / "kit"), tmp_path, "--prefix", "agent")
    assert f"this kit is for {other}, but this machine is {platform.machine()}" in result.stderr


def test_a_prefix_that_is_taken_is_refused(medium: Path, tmp_path: Path) -> None:
    (tmp_path / "agent").mkdir()
    (tmp_path / "agent/mine").write_text("mine")
    assert "is taken by something else" in install(medium, tmp_path, "--prefix", "agent").stderr
    assert [path.name for path in (tmp_path / "agent").iterdir()] == ["mine"]


@pytest.mark.parametrize("path", [":{}", "{}:", "{}::/nowhere", ".:{}", "bin:{}"])
def test_nothing_of_the_medium_is_run_because_of_a_search_path(medium: Path, tmp_path: Path, path: str) -> None:
    (medium / "bin").mkdir()
    for program in ("sha256sum", "openssl", "dirname", "find", "uname", "python3", f"python{VERSION}"):
        for spy in (medium / program, medium / "bin" / program):
            spy.write_text(f"#!/bin/sh\necho {program} >> '{tmp_path / 'traces'}'\n")
            spy.chmod(0o755)
    command = ["sh", "install.sh", "--prefix", str(tmp_path / "agent")]
    env = environment(tmp_path, PATH=path.format("/usr/bin:/bin"), PYTHON="no-such-python")
    result = subprocess.run(command, env=env, cwd=medium, capture_output=True, text=True, check=False, timeout=120)
    assert "there is no python3 on this machine" in result.stderr
    assert not (tmp_path / "traces").exists()


def test_no_module_of_the_medium_is_imported_because_of_a_search_path(medium: Path, tmp_path: Path) -> None:
    for module in ("venv", "ensurepip", "json", "sitecustomize"):
        (medium / f"{module}.py").write_text(f"open({str(tmp_path / 'traces')!r}, 'w')\n")
    command = ["sh", "install.sh", "--prefix", str(tmp_path / "agent")]
    env = environment(tmp_path, PYTHONPATH=":/nowhere")
    result = subprocess.run(command, env=env, cwd=medium, capture_output=True, text=True, check=False, timeout=120)
    assert result.returncode == 0, result.stderr
    assert not (tmp_path / "traces").exists()


def test_a_python_is_looked_for_where_the_caller_stands(medium: Path, tmp_path: Path) -> None:
    (medium / "python").write_text(f"#!/bin/sh\ntouch '{tmp_path / 'traces'}'\n")
    (medium / "python").chmod(0o755)
    assert "there is no python3 on this machine" in install(medium, tmp_path, "--prefix", "agent", PYTHON="./python").stderr
    assert not (tmp_path / "traces").exists()


@pytest.mark.parametrize("place", ["writable", "in a writable folder", "another user's", "another user's link"])
def test_a_place_that_others_can_change_is_refused_before_anything_of_it_runs(medium: Path, tmp_path: Path, place: str) -> None:
    if place.startswith("another") and os.geteuid() != 0:
        pytest.skip("only root can make files of another user")
    prefix = tmp_path / "shared" / "agent"
    (prefix / "bin").mkdir(parents=True)
    (prefix / "pyvenv.cfg").touch()
    (prefix / "bin/python").write_text(f"#!/bin/sh\ntouch '{tmp_path / 'traces'}'\n")
    (prefix / "bin/python").chmod(0o755)
    if place == "writable":
        prefix.chmod(0o1777)
    elif place == "in a writable folder":
        prefix.parent.chmod(0o777)
    elif place == "another user's":
        os.chown(prefix, 65534, 65534)
    else:
        prefix = tmp_path / "link"
        prefix.symlink_to("shared/agent")
        os.chown(prefix, 65534, 65534, follow_symlinks=False)
    result = install(medium, tmp_path, "--prefix", prefix)
    assert result.returncode == 1
    assert re.search("anybody can|belongs to another user", result.stderr), result.stderr
    assert not (tmp_path / "traces").exists()


def test_a_place_in_a_folder_for_everybody_is_fine_where_each_keeps_what_is_theirs(medium: Path, tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o1777)
    result = install(medium, tmp_path, "--prefix", "shared/agent", PYTHON="no-such-python")
    assert "there is no python3 on this machine" in result.stderr  # that is looked for after the place


@pytest.mark.parametrize(
    ("words", "message"),
    [((), "pass the folder to install to: --prefix DIR"), (("--prefix",), "--prefix needs a value"), (("--perfix", "x"), "unknown option: --perfix")],
)
def test_wrong_options_are_explained(medium: Path, tmp_path: Path, words: tuple[str, ...], message: str) -> None:
    result = install(medium, tmp_path, *words)
    assert result.returncode == 1
    assert message in result.stderr


def test_help_tells_the_options(medium: Path, tmp_path: Path) -> None:
    result = install(medium, tmp_path, "--help")
    assert result.returncode == 0
    assert "--channel NAME  the channel that this machine follows (default: stable)" in result.stdout


def test_the_readme_names_the_release_and_the_root(medium: Path) -> None:
    text = (medium / "README.txt").read_text()
    assert "    linear 1.0.0\n" in text
    assert "@" not in text


def machine_with(tmp_path: Path, libc: str, bits: int = 64) -> Path:
    """A Python that says that it is of this version, and what its machine's C library is."""
    script = tmp_path / "other-python"
    answers = {"version_info": VERSION, "ensurepip": "", "calcsize": str(bits), "confstr": libc}
    cases = "".join(f"*{words}*) printf '%s\\n' '{answer}' ;; " for words, answer in answers.items())
    script.write_text(f"#!/bin/sh\ncase \"$*\" in {cases} *) echo ran >> '{tmp_path / 'traces'}' ;; esac\n")
    script.chmod(0o755)
    return script


@pytest.mark.parametrize(
    ("tag", "libc", "bits", "message"),
    [
        (
            "manylinux_2_28",
            "glibc 2.17",
            64,
            "this kit needs glibc 2.28 or newer, but this machine has 2.17; update its system, or build",
        ),
        ("manylinux_2_28", "glibc 2.9", 64, "this kit needs glibc 2.28 or newer, but this machine has 2.9;"),
        ("musllinux_1_2", "glibc 2.36", 64, "this kit needs musl 1.2 or newer, but this machine has glibc 2.36; build one with --platform"),
        ("manylinux_2_28", "glibc 2.36", 32, "is a 32-bit Python, but this kit needs a 64-bit one"),
    ],
)
def test_a_machine_with_another_c_library_is_told_so_before_anything_is_unpacked(
    repository: Path, tmp_path: Path, tag: str, libc: str, bits: int, message: str
) -> None:
    wheels = write_agent_wheels(tmp_path / "given")
    next(wheels.glob("onnxruntime*")).unlink()
    python = f"cp{VERSION.replace('.', '')}"
    write_wheel(wheels, "onnxruntime", "1.99.0", {}, tag=f"{python}-{python}-{tag}_{platform.machine()}")
    medium = build(repository, wheels, tmp_path / "kit")
    result = install(medium, tmp_path, "--prefix", "agent", PYTHON=str(machine_with(tmp_path, libc, bits)))
    assert result.returncode == 1
    assert message in result.stderr
    assert not (tmp_path / "agent").exists()
    assert not (tmp_path / "traces").exists()
