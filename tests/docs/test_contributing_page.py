"""CONTRIBUTING.md names files and names in them that exist, so that each of its examples can be followed."""

from __future__ import annotations

import re

import pytest

from support.help_pages import ROOT

PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
FOLDERS = "core|runtime|packager|hub|tests|docs|examples|hardware-profiles"
PATHS = sorted({match.rstrip(".") for match in re.findall(rf"\b(?:{FOLDERS})/[\w./-]*", PAGE)})
NAMES = sorted(set(re.findall(r"`([A-Z][A-Za-z_]{3,})`", PAGE)))


@pytest.mark.parametrize("path", PATHS)
def test_a_path_that_the_page_names_exists(path: str) -> None:
    assert (ROOT / path).exists()


@pytest.mark.parametrize("name", NAMES)
def test_a_registry_or_class_that_the_page_names_is_in_a_file_that_it_names(name: str) -> None:
    files = [file for path in PATHS for file in ([ROOT / path] if path.endswith(".py") else (ROOT / path).glob("*.py"))]
    assert any(re.search(rf"^(class )?{name}\b", file.read_text(encoding="utf-8"), re.MULTILINE) for file in files)
