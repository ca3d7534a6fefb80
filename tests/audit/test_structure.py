"""The code's structure is what its pages say: layers without a cycle, and packages that name their modules."""

from __future__ import annotations

import ast
import graphlib
import re
from pathlib import Path

import pytest

from support.help_pages import ROOT
from support.structure import layers, packages

WHEELS = {name: ROOT / name / f"sealift_{name}" for name in ("core", "runtime", "packager", "hub")}
#: But for the commands, where a file is a verb, and the database's numbered steps.
PACKAGES = [path.parent for wheel in WHEELS.values() for path in sorted(wheel.rglob("__init__.py")) if not {"cli", "migrations"} & set(path.parts)]
MAX_LAYERS, MAX_PACKAGES = 10, 32


def members(package: Path) -> set[str]:
    """A package's modules and packages."""
    files = {path.stem for path in package.glob("*.py")} - {"__init__", "__main__"}
    return files | {path.parent.name for path in package.glob("*/__init__.py")}


def named(package: Path) -> set[str]:
    """What the docstring lists: between double backquotes, at the beginning of an item or anywhere in the text."""
    docstring = ast.get_docstring(ast.parse((package / "__init__.py").read_text(encoding="utf-8"))) or ""
    return set(re.findall(r"``([a-z_0-9]+)``", docstring))


def listed(package: Path) -> set[str]:
    """What stands at the beginning of an item: nothing but a module may."""
    docstring = ast.get_docstring(ast.parse((package / "__init__.py").read_text(encoding="utf-8"))) or ""
    heads = re.findall(r"^- ((?:``[a-z_0-9]+``(?:, )?)+) ", docstring, re.MULTILINE)
    return {name for head in heads for name in re.findall(r"``([a-z_0-9]+)``", head)}


@pytest.mark.parametrize("wheel", WHEELS)
def test_no_wheel_has_a_cycle_among_its_packages(wheel: str) -> None:
    layers(packages(WHEELS[wheel]))


def test_the_packager_keeps_to_its_layers_and_packages() -> None:
    graph = packages(WHEELS["packager"])
    assert len(graph) <= MAX_PACKAGES, sorted(graph)
    assert len(layers(graph)) <= MAX_LAYERS, layers(graph)


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_package_s_docstring_names_its_modules_and_no_others(package: Path) -> None:
    assert members(package) <= named(package), "missing in the docstring"
    assert listed(package) <= members(package), "no such module"


@pytest.mark.parametrize("wheel", WHEELS)
def test_the_folders_of_tests_mirror_the_packages(wheel: str) -> None:
    folders = {path.parent for path in (ROOT / "tests" / wheel).rglob("test_*.py")}
    unknown = {folder for folder in folders if not (WHEELS[wheel] / folder.relative_to(ROOT / "tests" / wheel) / "__init__.py").is_file()}
    assert not unknown


def test_a_cycle_is_seen_by_this_test() -> None:
    with pytest.raises(graphlib.CycleError):
        layers({"a": frozenset({"b"}), "b": frozenset({"a"})})
