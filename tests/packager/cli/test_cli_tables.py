"""The table of candidates in a terminal."""

from __future__ import annotations

import dataclasses

import pytest

from sealift_core.bundle.evaluation import CandidateRecord
from sealift_packager.cli.tables import candidates_table
from support.models import make_manifest


def record(name: str, size_bytes: int, reason: str) -> CandidateRecord:
    return CandidateRecord(
        name=name, precision=name, size_bytes=size_bytes, accuracy=None, measurement=None, speedup=None, chosen=bool(size_bytes), reason=reason
    )


MADE = record("fp32", 9000, "the only candidate that passes")
MISSING = [
    record("int8-static", 0, "nothing can be quantized: only Add"),
    record("int8-weights", 0, "nothing can be quantized: no weights"),
    record("fp16-weights", 0, "nothing can be quantized: no weights"),
]


def table(width: int, monkeypatch: pytest.MonkeyPatch) -> str:
    manifest = make_manifest()
    monkeypatch.setenv("COLUMNS", str(width))
    shown = dataclasses.replace(manifest, evaluation=dataclasses.replace(manifest.evaluation, candidates=(MADE, *MISSING)))
    return "\n".join(candidates_table(shown))


@pytest.mark.parametrize("width", [80, 150])
def test_candidates_that_could_not_be_made_stand_below_by_reason(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    *lines, static, weights = table(width, monkeypatch).splitlines()
    assert static == "int8-static: nothing can be quantized: only Add"
    assert weights == "int8-weights, fp16-weights: nothing can be quantized: no weights"
    assert not any("weights" in line for line in lines)


def test_a_wide_table_has_verdicts_and_a_narrow_one_has_them_below(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "│ chosen: the only candidate that passes │" in table(150, monkeypatch)
    assert "\nfp32: chosen: the only candidate that passes\n" in table(80, monkeypatch)


@pytest.mark.parametrize("width", [80, 100, 150])
def test_no_line_is_longer_than_the_terminal_is_wide(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    assert max(map(len, table(width, monkeypatch).splitlines())) <= width
