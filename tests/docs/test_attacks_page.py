"""The page of attacks has every attack that ``make attacks`` carries out, and no other, and each held."""

from __future__ import annotations

from pathlib import Path

from attacks.__main__ import SIDES
from attacks.attack import ATTACKS

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "attacks.md").read_text(encoding="utf-8")
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line.startswith("| ") and "what was tried" not in line]


def test_the_page_has_every_attack() -> None:
    assert [row[0] for row in ROWS] == [attack.name for side in SIDES for attack in ATTACKS if attack.side == side]


def test_every_attack_on_the_page_held_and_no_client_noticed() -> None:
    for _, outcome, meanwhile in ROWS:
        assert "didn't hold" not in outcome
        assert " 0 failures" in meanwhile
