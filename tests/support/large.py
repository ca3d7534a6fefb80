"""ONNX models whose weights lie in files, written without ever being held: of any size, from a seed."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from onnx import TensorProto, helper

#: Rows of a matrix that are made at a time.
_CHUNK_ROWS: Final = 1024


def chain(folder: Path, widths: Sequence[int], *, seed: int = 0) -> Path:
    """``folder/model.onnx``: x[batch, widths[0]] times a matrix, plus a bias, a tanh, and so on; float32, with ``weights.bin`` beside it.

    Matrices alternate between MatMul and Gemm with a transposed one, as exporters write them.
    """
    random, initializers, nodes = np.random.default_rng(seed), [], []
    with (folder / "weights.bin").open("wb") as file:
        for at, (taken, given) in enumerate(itertools.pairwise(widths)):
            shape = (given, taken) if at % 2 else (taken, given)
            initializers.append(_external(f"w{at}", shape, file.tell()))
            for start in range(0, shape[0], _CHUNK_ROWS):
                part = random.standard_normal((min(_CHUNK_ROWS, shape[0] - start), shape[1]), dtype=np.float32)
                file.write((part / np.float32(np.sqrt(taken))).tobytes())
            initializers.append(onnx.numpy_helper.from_array(random.standard_normal(given, dtype=np.float32), f"b{at}"))
            nodes += _layer(at)
    shapes = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", size]) for name, size in (("x", widths[0]), ("y", widths[-1]))]
    nodes.append(helper.make_node("Identity", [f"h{len(widths) - 1}"], ["y"]))
    graph = helper.make_graph(nodes, "chain", shapes[:1], shapes[1:], initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    return folder / "model.onnx"


def answer(folder: Path, widths: Sequence[int], x: Any) -> Any:
    """What `chain` computes, by numpy from the file of weights."""
    initializers = {tensor.name: tensor for tensor in onnx.load(folder / "model.onnx", load_external_data=False).graph.initializer}
    for at in range(len(widths) - 1):
        tensor = initializers[f"w{at}"]
        offset = int(next(entry.value for entry in tensor.external_data if entry.key == "offset"))
        matrix = np.memmap(folder / "weights.bin", np.float32, mode="r", offset=offset, shape=tuple(tensor.dims))
        x = np.tanh(x @ (matrix.T if at % 2 else matrix) + onnx.numpy_helper.to_array(initializers[f"b{at}"]))
    return x


def rows(path: Path, width: int, count: int) -> Path:
    """Random rows for `chain`."""
    np.savez(path, x=np.random.default_rng(1).standard_normal((count, width), dtype=np.float32))
    return path


def _external(name: str, shape: tuple[int, int], offset: int) -> Any:
    tensor = TensorProto(name=name, dims=shape, data_type=TensorProto.FLOAT, data_location=TensorProto.EXTERNAL)
    for key, value in (("location", "weights.bin"), ("offset", str(offset)), ("length", str(4 * shape[0] * shape[1]))):
        tensor.external_data.add(key=key, value=value)
    return tensor


def _layer(at: int) -> list[Any]:
    last = [helper.make_node("Tanh", [f"a{at}"], [f"h{at + 1}"])]
    taken = f"h{at}" if at else "x"
    if at % 2:
        return [helper.make_node("Gemm", [taken, f"w{at}", f"b{at}"], [f"a{at}"], transB=1), *last]
    return [helper.make_node("MatMul", [taken, f"w{at}"], [f"m{at}"]), helper.make_node("Add", [f"m{at}", f"b{at}"], [f"a{at}"]), *last]
