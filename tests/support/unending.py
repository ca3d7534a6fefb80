"""Models that don't end, or want all memory: ONNX loops, TorchScript, an exported program."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper

from support import graphs

#: As many trips as an ONNX Loop may have.
FOREVER = 2**31 - 1


def loop(path: Path, *, trips: int | None) -> Path:
    """A Loop that adds one to its input so many times or, for None, as often as the largest number of the input says."""
    pair = ["n", 2]
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["still"]), helper.make_node("Add", ["sum", "one"], ["more"])],
        "body",
        [graphs.value("i", [], TensorProto.INT64), graphs.value("go", [], TensorProto.BOOL), graphs.value("sum", pair)],
        [graphs.value("still", [], TensorProto.BOOL), graphs.value("more", pair)],
        [graphs.constant("one", np.ones((1, 2), np.float32))],
    )
    counting = [
        helper.make_node("ReduceMax", ["x"], ["largest"], keepdims=0),
        helper.make_node("Cast", ["largest"], ["trips"], to=TensorProto.INT64),
    ]
    initializers = [graphs.constant("always", np.array(True)), *([graphs.constant("trips", np.array(trips))] if trips is not None else [])]
    nodes = [*(counting if trips is None else []), helper.make_node("Loop", ["trips", "always", "x"], ["y"], body=body)]
    onnx.save(graphs.model(nodes, [graphs.value("x", pair)], [graphs.value("y", pair)], initializers, opset=17), path)
    return path


def rows(path: Path, *, huge: int) -> Path:
    """Forty rows of ones, the last ``huge`` of which are as large as a loop is to be long."""
    x = np.ones((40, 2), np.float32)
    x[len(x) - huge :] = FOREVER - 1000
    np.savez(path, x=x, target=np.zeros(len(x)))
    return path


def greedy(path: Path, *, side: int) -> Path:
    """A graph of a few bytes that makes a square of float32 of its input, side² of them; that its sides are so long depends on the input."""
    nodes = [
        helper.make_node("ReduceMax", ["x"], ["one"], keepdims=1),
        helper.make_node("Cast", ["one"], ["whole"], to=TensorProto.INT64),
        helper.make_node("Reshape", ["whole", "list"], ["ones"]),
        helper.make_node("Sub", ["ones", "ones"], ["none"]),
        helper.make_node("Add", ["none", "column"], ["height"]),
        helper.make_node("Add", ["none", "row"], ["width"]),
        helper.make_node("Expand", ["one", "height"], ["left"]),
        helper.make_node("Expand", ["one", "width"], ["right"]),
        helper.make_node("MatMul", ["left", "right"], ["square"]),
        helper.make_node("ReduceSum", ["square"], ["sum"], keepdims=0),
        helper.make_node("Add", ["x", "sum"], ["y"]),
    ]
    initializers = [
        graphs.constant("list", np.array([1])),
        graphs.constant("column", np.array([side, 1])),
        graphs.constant("row", np.array([1, side])),
    ]
    onnx.save(graphs.model(nodes, [graphs.value("x", ["n", 2])], [graphs.value("y", ["n", 2])], initializers, opset=17), path)
    return path


class _While(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        count = 0
        while bool((x.sum() * 0 == 0).item()):
            count += 1
        return x + count


def script(path: Path) -> Path:
    """TorchScript with a while whose condition stays true."""
    torch.jit.save(torch.jit.script(_While()), str(path))
    return path


class _WhileLoop(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        start = (torch.zeros((), dtype=torch.int64), x)
        results: tuple[torch.Tensor, ...] = torch._higher_order_ops.while_loop(lambda _, y: y.sum() * 0 == 0, lambda i, y: (i + 1, y + 1), start)  # type: ignore[no-untyped-call]  # not typed
        done: torch.Tensor = results[1]
        return done


def program(path: Path) -> Path:
    """An exported program with a while_loop whose condition stays true."""
    torch.export.save(torch.export.export(_WhileLoop(), (torch.ones(3, 2),), dynamic_shapes={"x": {0: torch.export.Dim("rows")}}), path)
    return path
