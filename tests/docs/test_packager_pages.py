"""The packager's pages say what the code says: precisions, profiles, metrics, objectives, rows, settings of a file that nobody named."""

from __future__ import annotations

import re

import click

from sealift_packager.candidates.from_profile import FP32, SETTINGS
from sealift_packager.cli.pack import pack
from sealift_packager.measure.bootstrap import rows_needed
from sealift_packager.measure.metrics import METRICS
from sealift_packager.profiles.library import list_profiles
from sealift_packager.project.unasked import HARMLESS, Rule
from sealift_packager.search.objectives import OBJECTIVES
from support.help_pages import ROOT

#: Options that aren't keys of the file: they say which file it is, or what is logged.
NO_KEYS = {"config", "trust-project", "verbose", "quiet", "log-format", "help"}


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def rows(text: str, heading: str) -> list[list[str]]:
    """The rows of the first table under a heading, without its head."""
    section = re.split(rf"^#+ {re.escape(heading)}\n", text, maxsplit=1, flags=re.MULTILINE)[1]
    table = re.search(r"(?:^\|.*\n)+", section, re.MULTILINE)
    assert table, heading
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table[0].splitlines()[2:]]


def code(cells: list[list[str]], column: int) -> set[str]:
    return {name for row in cells for name in re.findall(r"`([^`]+)`", row[column])}


def test_every_precision_is_explained() -> None:
    assert code(rows(page("reference/precisions.md"), "Precisions"), 0) == {FP32.precision, *SETTINGS}


def test_every_profile_that_ships_is_listed() -> None:
    assert code(rows(page("reference/hardware-profiles.md"), "Profiles that ship with Sealift"), 0) == {profile.name for profile in list_profiles()}


def test_every_metric_is_listed_with_its_direction() -> None:
    table = rows(page("how-to/choose-a-metric-and-a-budget.md"), "The metric")
    shown = {name: row[2].startswith("yes") for row in table for name in code([row], 0)}
    assert shown == {"module:function": True} | {name: metric.higher_is_better for name, metric in METRICS.items()}


def test_every_objective_is_named() -> None:
    sentence = page("how-to/choose-a-metric-and-a-budget.md").split("The objectives are ", 1)[1].split(".", 1)[0]
    assert set(re.findall(r"`(\w+)`", sentence)) == set(OBJECTIVES)


def test_a_budget_needs_the_rows_that_the_table_says() -> None:
    table = rows(page("how-to/choose-a-metric-and-a-budget.md"), "How many rows you need")
    assert {float(budget): int(needed) for budget, needed in table} == {budget: rows_needed(budget) for budget in (0.05, 0.01, 0.003)}


def test_every_setting_that_an_unnamed_file_may_not_make_is_listed() -> None:
    shown = code(rows(page("reference/project-file.md"), "A file that you didn't name"), 1)
    names = {max(option.opts, key=len).lstrip("-") for option in pack.params if isinstance(option, click.Option)}
    functions = {name for name, rule in HARMLESS.items() if rule in (Rule.NO_FUNCTION, Rule.DATA)}
    assert shown == (names - NO_KEYS - set(HARMLESS)) | functions
