"""The README's quickstart and the tutorial, typed as they stand there, with free ports in place of theirs."""

from __future__ import annotations

import os
import platform
import re
import socket
import subprocess
from pathlib import Path

import pytest

from support.cli import BIN, ROOT

WHEELHOUSE = ROOT / "build" / "wheelhouse"
#: pip's settings where there is no index; "no build isolation" is off by its odd rule when it says false.
NO_NETWORK = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(WHEELHOUSE), "PIP_NO_BUILD_ISOLATION": "false"}
pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(platform.machine() != "x86_64", reason="both pack for x86-64"),
    pytest.mark.skipif(not WHEELHOUSE.exists(), reason="make test collects the agent's wheels in build/wheelhouse"),
    pytest.mark.timeout(600),
]
README = (ROOT / "README.md").read_text(encoding="utf-8")
QUICKSTART = README[README.index("## Quickstart") : README.index("## Figures")]
TUTORIAL = (ROOT / "docs" / "tutorial" / "index.md").read_text(encoding="utf-8")
#: A time, which is another one each time.
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def blocks(page: str, language: str) -> str:
    """The code blocks of a page, one after the other."""
    return "\n".join(re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def type_in(page: str, place: Path) -> str:
    """What the commands of a page print, all typed in one terminal."""
    for name in ("examples", "core", "runtime"):
        (place / name).symlink_to(ROOT / name)
    lines = blocks(page, "sh").replace("8480", str(free_port())).replace("8470", str(free_port()))
    # a person takes a moment before typing on; a script waits until the port answers
    lines = re.sub(r"(?m)^(.*--port (\d+)) &$", r"\1 &\nuntil curl -s -o /dev/null http://127.0.0.1:\2/; do sleep 0.2; done", lines)
    environment = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", **NO_NETWORK}
    program = f"set -euxo pipefail\ntrap 'kill $(jobs -p); wait' EXIT\n{lines}"
    done = subprocess.run(["bash", "-c", program], cwd=place, env=environment, capture_output=True, text=True, check=False, timeout=500)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def quickstart(tmp_path_factory: pytest.TempPathFactory) -> str:
    return type_in(QUICKSTART, tmp_path_factory.mktemp("quickstart"))


@pytest.fixture(scope="module")
def tutorial(tmp_path_factory: pytest.TempPathFactory) -> str:
    return type_in(TUTORIAL, tmp_path_factory.mktemp("tutorial"))


def test_the_quickstart_runs_to_its_end(quickstart: str) -> None:
    assert "signature good" in quickstart


def test_the_device_answers_as_scikit_learn_does(quickstart: str) -> None:
    assert re.search(r"^label \[\d+\]: \[[01]", quickstart, re.MULTILINE)
    assert '"name":"breast-cancer"' in quickstart


@pytest.mark.long
def test_the_tutorial_s_commands_print_what_it_shows(tutorial: str) -> None:
    printed = {TIME.sub("…", line.strip()) for line in tutorial.splitlines()}
    assert [line for line in blocks(TUTORIAL, "text").splitlines() if TIME.sub("…", line.strip()) not in printed] == []


@pytest.mark.long
def test_the_tutorial_s_shifted_requests_raise_an_alarm_and_its_usual_ones_raise_none(tutorial: str) -> None:
    usual, shifted, *_ = tutorial.split("\nchannel ")[1:]
    assert "drift:" not in usual
    assert "drift: features[0]" in shifted


@pytest.mark.long
def test_the_tutorial_s_reports_came_to_the_hub_by_medium(tutorial: str) -> None:
    assert re.search(r"reports are on work/medium", tutorial)
