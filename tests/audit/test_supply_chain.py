"""What is brought from package indexes: build dependencies are pinned, and nobody is asked for our own names."""

from __future__ import annotations

import importlib.metadata
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
WHEELS = ("core", "runtime", "packager", "hub")
#: A word of a pip command that is one of our projects by its name, so not a path to it.
OUR_NAME = re.compile(r"\bpip3?\b.*(?<![\w/.-])sealift-(core|runtime|packager|hub)\b(?!\S*\.whl)")


def build_requirements(wheel: str) -> list[str]:
    requirements: list[str] = tomllib.loads((ROOT / wheel / "pyproject.toml").read_text())["build-system"]["requires"]
    return requirements


@pytest.mark.parametrize("wheel", WHEELS)
def test_a_wheel_is_built_by_exactly_what_the_constraints_name(wheel: str) -> None:
    pinned = (ROOT / "constraints.txt").read_text().splitlines()
    assert [requirement for requirement in build_requirements(wheel) if requirement not in pinned] == []
    assert build_requirements(wheel) == build_requirements("runtime")


def test_all_that_the_build_needs_is_pinned() -> None:
    pinned = {Requirement(requirement).name for requirement in build_requirements("runtime")}
    for name in pinned:
        needs = [Requirement(requirement) for requirement in importlib.metadata.requires(name) or ()]
        assert {requirement.name for requirement in needs if not requirement.marker or requirement.marker.evaluate({"extra": ""})} <= pinned


def texts() -> list[Path]:
    """Every text that people or programs run or copy commands from."""
    folders = (*WHEELS, "docs", "examples", "benchmarks", "tests", "hardware-profiles", ".ci")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file() and "blobs" not in path.parts]
    return [ROOT / "Makefile", ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(path for path in files if path.suffix in TEXTS)]


TEXTS = (".py", ".md", ".sh", ".in", ".toml", ".txt", ".yml", "")


def test_no_command_asks_an_index_for_our_names() -> None:
    """Nobody has registered them: whoever did could answer."""
    lines = {f"{path.relative_to(ROOT)}: {line.strip()}" for path in texts() if path != Path(__file__) for line in path.read_text().splitlines()}
    assert {line for line in lines if OUR_NAME.search(line)} == set()


@pytest.mark.parametrize(
    ("line", "matches"),
    [
        ("pip install 'sealift-packager[torch]'", True),
        ("pip download sealift-runtime==0.1.0", True),
        ("$(CLEAN)/bin/pip install --find-links x 'sealift-runtime[cpu]' pytest", True),
        ("pip install -e './runtime[cpu]'", False),
        ("pip install wheels/sealift-runtime-0.1.0.whl", False),
    ],
)
def test_the_search_finds_what_it_is_for(line: str, matches: bool) -> None:
    assert bool(OUR_NAME.search(line)) is matches
