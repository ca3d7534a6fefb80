"""make demo's story, as it is told. `make demo` itself ends with an error where a claim of it doesn't hold."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from support.cli import ROOT, run

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def transcript(tmp_path_factory: pytest.TempPathFactory) -> str:
    place = tmp_path_factory.mktemp("demo")
    done = run("python", ROOT / "examples" / "demo", cwd=place, timeout_s=800)
    shutil.rmtree(place / ".demo", ignore_errors=True)
    return done.ok().out


@pytest.mark.parametrize(
    "claim",
    [
        "the device loses at most 0.3 points",
        "every label is scikit-learn's",
        "no alarm on 3,000 images like those of the holdout",
        "alarm on the shifted images",
        "1.1.0 was rejected, 1.0.0 goes on serving",
        "requests meanwhile were answered",
        "reported itself, signed and numbered",
    ],
)
def test_each_claim_was_checked(transcript: str, claim: str) -> None:
    assert any(claim in line and "✓" in line for line in transcript.splitlines())


def test_nothing_is_left_running(transcript: str) -> None:
    assert "The hub and the agent were stopped" in transcript
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        assert b".demo/device" not in words or str(ROOT).encode() in words
