"""The wheels declare the ranges that `make versions` runs: from constraints-lowest.txt to constraints.txt."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
WHEELS = ("core", "runtime", "packager", "hub")
#: Extras for accelerators and a cluster that this set-up doesn't have; docs/reference/versions.md says so.
NOT_RUN = {"gpu", "openvino", "ray"}


def pinned(name: str) -> dict[str, Version]:
    lines = [line for line in (ROOT / name).read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    return {canonicalize_name(line.split("==")[0]): Version(line.split("==")[1]) for line in lines}


def declared() -> list[Requirement]:
    projects = [tomllib.loads((ROOT / wheel / "pyproject.toml").read_text(encoding="utf-8"))["project"] for wheel in WHEELS]
    groups = [{"": project["dependencies"], **project.get("optional-dependencies", {})} for project in projects]
    lines = [line for group in groups for extra, lines in group.items() if extra not in NOT_RUN for line in lines]
    return [requirement for requirement in map(Requirement, lines) if not requirement.name.startswith("sealift")]


@pytest.mark.parametrize("requirement", declared(), ids=str)
def test_what_is_declared_is_what_was_run(requirement: Requirement) -> None:
    name = canonicalize_name(requirement.name)
    lowest = [Version(bound.version) for bound in requirement.specifier if bound.operator == ">="]
    assert [pinned("constraints-lowest.txt")[name]] == lowest
    assert requirement.specifier.contains(pinned("constraints.txt")[name])


@pytest.mark.parametrize("name", ["scikit-learn", "skl2onnx"])
def test_what_private_interfaces_are_used_of_has_an_upper_bound(name: str) -> None:
    requirements = [requirement for requirement in declared() if requirement.name == name]
    assert requirements
    assert all(any(part.operator == "<" for part in requirement.specifier) for requirement in requirements)
