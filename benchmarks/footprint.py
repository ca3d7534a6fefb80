"""The memory of the agent's three processes while they serve both models of the demo."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from benchmarks.figure import Figure, megabytes
from benchmarks.models import MODELS, bundle_directory
from benchmarks.serving import Subject, ask_once
from sealift_runtime.engine.session import ModelSession
from sealift_runtime.serving.server import run
from support.agents import AgentUnderTest

PROCESSES: Final = ("supervisor", "control_plane", "data_plane")
REQUESTS: Final = 50


def figures(agent: AgentUnderTest) -> list[Figure]:
    """Resident memory (RSS) and each process's share of it (PSS: shared pages are divided by those who share them)."""
    port = int(agent.url.rsplit(":", 1)[1])
    for model in MODELS:
        subject = Subject(ModelSession.open(bundle_directory(agent, model)))
        for _ in range(REQUESTS):
            run(ask_once(port, subject))
    memory = {name: _memory(agent.pids(name)[0]) for name in PROCESSES}
    parts = ", ".join(f"{name.replace('_', ' ')} {megabytes(pss)}" for name, (_, pss) in memory.items())
    total = f"{megabytes(sum(pss for _, pss in memory.values()))} PSS ({parts}); {megabytes(sum(rss for rss, _ in memory.values()))} RSS"
    return [Figure("memory of all three processes of the agent, serving both models", total)]


def _memory(pid: int) -> tuple[int, int]:
    """RSS and PSS of a process, in bytes."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    sizes = dict(re.findall(r"^(Rss|Pss):\s+(\d+) kB", text, re.MULTILINE))
    return int(sizes["Rss"]) * 1024, int(sizes["Pss"]) * 1024
