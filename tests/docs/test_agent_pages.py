"""The reference pages of the agent say what the code says: configuration, states, events, exit codes, metrics."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator

from sealift_core.terminal import commandline
from sealift_runtime.agent.config import FIELDS, AgentConfig
from sealift_runtime.agent.doctor import CHECKS, ON_REQUEST
from sealift_runtime.monitoring.prometheus import Load, render, render_load
from sealift_runtime.update.table import TABLE
from support.help_pages import ROOT

REFERENCE = ROOT / "docs" / "reference"


def table(page: str, heading: str = "") -> list[list[str]]:
    """The rows of the tables under a heading of a page, or of the whole page, without the first table's head."""
    section = (REFERENCE / page).read_text(encoding="utf-8")
    if heading:
        section = section.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = re.findall(r"^\|(.*)\|$", section, re.MULTILINE)[2:]
    return [[cell.strip() for cell in line.split("|")] for line in lines]


def code(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def test_every_field_of_agent_toml_is_there_with_its_default() -> None:
    config = dataclasses.asdict(AgentConfig(repository="", channel=""))
    shown = {code(row[0])[0]: row[1] for row in table("agent-files.md", "agent.toml")}
    assert list(shown) == list(FIELDS)
    for name, field in FIELDS.items():
        if field not in ("repository", "channel"):
            value = config[field]
            assert code(shown[name]) == [value if value and isinstance(value, str) else json.dumps(value)], name


def test_the_table_of_states_is_the_code_s() -> None:
    expected = [[str(state), row.durable, str(row.crash), ", ".join(row.next) or "–", row.serves] for state, row in TABLE.items()]
    assert table("agent-states-and-events.md", "States of an update") == expected


def test_the_attempts_until_a_verdict_are_the_code_s() -> None:
    shown = {(row[0], int(row[2])) for row in table("agent-states-and-events.md", "Verdicts and hindrances")}
    assert shown == {(str(state), attempts) for state, rule in TABLE.items() for attempts in rule.refuses.values()} | {("probation", 1)}


def recorded_kinds() -> Iterator[str]:
    for path in (ROOT / "runtime" / "sealift_runtime").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        yield from re.findall(r"\brecord\(\s*\"([a-z-]+)\"", text)
        yield from re.findall(r"_record_once\(\w+, \"([a-z-]+)\"", text)


def test_every_kind_of_event_is_there() -> None:
    shown = {kind for row in table("agent-states-and-events.md", "Events") for kind in code(row[0])}
    chosen = {
        "initialised",
        "configuration-changed",
        "withdrawn",
        "left-out",
        "held-up",
        "refused",
        "server-crashed",
        "control-crashed",
    }  # made from a variable
    assert shown == {*recorded_kinds(), *chosen}


def test_every_check_of_doctor_is_there() -> None:
    assert [code(row[0])[0] for row in table("agent-states-and-events.md", "Checks of doctor")] == [*CHECKS, *ON_REQUEST]


def test_the_exit_codes_are_the_command_line_s() -> None:
    documented = set(re.findall(r"^ *(\d+) ", commandline.__doc__ or "", re.MULTILINE))
    assert {row[0] for row in table("exit-codes.md")} == documented


def test_every_metric_is_there_with_its_type() -> None:
    shown = {code(row[0])[0]: row[1].split(",")[0] for row in table("metrics.md")}
    assert shown == dict(re.findall(r"^# TYPE (\S+) (\S+)$", render([]) + render_load(Load()), re.MULTILINE))
