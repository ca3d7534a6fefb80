"""ONNX files that are cut off, contradict themselves, claim too much, or point to where they have no business."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from corpus.badmodels.case import Case

Change = Callable[[Any], None]
FLOAT: Final = TensorProto.FLOAT


def weights(values: Any = None, name: str = "w") -> Any:
    return numpy_helper.from_array(np.eye(3, dtype=np.float32) if values is None else np.asarray(values, np.float32), name)


def value(name: str, shape: Sequence[Any], kind: int = FLOAT) -> Any:
    return helper.make_tensor_value_info(name, kind, shape)


def model(change: Change | None = None) -> Any:
    """x [batch, 3] @ w [3, 3], then Relu, changed."""
    nodes = [helper.make_node("MatMul", ["x", "w"], ["h"], name="first"), helper.make_node("Relu", ["h"], ["y"], name="second")]
    made = helper.make_graph(nodes, "g", [value("x", ["n", 3])], [value("y", ["n", 3])], [weights()])
    result = helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    if change is not None:
        change(result)
    return result


def written(data: bytes) -> Callable[[Path], list[object]]:
    def make(folder: Path) -> list[object]:
        (folder / "m.onnx").write_bytes(data)
        return [folder / "m.onnx"]

    return make


def changed(change: Change) -> Callable[[Path], list[object]]:
    return written(model(change).SerializeToString())


def cut(share: float) -> Callable[[Path], list[object]]:
    data = model(lambda row: row.graph.initializer[0].CopyFrom(weights(np.ones((3, 3)) * 0.5))).SerializeToString()
    return written(data[: int(len(data) * share)])


def cyclic(row: Any) -> None:
    row.graph.node[0].input[0] = "y"


def node(index: int, **fields: Any) -> Change:
    def change(row: Any) -> None:
        for name, content in fields.items():
            setattr(row.graph.node[index], name, content)

    return change


def initializer(**fields: Any) -> Change:
    """Fields of the one weight; ``dims`` replaces its shape."""

    def change(row: Any) -> None:
        tensor = row.graph.initializer[0]
        for name, content in fields.items():
            if name == "dims":
                del tensor.dims[:]
                tensor.dims.extend(content)
            else:
                setattr(tensor, name, content)

    return change


def values(number: float) -> Change:
    return lambda row: row.graph.initializer[0].CopyFrom(weights([[1, 0, 0], [0, number, 0], [0, 0, 1]]))


def shape_of_input(*shape: Any) -> Change:
    def change(row: Any) -> None:
        row.graph.input[0].CopyFrom(value("x", shape))
        if shape[-1] != 3:  # weights of that many rows would be too large to write
            row.graph.node[0].CopyFrom(helper.make_node("Identity", ["x"], ["h"]))
            row.graph.output[0].CopyFrom(value("y", shape))

    return change


def huge_middle(row: Any) -> None:
    """A small input that grows beyond every memory inside."""
    row.graph.initializer.append(numpy_helper.from_array(np.array([2**20, 2**20], np.int64), "big"))
    row.graph.node[0].CopyFrom(helper.make_node("ConstantOfShape", ["big"], ["wide"], name="grow"))
    row.graph.node[1].CopyFrom(helper.make_node("ReduceSum", ["wide"], ["total"], name="sum", keepdims=0))
    row.graph.node.append(helper.make_node("Add", ["x", "total"], ["y"], name="add"))


def external(**entries: object) -> Change:
    def change(row: Any) -> None:
        tensor = TensorProto(name="w", data_type=FLOAT, dims=[3, 3], data_location=TensorProto.EXTERNAL)
        for key, content in entries.items():
            tensor.external_data.add(key=key, value=str(content))
        row.graph.initializer[0].CopyFrom(tensor)

    return change


def beside(**entries: object) -> Callable[[Path], list[object]]:
    """External weights, with a file ``w.bin`` of 36 bytes beside and one outside."""

    def make(folder: Path) -> list[object]:
        data = np.eye(3, dtype=np.float32).tobytes()
        (folder / "outside.bin").write_bytes(data)
        inside = folder / "inside"
        inside.mkdir()
        (inside / "w.bin").write_bytes(data)
        (inside / "link.bin").symlink_to(folder / "outside.bin")
        (inside / "m.onnx").write_bytes(model(external(**entries)).SerializeToString())
        return [inside / "m.onnx"]

    return make


def external_in_a_subgraph(folder: Path) -> list[object]:
    """The weights that leave the folder lie in a branch of an If."""
    (folder / "outside.bin").write_bytes(np.eye(3, dtype=np.float32).tobytes())
    inside = folder / "inside"
    inside.mkdir()

    def change(row: Any) -> None:
        tensor = TensorProto(name="v", data_type=FLOAT, dims=[3, 3], data_location=TensorProto.EXTERNAL)
        tensor.external_data.add(key="location", value="../outside.bin")
        branch = helper.make_graph([helper.make_node("MatMul", ["x", "v"], ["b"])], "b", [], [value("b", ["n", 3])], [tensor])
        row.graph.initializer.append(numpy_helper.from_array(np.array(True), "yes"))
        row.graph.node[0].CopyFrom(helper.make_node("If", ["yes"], ["h"], then_branch=branch, else_branch=branch))

    (inside / "m.onnx").write_bytes(model(change).SerializeToString())
    return [inside / "m.onnx"]


def twice(row: Any) -> None:
    row.graph.initializer.append(weights())


def two_nodes_one_name(row: Any) -> None:
    row.graph.node.append(helper.make_node("Neg", ["x"], ["y"]))


def sequence_output(row: Any) -> None:
    row.graph.node[1].CopyFrom(helper.make_node("SplitToSequence", ["h"], ["y"]))
    row.graph.output[0].CopyFrom(helper.make_tensor_sequence_value_info("y", FLOAT, None))


def optional_input(row: Any) -> None:
    kind = helper.make_optional_type_proto(helper.make_tensor_type_proto(FLOAT, [None, 3]))
    row.graph.input[0].CopyFrom(helper.make_value_info("x", kind))
    row.graph.node[0].CopyFrom(helper.make_node("OptionalGetElement", ["x"], ["h"]))


def typed(kind: int) -> Change:
    def change(row: Any) -> None:
        row.graph.input[0].CopyFrom(value("x", ["n", 3], kind))
        row.graph.node[0].CopyFrom(helper.make_node("Cast", ["x"], ["h"], to=FLOAT))

    return change


def unknown_domain(row: Any) -> None:
    row.opset_import.append(helper.make_opsetid("com.example", 1))
    node(1, op_type="Sharpen", domain="com.example")(row)


def unknown_type(row: Any) -> None:
    """Words as onnxruntime's tokenizer gives them, whose type onnx doesn't know; its rule for LabelEncoder reads it all the same."""
    words = helper.make_node("Tokenizer", ["x"], ["h"], domain="com.microsoft", mark=0, mincharnum=1, pad_value="#", tokenexp="[a-z]+")
    numbers = helper.make_node("LabelEncoder", ["h"], ["y"], domain="ai.onnx.ml", keys_strings=["a"], values_int64s=[0])
    row.graph.CopyFrom(helper.make_graph([words, numbers], "g", [value("x", ["n"], TensorProto.STRING)], [value("y", ["n", "k"], TensorProto.INT64)]))
    row.opset_import.extend([helper.make_opsetid("ai.onnx.ml", 4), helper.make_opsetid("com.microsoft", 1)])


def opset(version: int) -> Change:
    def change(row: Any) -> None:
        row.opset_import[0].version = version

    return change


def recursion(folder: Path) -> list[object]:
    """Subgraphs in subgraphs, 3,000 deep: a parser that follows them runs out of stack."""
    data = b""
    for _ in range(3000):
        for field in (b"\x32", b"\x2a", b"\x0a"):  # AttributeProto.g, NodeProto.attribute, GraphProto.node
            data = field + _varint(len(data)) + data
    return written(b"\x08\x0a\x3a" + _varint(len(data)) + data)(folder)


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def no_nodes(row: Any) -> None:
    del row.graph.node[:]


def never_made(row: Any) -> None:
    row.graph.output.append(value("z", ["n", 3]))


CASES: Final[dict[str, Case]] = {
    "cut off after a byte": Case(make=written(b"\x08\x0a"), said=("m.onnx: no graph", "at least one node")),
    "cut off after a quarter": Case(make=cut(0.25), said=("m.onnx", "expected a complete ONNX file")),
    "cut off in the middle": Case(make=cut(0.5), said=("m.onnx", "expected a complete ONNX file")),
    "cut off before its end": Case(make=cut(0.95), said=("m.onnx", "expected a complete ONNX file")),
    "random bytes after the first": Case(
        make=written(b"\x08\x0a" + np.random.default_rng(0).bytes(5000)), said=("m.onnx", "expected a complete ONNX file")
    ),
    "no nodes": Case(make=changed(no_nodes), said=("no graph", "at least one node")),
    "a cycle": Case(make=changed(cyclic), said=("m.onnx", "a cycle", "first, second")),
    "an unknown operator": Case(
        make=changed(node(1, op_type="Sharpen")), said=("m.onnx: operators that neither", "Sharpen of opset 18 (node second)", "Export the model")
    ),
    "an unknown domain": Case(make=changed(unknown_domain), said=("m.onnx: operators", "Sharpen of com.example (node second)")),
    "a NaN weight": Case(make=changed(values(np.nan)), said=("w: a weight is NaN or infinite", "1 of 9 values", "the first at [1, 1]")),
    "an infinite weight": Case(make=changed(values(np.inf)), said=("w: a weight is NaN or infinite", "1 of 9 values")),
    "a weight with too few bytes": Case(make=changed(initializer(raw_data=bytes(16))), said=("m.onnx: w", "36 bytes", "16")),
    "a weight with too many bytes": Case(make=changed(initializer(raw_data=bytes(64))), said=("m.onnx: w", "36 bytes", "64")),
    "a weight with another shape than its user's": Case(make=changed(initializer(dims=[9])), said=("m.onnx",)),
    "a weight of 2^31 rows": Case(make=changed(initializer(dims=[2**31, 3])), said=("m.onnx: w", "2147483648")),
    "a weight of 2^62 rows": Case(make=changed(initializer(dims=[2**62, 2**62])), said=("m.onnx: w", "4611686018427387904")),
    "a weight of -3 rows": Case(make=changed(initializer(dims=[-3, 3])), said=("m.onnx: w", "-3")),
    "an input of 2^31 columns": Case(make=changed(shape_of_input("n", 2**31)), said=("x: a tensor has an impossible size", "2147483648")),
    "an input of 2^62 columns": Case(make=changed(shape_of_input(1, 2**62)), said=("x: a tensor has an impossible size", "4611686018427387904")),
    "an input of -3 columns": Case(make=changed(shape_of_input("n", -3)), said=("x: a tensor has an impossible size", "-3")),
    "something huge inside": Case(make=changed(huge_middle), said=("wide: a tensor has an impossible size", "1048576")),
    "external weights outside the folder": Case(make=beside(location="../outside.bin"), said=("m.onnx: w", "outside the model's folder")),
    "external weights behind a symlink": Case(make=beside(location="link.bin"), said=("m.onnx: w", "outside the model's folder")),
    "external weights at an absolute path": Case(make=beside(location="/etc/hostname"), said=("m.onnx: w", "outside the model's folder")),
    "external weights in a device": Case(make=beside(location="/dev/zero"), said=("m.onnx: w", "outside the model's folder")),
    "external weights that are missing": Case(make=beside(location="no.bin"), said=("m.onnx: w", "missing", "no.bin")),
    "external weights without a place": Case(make=beside(), said=("m.onnx: w", "external weights")),
    "external weights outside, in a subgraph": Case(make=external_in_a_subgraph, said=("m.onnx: v", "outside the model's folder")),
    "an offset beyond the file": Case(make=beside(location="w.bin", offset=2**20, length=36), said=("m.onnx: w", "w.bin", "1048576")),
    "a length beyond the file": Case(make=beside(location="w.bin", offset=0, length=2**40), said=("m.onnx: w", "36 bytes", "1099511627776")),
    "a length that is not the shape's": Case(make=beside(location="w.bin", offset=0, length=16), said=("m.onnx: w", "36 bytes", "16")),
    "an offset that is no number": Case(make=beside(location="w.bin", offset="x", length=36), said=("m.onnx: w", "'x'")),
    "a negative offset": Case(make=beside(location="w.bin", offset=-4, length=36), said=("m.onnx: w", "-4")),
    "two weights of one name": Case(make=changed(twice), said=("m.onnx", "w")),
    "two nodes that give one name": Case(make=changed(two_nodes_one_name), said=("m.onnx", "y")),
    "an output that nothing gives": Case(make=changed(never_made), said=("m.onnx", "z")),
    "an input that nothing gives": Case(make=changed(lambda row: row.graph.node[0].input.__setitem__(0, "ghost")), said=("m.onnx", "ghost")),
    "a sequence as output": Case(make=changed(sequence_output), said=("y: inputs and outputs must be tensors", "found a sequence")),
    "an optional input": Case(make=changed(optional_input), said=("x: inputs and outputs must be tensors", "found an optional value")),
    "a bfloat16 input": Case(make=changed(typed(TensorProto.BFLOAT16)), said=("x: an element type", "float32", "found bfloat16")),
    "an input too large for one request": Case(make=changed(shape_of_input("n", 2**29)), said=("x: an input is too large", "at most 1 GiB")),
    "an operator set of the future": Case(make=changed(opset(99)), said=("operator set is not supported", "found 99")),
    "an operator set before the first": Case(make=changed(opset(0)), said=("operator set is not supported", "found 0")),
    "a label behind an operator whose type onnx can't know": Case(
        make=changed(unknown_type), said=("m.onnx: onnx crashes when it reads the file", "Tokenizer of com.microsoft", "whose shapes onnx can infer")
    ),
    "subgraphs 3,000 deep": Case(make=recursion, said=("m.onnx", "expected a complete ONNX file")),
}
