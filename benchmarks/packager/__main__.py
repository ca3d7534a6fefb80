"""The whole comparison, as a page and on the terminal: ``python -m benchmarks.packager``, from the repository's root.

Results are kept in ``build/bench/packager`` by model and tool, so a run that was broken off goes on where it was; ``--fresh`` begins anew.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import onnxruntime

from benchmarks import ROOT
from benchmarks.packager import environments
from benchmarks.packager.judge import ROW_BUDGETS, judge
from benchmarks.packager.models import BUDGET, MODELS, prepare
from benchmarks.packager.table import Page, Row, lines, write_page
from benchmarks.packager.tools import RESULT, Tool, folder_of, result_of, tools
from benchmarks.packager.trees import ConverterResult, compare
from benchmarks.packager.values import FP32, SEALIFT, ToolFigures, ToolResult
from sealift_core.hardware.machine import detect_machine

TREES: Final = "boosted-trees"
PAGE: Final = ROOT / "docs" / "reference" / "benchmarks-packager.md"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How long things may take, in seconds, and how many rows lie beside thresholds."""

    folder: Path
    olive_s: int
    limit_s: int
    measure_s: float
    rows: int


FULL: Final = Effort(folder=environments.HOME / "packager", olive_s=45, limit_s=600, measure_s=10, rows=20_000)
QUICK: Final = Effort(folder=environments.HOME / "packager-quick", olive_s=10, limit_s=120, measure_s=2, rows=2_000)


def main() -> None:
    """Run the tools that were asked for, measure what they made, and print the table or write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    names = [*MODELS, TREES]
    parser.add_argument(
        "--only", action="append", default=[], choices=names, metavar="MODEL", help=f"one of {', '.join(names)}; may come several times"
    )
    parser.add_argument("--quick", action="store_true", help="a short look: little searching and measuring, results kept apart, no page written")
    parser.add_argument("--fresh", action="store_true", help="forget earlier results of the models that are run")
    parser.add_argument("--profile", help="a hardware profile for Sealift instead of the one that fits this machine best")
    arguments = parser.parse_args()
    os.chdir(ROOT)
    effort = QUICK if arguments.quick else FULL
    for name in ("sealift", "onnxruntime", "olive", "skl2onnx"):
        environments.install(name)
    profile = arguments.profile or _detected()
    selected = arguments.only or names
    chosen = tools(profile, effort.olive_s)
    for name in selected:
        _work(name, effort, chosen, fresh=arguments.fresh)
    page = _page(effort, profile, chosen)
    print("\n".join(lines(page)))
    if not arguments.quick:
        write_page(page, PAGE)


def _work(name: str, effort: Effort, chosen: tuple[Tool, ...], *, fresh: bool) -> None:
    folder = effort.folder / name
    if fresh:
        shutil.rmtree(folder, ignore_errors=True)
    if name == TREES:
        if not (folder / RESULT).exists():
            results = [dataclasses.asdict(result) for result in compare(folder, effort.rows)]
            (folder / RESULT).write_text(json.dumps(results), encoding="utf-8")
        return
    _say(name, "prepare")
    prepare(name, folder)
    for tool in (tool for tool in chosen if tool.takes(name)):
        result = result_of(folder, tool, limit_s=effort.limit_s)
        _say(name, f"{tool.name}: {result.error or result.made} ({result.seconds:.1f} s)")
    if not (folder / "measured.json").exists():
        subprocess.run([sys.executable, "-m", "benchmarks.packager.measure", str(folder), str(effort.measure_s)], check=True)
    _say(name, "measured")


def _page(effort: Effort, profile: str, chosen: tuple[Tool, ...]) -> Page:
    machine = detect_machine()
    trees = effort.folder / TREES / RESULT
    sizes = {name: environments.footprint(name) for name in {tool.environment for tool in chosen}}
    return Page(
        machine=f"{machine.cores} cores of {machine.cpu_model}, {platform.system()}",
        versions=f"Python {platform.python_version()}, onnxruntime {onnxruntime.__version__}, olive-ai {_pinned('olive-ai')}",
        profile=profile,
        olive_s=effort.olive_s,
        budget=BUDGET,
        least=1 - ROW_BUDGETS * BUDGET,
        rows=[row for name in MODELS if (effort.folder / name / "measured.json").exists() for row in _rows(name, effort.folder / name, chosen)],
        trees=[ConverterResult(**result) for result in _read(trees)] if trees.exists() else [],
        installed={tool.name: sizes[tool.environment] for tool in chosen},
    )


def _rows(name: str, folder: Path, chosen: tuple[Tool, ...]) -> list[Row]:
    measured = _read(folder / "measured.json")
    figures = {fields["tool"]: ToolFigures.parse(fields) for fields in measured["figures"]}
    rivals = [rival for tool, rival in figures.items() if not tool.startswith(SEALIFT)]
    rows = [Row(model=name, made=None, figures=figures[FP32])]
    for tool in (tool for tool in chosen if (folder_of(folder, tool.name) / RESULT).exists()):
        made = ToolResult(**_read(folder_of(folder, tool.name) / RESULT))
        measured_figures = figures.get(tool.name)
        ranking = judge(measured_figures, rivals, budget=BUDGET, order=tool.order) if measured_figures and tool.order else None
        rows.append(Row(model=name, made=made, figures=measured_figures, error=made.error or measured["errors"].get(tool.name, ""), ranking=ranking))
    return rows


def _detected() -> str:
    sealift = environments.python_of("sealift").with_name("sealift")
    done = subprocess.run([sealift, "profiles", "detect", "--json"], capture_output=True, text=True, check=True)
    return str(json.loads(done.stdout)["chosen"])


def _pinned(package: str) -> str:
    text = environments.REQUIREMENTS["olive"].read_text(encoding="utf-8")
    return next(line.partition("==")[2] for line in text.splitlines() if line.startswith(f"{package}=="))


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _say(model: str, text: str) -> None:
    print(f"{model}: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
