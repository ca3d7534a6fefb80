"""Nodes of an ONNX graph in an order in which they can run. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from sealift_core.errors import first_few
from sealift_packager.errors import SourceModelError
from sealift_packager.graph.walk import subgraphs

if TYPE_CHECKING:
    import onnx

_SHOWN: Final = 8


def in_order(graph: onnx.GraphProto, *, where: str) -> list[int]:
    """The numbers of the graph's nodes, each after those whose outputs it takes, otherwise as they stand.

    Raises `SourceModelError` for a name that two nodes give, one that nothing gives, and a cycle, naming them.
    """
    given = {tensor.name for tensor in (*graph.input, *graph.initializer)} | {tensor.values.name for tensor in graph.sparse_initializer}
    makers: dict[str, int] = {}
    for number, node in enumerate(graph.node):
        for name in filter(None, node.output):
            if name in makers or name in given:
                raise SourceModelError("two tensors have the same name", where=f"{where}: {name}", found=f"a second tensor, from {title(node)}")
            makers[name] = number
    waiting = [{makers[name] for name in _taken(node) if name in makers} for node in graph.node]
    _check_produced(graph, makers.keys() | given, where)
    return _sorted(graph, waiting, where)


def title(node: onnx.NodeProto) -> str:
    """A node's name, or its operator and outputs if it has none."""
    return node.name or f"{node.op_type} → {', '.join(node.output)}"


def _taken(node: onnx.NodeProto) -> Iterator[str]:
    """The names that a node takes, including those that its subgraphs take from the graph around them."""
    yield from filter(None, node.input)
    for branch in subgraphs(node):
        inside = {tensor.name for tensor in (*branch.input, *branch.initializer)} | {name for inner in branch.node for name in inner.output}
        yield from (name for inner in branch.node for name in _taken(inner) if name not in inside)
        yield from (output.name for output in branch.output if output.name not in inside)


def _check_produced(graph: onnx.GraphProto, produced: set[str], where: str) -> None:
    for node in graph.node:
        for name in _taken(node):
            if name not in produced:
                raise SourceModelError(
                    "a node's input is missing: nothing in the graph produces it", where=f"{where}: {title(node)}", found=repr(name)
                )
    for output in graph.output:
        if output.name not in produced:
            raise SourceModelError(
                "an output is missing: nothing in the graph produces it", where=f"{where}: {output.name}", expected="a tensor that a node returns"
            )


def _sorted(graph: onnx.GraphProto, waiting: list[set[int]], where: str) -> list[int]:
    users: list[list[int]] = [[] for _ in waiting]
    for number, needed in enumerate(waiting):
        for maker in needed:
            users[maker].append(number)
    counts = [len(needed) for needed in waiting]
    ready = [number for number, count in enumerate(counts) if count == 0]
    order: list[int] = []
    if all(maker < number for number, needed in enumerate(waiting) for maker in needed):
        return list(range(len(waiting)))
    while ready:
        number = ready.pop()
        order.append(number)
        for user in users[number]:
            counts[user] -= 1
            if counts[user] == 0:
                ready.append(user)
    stuck = [title(graph.node[number]) for number, count in enumerate(counts) if count > 0]
    if stuck:
        found = first_few(stuck, _SHOWN)
        raise SourceModelError("the graph has a cycle", where=where, expected="a graph without cycles", found=found)
    return order
