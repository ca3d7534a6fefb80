"""What a graph becomes once its functions are written out where they are called, as onnxruntime writes them out. Pure.

Functions that call each other twice double a graph each time: 27 of them, in 2 kB, are 134 million nodes.
"""

from __future__ import annotations

import collections
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

from sealift_packager.errors import SourceModelError
from sealift_packager.graph.walk import subgraphs

if TYPE_CHECKING:
    import onnx

#: Nodes that functions may add to those that are written down.
MAX_NODES: Final = 1_000_000
#: Functions in functions: onnx and onnxruntime follow them by recursion.
MAX_DEPTH: Final = 200
_Name = tuple[str, str, str]
_Calls = collections.Counter[_Name]


def check_expansion(model: onnx.ModelProto, *, where: str) -> None:
    """Raise `SourceModelError` where functions would add too many nodes, lie too deep in each other, or call themselves; linear in the model."""
    calls = {(function.domain, function.name, function.overload): _calls(function.node) for function in model.functions}
    nodes: dict[_Name, int] = {}
    depths: dict[_Name, int] = {}
    for name in _inner_first(calls, where):
        inner = [callee for callee in calls[name] if callee in calls]
        depths[name] = 1 + max((depths[callee] for callee in inner), default=0)
        nodes[name] = _total(calls[name], nodes)
        if depths[name] > MAX_DEPTH:
            raise SourceModelError("functions too deep in each other", where=f"{where}: {name[1]}", expected=f"at most {MAX_DEPTH} levels")
    written = _calls(model.graph.node)
    added = _total(written, nodes) - written.total()
    if added > MAX_NODES:
        found = f"{added:,}" if added < 10**15 else f"more than {10**15:,}"
        advice = "Export it without functions that call each other again and again."
        raise SourceModelError("functions that become too many nodes", where=where, expected=f"at most {MAX_NODES:,}", found=found, advice=advice)


def _calls(nodes: Iterable[onnx.NodeProto]) -> _Calls:
    """The operators of all nodes, those in branches and bodies included."""
    calls, waiting = collections.Counter[_Name](), list(nodes)
    while waiting:
        node = waiting.pop()
        calls[node.domain, node.op_type, node.overload] += 1
        waiting.extend(inner for branch in subgraphs(node) for inner in branch.node)
    return calls


def _total(calls: _Calls, nodes: Mapping[_Name, int]) -> int:
    return min(sum(count * nodes.get(name, 1) for name, count in calls.items()), 10**15 + MAX_NODES)  # numbers stay small


def _inner_first(calls: Mapping[_Name, _Calls], where: str) -> list[_Name]:
    """The functions, each after those that it calls."""
    users: dict[_Name, list[_Name]] = {name: [] for name in calls}
    missing = {}
    for name, callees in calls.items():
        inner = [callee for callee in callees if callee in calls]
        missing[name] = len(inner)
        for callee in inner:
            users[callee].append(name)
    ready = [name for name, count in missing.items() if not count]
    for name in ready:  # grows meanwhile
        for user in users[name]:
            missing[user] -= 1
            if not missing[user]:
                ready.append(user)
    stuck = sorted(name for name, count in missing.items() if count)
    if stuck:
        raise SourceModelError("functions that call themselves", where=where, expected="functions without cycles", found=stuck[0][1])
    return ready
