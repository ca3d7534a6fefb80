"""Who is ahead when the packager is compared with other tools (``benchmarks/packager``)."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2]))  # for ``benchmarks``
from benchmarks.packager.judge import judge, unusable
from benchmarks.packager.table import Page, Row, lines
from benchmarks.packager.tools import last_error
from benchmarks.packager.values import FP32, Ratio, ToolFigures, ToolResult

ONE = Ratio(ratio=1.0, low=0.99, high=1.01)
SLOWER, QUICKER = Ratio(ratio=0.5, low=0.48, high=0.52), Ratio(ratio=1.5, low=1.4, high=1.6)
BUDGET = 0.01


def figures(tool: str, size_bytes: int = 1000, **changes: object) -> ToolFigures:
    unchanged = ToolFigures(
        tool=tool,
        latency_ms=1.0,
        speedup=ONE,
        size_bytes=size_bytes,
        loss=0.0,
        rows=100,
        flipped=0,
        off=0.0,
        cosine_mean=None,
        cosine_least=None,
        beside={},
    )
    return dataclasses.replace(unchanged, **changes)  # type: ignore[arg-type]


def sealift(size_bytes: int = 1000, **beside: Ratio) -> ToolFigures:
    return figures("Sealift", size_bytes, beside=beside)


def test_sealift_is_ahead_where_nobody_is_as_quick() -> None:
    ranking = judge(sealift(fp32=SLOWER, other=SLOWER), [figures(FP32), figures("other")], budget=BUDGET)
    assert ranking.standing == "ahead"
    assert not ranking.flagged


def test_sealift_is_behind_a_usable_rival_that_is_quicker() -> None:
    ranking = judge(sealift(fp32=SLOWER, other=QUICKER), [figures(FP32), figures("other")], budget=BUDGET)
    assert ranking.flagged
    assert "1.50× as fast as Sealift's (1.40–1.60)" in ranking.against["other"]


def test_a_quicker_rival_that_loses_more_than_the_budget_is_no_rival() -> None:
    ranking = judge(sealift(other=QUICKER), [figures("other", loss=0.02)], budget=BUDGET)
    assert ranking.standing == "level"
    assert "not usable: loses 0.02" in ranking.against["other"]


def test_a_model_with_one_row_far_off_is_not_usable() -> None:
    assert "0.940" in unusable(figures("other", loss=0.005, cosine_least=0.94), BUDGET)
    assert not unusable(figures("other", loss=0.005, cosine_least=0.96), BUDGET)


@pytest.mark.parametrize(("size_bytes", "standing"), [(500, "behind"), (2000, "ahead"), (1005, "level")])
def test_size_decides_where_latency_does_not_differ(size_bytes: int, standing: str) -> None:
    assert judge(sealift(other=ONE), [figures("other", size_bytes)], budget=BUDGET).standing == standing


def test_size_comes_first_where_that_was_asked() -> None:
    ranking = judge(sealift(other=QUICKER), [figures("other", 2000)], budget=BUDGET, order=("size", "accuracy"))
    assert ranking.standing == "ahead"


@pytest.mark.parametrize(("loss", "standing"), [(0.002, "behind"), (0.006, "ahead"), (0.0042, "level")])
def test_accuracy_decides_where_sizes_hardly_differ_and_that_was_asked(loss: float, standing: str) -> None:
    losing = dataclasses.replace(sealift(other=QUICKER), loss=0.004)
    assert judge(losing, [figures("other", 1005, loss=loss)], budget=BUDGET, order=("size", "accuracy")).standing == standing


def test_sealift_is_behind_where_its_own_model_loses_too_much() -> None:
    losing = dataclasses.replace(sealift(other=SLOWER), loss=0.5)
    assert judge(losing, [figures("other")], budget=BUDGET).flagged


def test_a_failed_program_is_quoted_by_its_last_exception() -> None:
    log = "Traceback (most recent call last):\n  File \"x.py\"\nValueError: no such input\n  'a': 1}\n"
    assert last_error(log, 1) == "ValueError: no such input"
    assert last_error("", 9) == "exit status 9"


def test_the_page_has_every_tool_and_the_reason_where_sealift_is_not_ahead() -> None:
    ours, rival = sealift(fp32=ONE, Olive=QUICKER), figures("Olive", 800, flipped=3, off=0.023)
    rows = [
        Row(model="cnn", made=None, figures=figures(FP32)),
        Row(
            model="cnn",
            made=ToolResult(tool="Sealift", seconds=12.34, made="fp32", notes="the only candidate that passes", others={"int8-static": "loses 0.5"}),
            figures=ours,
            ranking=judge(ours, [figures(FP32), rival], budget=BUDGET),
        ),
        Row(model="cnn", made=ToolResult(tool="onnxruntime static", seconds=1.0, error="a | b"), figures=None, error="a | b"),
        Row(model="cnn", made=ToolResult(tool="Olive", seconds=60.0, made="searched"), figures=rival),
    ]
    page = Page(
        machine="a machine",
        versions="versions",
        profile="p",
        olive_s=60,
        budget=BUDGET,
        least=0.95,
        rows=rows,
        trees=[],
        installed={"Olive": (10**9, 60)},
    )
    text = "\n".join(lines(page))
    assert "| cnn | Sealift | fp32; the only candidate that passes | 1.00×" in text
    assert "| cnn | Olive | searched | 1.00× (0.99–1.01) | 1 | 1 | 0.0000 | 3 of 100, off by 0.023 | 60.0 s | 1,000 MB, 60 | 1.50× as fast" in text
    assert "| failed: a \\| b |" in text
    assert "- cnn, Sealift: **behind**. It ships fp32: the only candidate that passes." in text
    assert "  - its own int8-static: loses 0.5" in text


def test_the_page_says_so_where_sealift_gives_nothing() -> None:
    failed = Row(model="cnn", made=ToolResult(tool="Sealift", seconds=1.0, error="no such thing"), figures=None, error="no such thing")
    page = Page(machine="m", versions="v", profile="p", olive_s=60, budget=BUDGET, least=0.95, rows=[failed], trees=[], installed={})
    assert "- cnn, Sealift: **behind**. It ships nothing: no such thing" in list(lines(page))
