"""Results as docs/reference/benchmarks-packager.md. Pure but for `write_page`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from benchmarks.packager.judge import Ranking
from benchmarks.packager.trees import OFF, ConverterResult
from benchmarks.packager.values import FP32, SEALIFT, ToolFigures, ToolResult

HEAD: Final = ("model", "tool", "result", "speed-up", "ms", "kB", "loss", "flipped, or cosine", "time", "installed", "compared with Sealift")
INTRODUCTION: Final = """# Sealift compared with other quantizers

This page compares Sealift with [Olive](https://github.com/microsoft/Olive) and with onnxruntime's own quantizers, so that you can choose between
them. All get the same models and rows, and run on the same machine, each in an environment of its own. `make bench-packager` writes this page.

- Every tool starts from the same fp32 graph, which Sealift's converter made. Every tool gets the same rows for calibration and for its other
  decisions. All results are judged on other rows, which no tool has seen.
- *onnxruntime* is `quant_pre_process`, then `quantize_static` or `quantize_dynamic` with their defaults. *Olive* searches the parameters of
  `OnnxQuantization`, latency first, within the same accuracy budget, for at most {olive_s} s. *Sealift* is `sealift pack` for `{profile}`,
  limited to one thread.
- *speed-up* is over fp32, with one thread and batch 1. All candidates of a model take turns in one process. The figure is the median of paired
  runs with its 95 % interval. *loss* is the metric's loss against fp32. *flipped* counts labels that differ from fp32's, and *off by* is the
  largest difference of an answer. *cosine* is the similarity to fp32's embeddings, as mean (least).
- *time* is that of the whole program, imports included. Sealift's includes proving the conversion, measuring, and sealing a bundle.
- *kB* is the size of the model. Sealift's static int8 stores Q/DQ pairs with a scale and a zero point for each channel of weights and biases,
  which take up to an eighth of the file of a small network. One scale for each tensor would be smaller, but flips more labels. onnxruntime's own
  operators (QOperator) are smaller too.
- *installed* is the size of the tool's environment in MB, and its number of distributions.
- *compared with Sealift*: a rival isn't usable if it loses more than the budget of {budget:g}, or if the cosine of any row is below {least:g}. The
  others are compared by latency, and by size if latency doesn't differ. MiniLM has a second Sealift row, for which size and then accuracy were
  asked for. Rivals are compared with it in that order.

"""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One tool on one model; ``ranking`` is a Sealift row's, with its reasons if it is behind."""

    model: str
    made: ToolResult | None
    figures: ToolFigures | None
    error: str = ""
    ranking: Ranking | None = None

    @property
    def tool(self) -> str:
        """Whose row it is."""
        return self.made.tool if self.made else FP32


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """All that the page says; ``installed`` is bytes and distributions by tool."""

    machine: str
    versions: str
    profile: str
    olive_s: int
    budget: float
    least: float
    rows: Sequence[Row]
    trees: Sequence[ConverterResult]
    installed: Mapping[str, tuple[int, int]]


def write_page(page: Page, path: Path) -> None:
    """Write the page."""
    path.write_text("\n".join(lines(page)) + "\n", encoding="utf-8")


def lines(page: Page) -> Iterator[str]:
    """The page, line by line."""
    yield INTRODUCTION.format(olive_s=page.olive_s, profile=page.profile, budget=page.budget, least=page.least).rstrip("\n")
    yield f"\nOn {page.machine}. {page.versions}.\n"
    yield from _table(HEAD, [cells(row, page) for row in page.rows])
    yield "\n## Where Sealift isn't ahead\n"
    yield from [*_reasons(page.rows)] or ["Nowhere."]
    if page.trees:
        yield "\n## Boosted trees next to their thresholds\n"
        yield f"HistGradientBoosting on breast_cancer, {page.trees[0].rows:,} rows with one feature at a split's threshold or at the neighbouring"
        yield "float32, compared with scikit-learn.\n"
        yield from _table(("converter", f"rows off by more than {OFF:g}", "worst", "labels flipped"), [_tree_cells(result) for result in page.trees])


def cells(row: Row, page: Page) -> list[str]:
    """One row's cells."""
    installed = page.installed.get(row.tool)
    took = f"{row.made.seconds:.1f} s" if row.made else ""
    size = f"{installed[0] / 1e6:,.0f} MB, {installed[1]}" if installed else ""
    if row.figures is None:
        return [row.model, row.tool, "**nothing**", "", "", "", "", "", took, size, f"failed: {_plain(row.error)}"]
    figures = row.figures
    speed = "1" if row.made is None else f"{figures.speedup.ratio:.2f}× ({figures.speedup.low:.2f}–{figures.speedup.high:.2f})"
    made = "; ".join(part for part in (row.made.made, _plain(row.made.notes)) if part) if row.made else "the graph itself"
    beside = f"**{row.ranking.standing}**" if row.ranking else _against(row, page.rows)
    return [
        row.model,
        row.tool,
        made,
        speed,
        f"{figures.latency_ms:.3g}",
        f"{figures.size_bytes / 1000:,.0f}",
        f"{figures.loss:.4f}",
        _answers(figures),
        took,
        size,
        beside,
    ]


def _answers(figures: ToolFigures) -> str:
    if figures.cosine_mean is not None:
        return f"{figures.cosine_mean:.4f} ({figures.cosine_least:.3f})"
    return "" if figures.flipped is None else f"{figures.flipped} of {figures.rows}, off by {figures.off:.2g}"


def _against(row: Row, rows: Sequence[Row]) -> str:
    """The judge's sentence on a rival, from the model's first Sealift row."""
    rankings = [other.ranking for other in rows if other.model == row.model and other.ranking]
    return _plain(rankings[0].against.get(row.tool, "")) if rankings else ""


def _reasons(rows: Sequence[Row]) -> Iterator[str]:
    for row in rows:
        if row.figures is None and row.tool.startswith(SEALIFT):
            yield f"- {row.model}, {row.tool}: **behind**. It ships nothing: {_plain(row.error)}"
        if row.made is None or row.ranking is None or row.ranking.standing == "ahead":
            continue
        yield f"- {row.model}, {row.tool}: **{row.ranking.standing}**. It ships {row.made.made}: {_plain(row.made.notes)}."
        yield from (f"  - {name}: {_plain(sentence)}" for name, sentence in row.ranking.against.items())
        yield from (f"  - its own {name}: {_plain(reason)}" for name, reason in row.made.others.items())


def _tree_cells(result: ConverterResult) -> list[str]:
    if result.error:
        return [result.converter, "**nothing**", f"failed: {_plain(result.error)}", ""]
    return [result.converter, f"{result.off:,}", f"{result.worst:.2g}", str(result.flipped)]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|" + " --- |" * len(head)
    yield from ("| " + " | ".join(row) + " |" for row in rows)


def _plain(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")[:400]
