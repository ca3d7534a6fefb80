"""What the agent's wheel says that it was tested with is what constraints.txt has, for all that it needs."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]


def applies(need: Requirement, extras: frozenset[str]) -> bool:
    return need.marker is None or any(need.marker.evaluate({"extra": extra}) for extra in ("", *extras))


def needed() -> set[str]:
    """The distributions that sealift-runtime[cpu] brings, without our own."""
    seen: set[tuple[str, frozenset[str]]] = set()
    pending = [("sealift-runtime", frozenset({"cpu"}))]
    while pending:
        name, extras = pending.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        needs = [need for need in map(Requirement, importlib.metadata.requires(name) or []) if applies(need, extras)]
        pending += [(canonicalize_name(need.name), frozenset(need.extras)) for need in needs]
    return {name for name, _ in seen if not name.startswith("sealift")}


def pins(path: Path) -> dict[str, str]:
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip() and not line.startswith("#")]
    return {canonicalize_name(line.partition("==")[0]): line.partition("==")[2] for line in lines}


def test_the_agents_wheel_names_the_tested_version_of_all_that_it_needs() -> None:
    tested, listed = pins(ROOT / "constraints.txt"), pins(ROOT / "runtime/sealift_runtime/tested-versions.txt")
    assert listed == {name: tested[name] for name in needed()}
