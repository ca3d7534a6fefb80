"""The README's quickstart, typed as it stands there, with free ports in place of its own."""

from __future__ import annotations

import os
import platform
import re
import socket
import subprocess

import pytest

from support.cli import BIN, ROOT

WHEELHOUSE = ROOT / "build" / "wheelhouse"
#: pip's settings where there is no index; "no build isolation" is off by its odd rule when it says false.
NO_NETWORK = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(WHEELHOUSE), "PIP_NO_BUILD_ISOLATION": "false"}
pytestmark = [
    pytest.mark.skipif(platform.machine() != "x86_64", reason="the README packs for x86-64"),
    pytest.mark.skipif(not WHEELHOUSE.exists(), reason="make test collects the agent's wheels in build/wheelhouse"),
    pytest.mark.timeout(600),
]


def script() -> str:
    """The shell blocks of the quickstart, one after the other."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    section = text[text.index("## Quickstart") : text.index("## What it holds to")]
    return "\n".join(re.findall(r"```sh\n(.*?)```", section, re.DOTALL))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> str:
    place = tmp_path_factory.mktemp("quickstart")
    for name in ("examples", "core", "runtime"):
        (place / name).symlink_to(ROOT / name)
    lines = script().replace("8480", str(free_port())).replace("8470", str(free_port()))
    # a person takes a moment before typing on; a script waits until the port answers
    lines = re.sub(r"(?m)^(.*--port (\d+)) &$", r"\1 &\nuntil curl -s -o /dev/null http://127.0.0.1:\2/; do sleep 0.2; done", lines)
    environment = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", **NO_NETWORK}
    program = f"set -euxo pipefail\ntrap 'kill $(jobs -p); wait' EXIT\n{lines}"
    done = subprocess.run(["bash", "-c", program], cwd=place, env=environment, capture_output=True, text=True, check=False, timeout=500)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_quickstart_runs_to_its_end(output: str) -> None:
    assert "signature good" in output


def test_the_device_answers_as_scikit_learn_does(output: str) -> None:
    assert re.search(r"^label \[\d+\]: \[[01]", output, re.MULTILINE)
    assert '"name":"breast-cancer"' in output


def test_the_reports_came_to_the_hub_by_medium(output: str) -> None:
    assert re.search(r"reports are on work/medium", output)
