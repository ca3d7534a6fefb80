"""The parts of an ONNX model, subgraphs and functions included. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any


def subgraphs(node: Any) -> Iterator[Any]:
    """The graphs in a node's attributes."""
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def all_graphs(model: Any) -> Iterator[Any]:
    """The graph, then the branches and bodies in it, however deep; those of functions last."""
    waiting = [model.graph]
    while waiting:
        graph = waiting.pop()
        yield graph
        waiting.extend(branch for node in graph.node for branch in subgraphs(node))
    for function in model.functions:
        for node in function.node:
            yield from (graph for branch in subgraphs(node) for graph in _within(branch))
        for default in function.attribute_proto:
            yield from (graph for branch in (*([default.g] if default.HasField("g") else ()), *default.graphs) for graph in _within(branch))


def _within(graph: Any) -> Iterator[Any]:
    yield graph
    for node in graph.node:
        yield from (inner for branch in subgraphs(node) for inner in _within(branch))


def all_nodes(model: Any) -> Iterator[Any]:
    """Every node."""
    for graph in all_graphs(model):
        yield from graph.node
    for function in model.functions:
        yield from function.node


def all_tensors(model: Any) -> Iterator[Any]:
    """Every tensor: initializers, and those in attributes and in their defaults."""
    for graph in all_graphs(model):
        yield from graph.initializer
        for row in graph.sparse_initializer:
            yield from (row.values, row.indices)
    for node in all_nodes(model):
        yield from _in_attributes(node.attribute)
    for function in model.functions:
        yield from _in_attributes(function.attribute_proto)


def _in_attributes(attributes: Iterable[Any]) -> Iterator[Any]:
    for attribute in attributes:
        if attribute.HasField("t"):
            yield attribute.t
        yield from attribute.tensors
        for sparse in (*([attribute.sparse_tensor] if attribute.HasField("sparse_tensor") else ()), *attribute.sparse_tensors):
            yield from (sparse.values, sparse.indices)
