"""The structure of a wheel, read off its imports: packages, what imports what, layers and cycles."""

from __future__ import annotations

import ast
import graphlib
from collections.abc import Iterator, Mapping
from pathlib import Path

Graph = Mapping[str, frozenset[str]]


def modules(wheel: Path) -> dict[str, Path]:
    """Each module below a wheel's package, by its dotted name."""
    paths = {}
    for path in sorted(wheel.rglob("*.py")):
        parts = path.relative_to(wheel.parent).with_suffix("").parts
        paths[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return paths


def imported(path: Path) -> Iterator[str]:
    """What a module imports at any time, by dotted names; imports for type checkers alone are left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for_types = {id(node) for branch in ast.walk(tree) if isinstance(branch, ast.If) and _is_for_types(branch) for node in ast.walk(branch)}
    for node in ast.walk(tree):
        if id(node) in for_types:
            continue
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def packages(wheel: Path) -> Graph:
    """Which packages (and loose modules) directly below a wheel's package import which others of them."""
    paths = modules(wheel)
    graph: dict[str, set[str]] = {}
    for name, path in paths.items():
        place = _place(name)
        if not place:
            continue
        graph.setdefault(place, set())
        graph[place] |= {_place(other) for other in imported(path) if other.split(".")[0] == wheel.name} - {place, ""}
    return {name: frozenset(others & graph.keys()) for name, others in graph.items()}


def layers(graph: Graph) -> list[list[str]]:
    """The packages from the lowest layer up. Raises `graphlib.CycleError`, which names a cycle."""
    depth: dict[str, int] = {}
    for name in graphlib.TopologicalSorter(graph).static_order():
        depth[name] = max((depth[other] + 1 for other in graph[name]), default=0)
    return [sorted(name for name in depth if depth[name] == level) for level in range(max(depth.values()) + 1)]


def _place(name: str) -> str:
    return [*name.split("."), ""][1]


def _is_for_types(branch: ast.If) -> bool:
    return isinstance(branch.test, ast.Name) and branch.test.id == "TYPE_CHECKING"
