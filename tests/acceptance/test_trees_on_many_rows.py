"""Predictions of trees equal the source's on 100,000 random rows and on both sides of every threshold; the figures go to stdout (``-s``)."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.ensembles import ALL, assert_exact, trained

ROWS = 100_000


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("library", "name"), ALL)
def test_trees_are_exact_on_many_rows(library: str, name: str, tmp_path: Path) -> None:
    proof = assert_exact(*trained(library, name, tmp_path), random_rows=ROWS)
    print(
        f"{library}, {name}: {proof.random_rows:,} random rows and {proof.beside_thresholds:,} beside thresholds; "
        f"labels that differ: {proof.labels}; largest difference: {proof.worst:.2g} of the largest number"
    )
