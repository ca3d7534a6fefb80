"""Small changes that several quantizers make to a graph, in place. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sealift_packager.convert import graph


def drop_unused_weights(model: Any) -> None:
    """Initializers that no node of the graph or of a graph inside it takes, go."""
    used = {*_names(model.graph), *(row.name for row in model.graph.output)}
    kept = [graph.copy_of(row) for row in model.graph.initializer if row.name in used]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)


def _names(part: Any) -> Iterator[str]:
    for node in part.node:
        yield from node.input
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from _names(inner)


def insert_before(model: Any, added: Mapping[str, Sequence[Any]]) -> None:
    """Put nodes before others, which are given by name."""
    nodes = [graph.copy_of(node) for node in model.graph.node]
    del model.graph.node[:]
    for node in nodes:
        model.graph.node.extend([*added.get(node.name, ()), node])
