"""Makes the tiny ONNX files under tests/corpus/models. Run once, by hand: `python tests/support/make_models.py`; needs onnx.

The tests use the committed files, so that they run without onnx.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

CORPUS = Path(__file__).parent.parent / "corpus" / "models"
OPSET = 20
FLOAT, INT64, TEXT = TensorProto.FLOAT, TensorProto.INT64, TensorProto.STRING


def build(name: str, nodes: list[Any], inputs: list[Any], outputs: list[Any], weights: dict[str, Any], *, ml: bool = False) -> onnx.ModelProto:
    initializers = [numpy_helper.from_array(value, key) for key, value in weights.items()]
    graph = helper.make_graph(nodes, name, inputs, outputs, initializers)
    opsets = [helper.make_opsetid("", OPSET)] + ([helper.make_opsetid("ai.onnx.ml", 4)] if ml else [])
    model = helper.make_model(graph, opset_imports=opsets, producer_name="sealift-tests")
    model.ir_version = 9
    onnx.checker.check_model(model)
    return model


def tensor(name: str, element_type: int, shape: list[int | str]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, element_type, shape)


def weights_of(seed: int, *shape: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def linear() -> onnx.ModelProto:
    """Softmax regression: float32 [batch, 4] to probabilities [batch, 3] and a label."""
    nodes = [
        helper.make_node("Gemm", ["x", "weight", "bias"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["scores"], axis=1),
        helper.make_node("ArgMax", ["scores"], ["label"], axis=1, keepdims=0),
    ]
    outputs = [tensor("scores", FLOAT, ["batch", 3]), tensor("label", INT64, ["batch"])]
    weights = {"weight": weights_of(1, 4, 3), "bias": weights_of(2, 3)}
    return build("linear", nodes, [tensor("x", FLOAT, ["batch", 4])], outputs, weights)


def logarithm() -> onnx.ModelProto:
    """A model that gives NaN for a negative number and -inf for zero."""
    nodes = [helper.make_node("Log", ["x"], ["y"])]
    return build("logarithm", nodes, [tensor("x", FLOAT, ["batch", 2])], [tensor("y", FLOAT, ["batch", 2])], {})


def text() -> onnx.ModelProto:
    """Text in, text and a code out."""
    words: Any = ["red", "green", "größe"]
    keys = numpy_helper.from_array(np.array(words, dtype=object), "keys")
    values = helper.make_tensor("values", INT64, [3], [1, 2, 3])
    default = helper.make_tensor("default", INT64, [1], [-1])
    nodes = [
        helper.make_node("LabelEncoder", ["word"], ["code"], domain="ai.onnx.ml", keys_tensor=keys, values_tensor=values, default_tensor=default),
        helper.make_node("StringConcat", ["word", "mark"], ["echo"]),
    ]
    outputs = [tensor("code", INT64, ["batch"]), tensor("echo", TEXT, ["batch"])]
    return build("text", nodes, [tensor("word", TEXT, ["batch"])], outputs, {"mark": np.array(["!"], dtype=object)}, ml=True)


def pair() -> onnx.ModelProto:
    """Two inputs that share the symbol `batch`; the output is their scaled sum, of rank 3."""
    nodes = [
        helper.make_node("Add", ["left", "right"], ["sum"]),
        helper.make_node("Mul", ["sum", "scale"], ["total"]),
    ]
    inputs = [tensor("left", FLOAT, ["batch", 2, 2]), tensor("right", FLOAT, ["batch", 2, 2])]
    return build("pair", nodes, inputs, [tensor("total", FLOAT, ["batch", 2, 2])], {"scale": np.array([2], dtype=np.float32)})


def slow() -> onnx.ModelProto:
    """A product repeated `rounds` times: how long a request takes is the caller's choice."""
    body = helper.make_graph(
        [
            helper.make_node("MatMul", ["state", "turn"], ["product"]),
            helper.make_node("Tanh", ["product"], ["next"]),
            helper.make_node("Identity", ["going"], ["still"]),
        ],
        "body",
        [tensor("i", INT64, []), tensor("going", TensorProto.BOOL, []), tensor("state", FLOAT, ["batch", 4])],
        [tensor("still", TensorProto.BOOL, []), tensor("next", FLOAT, ["batch", 4])],
    )
    nodes = [
        helper.make_node("Squeeze", ["rounds"], ["count"]),
        helper.make_node("Loop", ["count", "", "x"], ["y"], body=body),
    ]
    inputs = [tensor("x", FLOAT, ["batch", 4]), tensor("rounds", INT64, [1])]
    return build("slow", nodes, inputs, [tensor("y", FLOAT, ["batch", 4])], {"turn": weights_of(3, 4, 4)})


def hungry() -> onnx.ModelProto:
    """Fills `size` float32 numbers and sums them: how much memory a request takes is the caller's choice."""
    value = helper.make_tensor("value", FLOAT, [1], [1.0])
    nodes = [
        helper.make_node("ConstantOfShape", ["size"], ["ones"], value=value),
        helper.make_node("Tanh", ["ones"], ["squeezed"]),
        helper.make_node("ReduceMean", ["squeezed"], ["mean"], keepdims=1),
    ]
    return build("hungry", nodes, [tensor("size", INT64, [1])], [tensor("mean", FLOAT, [1])], {})


def sharded(folder: Path) -> None:
    """Two layers whose weights lie outside the graph, each in a shard of its own."""
    nodes = [
        helper.make_node("MatMul", ["x", "first"], ["wide"]),
        helper.make_node("Relu", ["wide"], ["positive"]),
        helper.make_node("MatMul", ["positive", "second"], ["y"]),
    ]
    weights = {"first": weights_of(4, 4, 256), "second": weights_of(5, 256, 3)}
    model = build("sharded", nodes, [tensor("x", FLOAT, ["batch", 4])], [tensor("y", FLOAT, ["batch", 3])], weights)
    (folder / "weights").mkdir(parents=True, exist_ok=True)
    for number, initializer in enumerate(model.graph.initializer):
        location = f"weights/{number:05d}.bin"
        data = initializer.raw_data
        (folder / location).write_bytes(data)
        onnx.external_data_helper.set_external_data(initializer, location, offset=0, length=len(data))
        initializer.ClearField("raw_data")
        initializer.data_location = TensorProto.EXTERNAL
    (folder / "model.onnx").write_bytes(model.SerializeToString(deterministic=True))


def main() -> None:
    for make in (linear, logarithm, text, pair, slow, hungry):
        folder = CORPUS / make.__name__
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "model.onnx").write_bytes(make().SerializeToString(deterministic=True))
    sharded(CORPUS / "sharded")


if __name__ == "__main__":
    main()
