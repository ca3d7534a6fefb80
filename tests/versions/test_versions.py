"""The declared ranges of versions: models packed with one set of versions are served with another, and answer as their frameworks do.

`SEALIFT_VERSIONS` names environments that have the three wheels, as NAME=FOLDER with spaces between (``make versions`` and ``make lowest`` set
it); without it, it is the one that runs the tests.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import pytest
from packaging.specifiers import SpecifierSet

FOLDER: Final = Path(__file__).parent
PLACES: Final = dict(word.split("=", 1) for word in os.environ.get("SEALIFT_VERSIONS", f"here={sys.prefix}").split())
PAIRS: Final = [(packer, agent) for packer in PLACES for agent in PLACES]
PROGRAMS: Final = ("sealift", "sealift-agent", "sealift-hub")
TIMEOUT_S: Final = 1800
pytestmark = pytest.mark.timeout(2 * TIMEOUT_S)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What an agent answered: for each model what `serve_models` prints, and the agent's onnxruntime."""

    answers: dict[str, Any]
    onnxruntime: str


def run(place: str, program: str, *words: object) -> str:
    """What a program of an environment prints; its own words if it fails."""
    environment = {name: value for name, value in os.environ.items() if name != "SEALIFT_HOME"}
    argv = [str(Path(PLACES[place]).absolute() / "bin" / program), *map(str, words)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=TIMEOUT_S, env=environment)
    assert done.returncode == 0, f"{' '.join(argv)}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


@functools.cache
def folder() -> Path:
    """Where everything goes; gone when the process ends."""
    _kept.append(tempfile.TemporaryDirectory(prefix="sealift-versions."))
    return Path(_kept[-1].name)


_kept: list[tempfile.TemporaryDirectory[str]] = []


@functools.cache
def packed(place: str) -> Path:
    """The repository's folder, packed with an environment."""
    run(place, "python", FOLDER / "pack_models.py", folder() / place)
    return folder() / place


@functools.cache
def served(packer: str, agent: str) -> Served:
    """What was packed with one environment, served with another."""
    answers = json.loads(run(agent, "python", FOLDER / "serve_models.py", packed(packer), folder() / f"{packer}-{agent}").splitlines()[-1])
    version = run(agent, "python", "-c", "import importlib.metadata as m; print(m.version('onnxruntime'))").strip()
    return Served(answers=answers, onnxruntime=version)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("program", PROGRAMS)
def test_every_command_starts_and_helps(program: str, place: str) -> None:
    assert "Commands:" in run(place, program, "--help")
    assert run(place, program, "--version").startswith(f"{program}, version ")


@pytest.mark.parametrize(("packer", "agent"), PAIRS)
def test_a_model_of_each_framework_answers_as_its_framework_does(packer: str, agent: str) -> None:
    answers = served(packer, agent).answers
    assert {"scikit-learn", "skops", "xgboost", "lightgbm", "catboost", "onnx"} <= set(answers)
    assert {name: answer for name, answer in answers.items() if not answer["difference"] <= answer["allowed"]} == {}


@pytest.mark.parametrize(("packer", "agent"), PAIRS)
def test_the_agent_s_onnxruntime_is_one_that_each_bundle_allows(packer: str, agent: str) -> None:
    result = served(packer, agent)
    for name, answer in result.answers.items():
        assert SpecifierSet(answer["requires"]).contains(result.onnxruntime), name


@pytest.mark.skipif("lowest" not in PLACES, reason="needs an environment with the lowest versions")
@pytest.mark.parametrize("packer", PLACES)
def test_the_lowest_environment_has_the_lowest_onnxruntime_that_a_bundle_allows(packer: str) -> None:
    result = served(packer, "lowest")
    allowed = {answer["requires"] for answer in result.answers.values()}
    assert [text for text in allowed if f">={result.onnxruntime.removesuffix('.0')}" not in text.split(",")] == []
