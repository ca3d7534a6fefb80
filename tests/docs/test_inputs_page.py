"""docs/reference/inputs.md says what the code says: each limit has its constant's value, and each test that it names exists."""

from __future__ import annotations

import importlib
import re
from typing import Any

import pytest

from support.help_pages import ROOT

PAGE = (ROOT / "docs" / "reference" / "inputs.md").read_text(encoding="utf-8")
ROWS = [re.split(r"\s*\|\s*", line.strip("| ")) for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| input |")]
LIMIT = re.compile(r"([\d,.]+)(?: (KiB|MiB|GiB|s))? \(`((?:core|runtime|packager|hub)\.[\w.]+)(?:\[(\w+)\])?`\)")
UNITS = {"": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "s": 1}
LIMITS = [match for row in ROWS for match in LIMIT.finditer(row[3])]
TESTS = [match for row in ROWS for match in re.findall(r"`(test_\w+\.py)::(test_\w+)`", row[4])]


def constant(path: str, key: str) -> Any:
    """The value of ``core.bundle.limits.LIMITS.files``: the longest part that is a module, then its attributes."""
    parts = f"sealift_{path}".split(".")
    for end in range(len(parts), 0, -1):
        if is_module(parts[:end]):
            value: Any = importlib.import_module(".".join(parts[:end]))
            for name in parts[end:]:
                value = getattr(value, name)
            return value[key] if key else value
    raise AssertionError(path)


def is_module(parts: list[str]) -> bool:
    place = ROOT / parts[0].removeprefix("sealift_") / "/".join(parts)
    return place.with_suffix(".py").is_file() or (place / "__init__.py").is_file()


def test_every_row_says_who_what_how_much_and_where_it_is_held() -> None:
    assert len(ROWS) > 40
    for row in ROWS:
        assert len(row) == 5, row
        assert all(row), row
        assert re.search(r"`test_\w+\.py::test_\w+`", row[4]), f"no test: {row[0]}"


@pytest.mark.parametrize("match", LIMITS, ids=lambda match: match[3] + (match[4] or ""))
def test_a_limit_has_the_value_of_its_constant(match: re.Match[str]) -> None:
    assert float(match[1].replace(",", "")) * UNITS[match[2] or ""] == constant(match[3], match[4] or "")


def test_every_constant_on_the_page_is_compared() -> None:
    assert len(LIMITS) == len(re.findall(r"\(`(?:core|runtime|packager|hub)\.", PAGE))


@pytest.mark.parametrize(("file", "name"), TESTS)
def test_a_test_that_the_page_names_exists(file: str, name: str) -> None:
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob(file)]
    assert any(re.search(rf"^ *(async )?def {name}\(", text, re.MULTILINE) for text in texts)
