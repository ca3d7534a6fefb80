"""A site without a network: kit in, reports out, all on one medium."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from support.cli import BIN, ROOT, run
from support.models import make_bundle, make_release
from support.offline import can_go_offline, offline

WHEELHOUSE = ROOT / "build" / "wheelhouse"
pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not WHEELHOUSE.exists(), reason="make test collects the agent's wheels in build/wheelhouse"),
    pytest.mark.skipif(not can_go_offline(), reason="this machine lets nobody make a network namespace"),
    pytest.mark.timeout(600),
]

SITE = """
set -eu
! curl --silent --max-time 2 http://192.0.2.1/ 2>/dev/null
sh "$MEDIUM/install.sh" --prefix "$PREFIX"
agent="$PREFIX/bin/sealift-agent"
"$agent" import "$MEDIUM"
mkdir -p "$SEALIFT_HOME"
"$agent" run --port 0 > "$SEALIFT_HOME/run.log" 2>&1 &
running=$!
trap 'kill "$running" 2>/dev/null; wait "$running"' EXIT
for _ in $(seq 300); do [ -s "$SEALIFT_HOME/run/server.json" ] && break; sleep 0.1; done
"$agent" infer linear --golden --json
sleep 1
"$agent" export "$MEDIUM" >&2
"""


@pytest.fixture(scope="module")
def medium(tmp_path_factory: pytest.TempPathFactory) -> Path:
    work = tmp_path_factory.mktemp("vendor")
    make_bundle(work / "bundle")
    make_release(work / "release", work / "bundle")
    run("sealift", "repo", "init", work / "repository").ok()
    run("sealift", "repo", "add", work / "repository", work / "release").ok()
    run("sealift", "repo", "promote", work / "repository", "linear", "1.0.0", "--channel", "stable").ok()
    run("python", "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", work / "wheel", ROOT / "core", ROOT / "runtime").ok()
    wheel_options = (word for path in (work / "wheel").glob("*.whl") for word in ("--own-wheel", path))
    wheels = (*wheel_options, "--wheelhouse", WHEELHOUSE)
    run("sealift", "kit", "build", "--repo", work / "repository", "--out", work / "medium", *wheels).ok()
    return work / "medium"


@pytest.fixture(scope="module")
def answer(medium: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What the model said at the site, where everything was done without a network."""
    site = tmp_path_factory.mktemp("site")
    environment = {"PATH": f"{BIN}:/usr/bin:/bin", "MEDIUM": str(medium), "PREFIX": str(site / "sealift"), "SEALIFT_HOME": str(site / "home")}
    done = subprocess.run(offline("sh", "-c", SITE), env=environment, capture_output=True, text=True, check=False, timeout=500)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout[done.stdout.rindex('{\n  "name"') :])


def test_install_import_serve_and_export_need_no_network(answer: Any, medium: Path) -> None:
    assert answer["served"] is True
    assert answer["version"] == "1.0.0"
    assert len(list(medium.glob("sealift-reports/*/*.json"))) >= 1


@pytest.mark.usefixtures("answer")
def test_the_hub_takes_the_reports_once(medium: Path, tmp_path: Path) -> None:
    run("sealift-hub", "init", "--data", tmp_path / "hub").ok()
    first = run("sealift-hub", "import", medium, "--data", tmp_path / "hub", "--json").ok().json
    again = run("sealift-hub", "import", medium, "--data", tmp_path / "hub", "--json").ok().json
    assert [device["new"] for device in first["devices"]] >= [1]
    assert [device["new"] for device in again["devices"]] == [0]
    devices = run("sealift-hub", "devices", "--data", tmp_path / "hub", "--json").ok().out
    assert '"linear"' in devices


@pytest.mark.usefixtures("answer")
def test_a_forged_report_on_the_medium_is_refused(medium: Path, tmp_path: Path) -> None:
    shutil.copytree(medium / "sealift-reports", tmp_path / "medium" / "sealift-reports")
    report = next((tmp_path / "medium").glob("sealift-reports/*/0*.json"))
    envelope = json.loads(report.read_text())
    envelope["payload"] = envelope["payload"][:40] + ("A" if envelope["payload"][40] != "A" else "B") + envelope["payload"][41:]
    report.write_text(json.dumps(envelope))
    run("sealift-hub", "init", "--data", tmp_path / "hub").ok()
    assert run("sealift-hub", "import", tmp_path / "medium", "--data", tmp_path / "hub").code == 4
