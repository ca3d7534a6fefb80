"""Runs a tool on a model, in the tool's environment and a process of its own, and keeps what came out: ``MODEL/TOOL/result.json``."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from benchmarks.packager.environments import PROGRAMS, python_of
from benchmarks.packager.values import SEALIFT, ToolResult

RESULT: Final = "result.json"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A program of this folder, where it runs, its options, and the objectives of Sealift's model in this run, in order."""

    name: str
    environment: str
    program: str
    options: Mapping[str, Any]
    order: tuple[str, ...] = ()
    only: tuple[str, ...] = ()

    def takes(self, model: str) -> bool:
        """Whether it is run on that model."""
        return not self.only or model in self.only


def tools(profile: str, seconds: int) -> tuple[Tool, ...]:
    """All of them; ``seconds`` is how long Olive may search."""
    return (
        Tool(
            name=SEALIFT,
            environment="sealift",
            program="sealift_side.py",
            options={"profile": profile, "objective": []},
            order=("latency", "size"),
        ),
        Tool(
            name=f"{SEALIFT}, size then accuracy",
            environment="sealift",
            program="sealift_side.py",
            options={"profile": profile, "objective": ["size", "accuracy"]},
            order=("size", "accuracy"),
            only=("minilm",),
        ),
        Tool(name="onnxruntime static", environment="onnxruntime", program="onnxruntime_side.py", options={"mode": "static"}),
        Tool(name="onnxruntime dynamic", environment="onnxruntime", program="onnxruntime_side.py", options={"mode": "dynamic"}),
        Tool(name="Olive", environment="olive", program="olive_side.py", options={"seconds": seconds}),
    )


def folder_of(model: Path, tool: str) -> Path:
    """Where a tool's result on a model lies."""
    return model / tool.replace(",", "").replace(" ", "-").lower()


def result_of(model: Path, tool: Tool, *, limit_s: int) -> ToolResult:
    """What a tool made of a model: the kept result if the options are the same, or that of a run. A failure or a timeout is a result too."""
    out = folder_of(model, tool.name)
    kept, options = out / RESULT, out / "options.json"
    if not kept.exists() or json.loads(options.read_text(encoding="utf-8")) != tool.options:
        (model / "measured.json").unlink(missing_ok=True)
        shutil.rmtree(out, ignore_errors=True)
        (out / "tmp").mkdir(parents=True)
        made = _run(model, out, tool, limit_s)
        shutil.rmtree(out / "tmp")
        options.write_text(json.dumps(tool.options), encoding="utf-8")
        kept.write_text(json.dumps(dataclasses.asdict(made)), encoding="utf-8")
    return ToolResult(**json.loads(kept.read_text(encoding="utf-8")))


def _run(model: Path, out: Path, tool: Tool, limit_s: int) -> ToolResult:
    argv = [str(python_of(tool.environment)), str(PROGRAMS / tool.program), str(model.absolute()), str(out.absolute()), json.dumps(tool.options)]
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "OMP_NUM_THREADS")}
    environment = {**kept, "TMPDIR": str((out / "tmp").absolute()), "HF_HUB_OFFLINE": "1"}
    start = time.monotonic()
    with (out / "log.txt").open("w", encoding="utf-8") as log:
        try:
            done = subprocess.run(argv, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=out, env=environment, timeout=limit_s, check=False)
        except subprocess.TimeoutExpired:
            return ToolResult(tool=tool.name, seconds=limit_s, error=f"not done after {limit_s} s")
    seconds = time.monotonic() - start
    if done.returncode:
        return ToolResult(
            tool=tool.name, seconds=seconds, error=last_error((out / "log.txt").read_text(encoding="utf-8", errors="replace"), done.returncode)
        )
    return ToolResult(tool=tool.name, seconds=seconds, **json.loads((out / "outcome.json").read_text(encoding="utf-8")))


def last_error(log: str, status: int) -> str:
    """What a program that failed said last: its last exception's first line, or else its last line. Pure."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"[\w.]*(Error|Exception|Fail|Exit)\w*: ", line)]
    return (errors or lines or [f"exit status {status}"])[-1][:300]
