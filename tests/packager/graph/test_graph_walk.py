"""The walk over a graph's bytes and onnx agree: on real graphs, on models of all kinds, and on what is left of them when bytes are changed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import AttributeProto, GraphProto, NodeProto, TensorProto, helper, numpy_helper

from sealift_core.bundle import files
from sealift_core.errors import SealiftError
from sealift_core.verify import operators
from sealift_core.verify.graph import check_bundle_graph, check_graph
from sealift_core.verify.onnx_messages import MODEL
from sealift_core.verify.protobuf import MessageTable
from sealift_packager.graph.walk import all_nodes, all_tensors
from sealift_packager.graph.weights import write_model
from support.hostile_graphs import hostile_graphs, number, part, varint
from support.models import CORPUS

#: Fields that are older than the onnx that is installed, and that files may still have.
_OLD = {"FunctionProto": {2, 3}}


def tables(message: MessageTable, seen: dict[str, MessageTable]) -> dict[str, MessageTable]:
    if id(message) not in {id(other) for other in seen.values()}:
        seen[f"{message.name}{len(seen)}"] = message
        for field in message.fields.values():
            if field.message is not None:
                tables(field.message, seen)
    return seen


@pytest.mark.parametrize("table", tables(MODEL, {}).values(), ids=lambda table: table.name)
def test_the_tables_have_the_fields_that_onnx_has(table: MessageTable) -> None:
    name = table.name if table.name != "metadata_props" else "StringStringEntryProto"
    declared = {field.number: field for field in getattr(onnx, name).DESCRIPTOR.fields}
    ours = {field.number: field for field in table.fields.values()}
    assert set(ours) - _OLD.get(name, set()) == set(declared)
    for tag, field in declared.items():
        assert ours[tag].many == field.is_repeated, f"{name}.{field.name}"
        walked = ours[tag].message
        inner = field.message_type.name if field.message_type else ""
        holds = {"GraphProto", "NodeProto", "AttributeProto", "TensorProto", "SparseTensorProto", "FunctionProto", "TrainingInfoProto"}
        assert (walked.name if walked else "") == inner or inner not in holds, f"{name}.{field.name}"


def test_no_other_message_of_onnx_can_hold_a_graph_or_a_tensor() -> None:
    walked = {table.name for table in tables(MODEL, {}).values()}
    holders = {"GraphProto", "NodeProto", "AttributeProto", "TensorProto", "SparseTensorProto", "FunctionProto", "TrainingInfoProto"}
    for name, message in onnx.ModelProto.DESCRIPTOR.file.message_types_by_name.items():
        inner = {field.message_type.name for field in message.fields if field.message_type}
        assert name in walked or not inner & holders, name


def everything() -> onnx.ModelProto:
    """A model with something in every place: branches, functions, sparse weights, training, all kinds of attributes."""
    x, y, z = (helper.make_tensor_value_info(name, 1, None) for name in "xyz")
    branch = helper.make_graph([helper.make_node("Identity", ["x"], ["z"])], "b", [], [z], [floats("inner")])
    sparse = helper.make_sparse_tensor(floats("v"), helper.make_tensor("i", TensorProto.INT64, [4], [0, 1, 2, 3]), [9])
    tree: dict[str, Any] = {"nodes_values": [1.5] * 300, "nodes_featureids": list(range(300)), "nodes_modes": ["LEAF"] * 300, "n_targets": 1}
    nodes = [
        helper.make_node("If", ["c"], ["y"], then_branch=branch, else_branch=branch),
        helper.make_node("Constant", [], ["k"], value=floats("k")),
        helper.make_node("Constant", [], ["s"], sparse_value=sparse),
        helper.make_node("TreeEnsembleRegressor", ["x"], ["t"], domain="ai.onnx.ml", post_transform="NONE", **tree),
        helper.make_node("Local", ["x"], ["l"], domain="mine"),
        helper.make_node("FusedMatMul", ["x", "x"], ["f"], domain="com.microsoft", alpha=0.5),
    ]
    weights = [
        floats("w"),
        numpy_helper.from_array(np.array(["a", "b" * 200], object), "words"),
        helper.make_tensor("d", TensorProto.DOUBLE, [2], [1.0, 2.0]),
        helper.make_tensor("u", TensorProto.UINT64, [2], [1, 2**63]),
        helper.make_tensor("n", TensorProto.INT64, [2], [-1, 5]),
    ]
    inner = helper.make_graph(nodes, "g", [x], [y], weights, sparse_initializer=[sparse])
    local = helper.make_function("mine", "Local", ["x"], ["y"], [helper.make_node("Identity", ["x"], ["y"])], [helper.make_opsetid("", 18)])
    model = helper.make_model(inner, functions=[local], opset_imports=[helper.make_opsetid("", 18), helper.make_opsetid("mine", 1)])
    model.training_info.add().initialization.CopyFrom(branch)
    helper.set_model_props(model, {"author": "we"})
    return model


def floats(name: str) -> TensorProto:
    return helper.make_tensor(name, TensorProto.FLOAT, [4], [1.0, 2.0, 3.0, 4.0])


def test_a_model_with_something_in_every_place_is_accepted() -> None:
    check_graph(everything().SerializeToString(), {}, where="m")


def every_tensor(message: Any) -> Iterator[TensorProto]:
    """Every tensor by the descriptors, so that no place is forgotten."""
    for field, value in message.ListFields():
        if field.message_type:
            for part in value if field.is_repeated else [value]:
                if isinstance(part, TensorProto):
                    yield part
                yield from every_tensor(part)


def test_a_tensor_in_a_file_is_refused_in_every_place_but_one() -> None:
    count = len(list(every_tensor(everything())))
    assert count > 12
    refused = []
    for place in range(count):
        model = everything()
        tensor = list(every_tensor(model))[place]
        values = TensorProto(name=tensor.name, dims=tensor.dims, data_type=tensor.data_type, data_location=TensorProto.EXTERNAL)
        for key, value in (("location", "weights/00000.bin"), ("length", "16")):
            values.external_data.add(key=key, value=value)
        tensor.CopyFrom(values)
        try:
            check_graph(model.SerializeToString(), {"weights/00000.bin": 100}, where="m")
        except SealiftError:
            refused.append(place)
    assert count - len(refused) == len(everything().graph.initializer)


def test_every_form_in_which_numbers_are_written_is_read() -> None:
    """Exporters pack repeated numbers or don't, whatever the schema says."""
    packed = everything()
    attributes = [attribute for node in packed.graph.node for attribute in node.attribute]
    attribute = next(attribute for attribute in attributes if attribute.name == "nodes_featureids")
    plain = attribute.SerializeToString()
    bare = AttributeProto(name=attribute.name, type=attribute.type).SerializeToString() + part(8, b"".join(map(varint, attribute.ints)))
    assert AttributeProto.FromString(bare) == attribute
    node = NodeProto(op_type="TreeEnsembleRegressor", domain="ai.onnx.ml", output=["t"]).SerializeToString()
    for form in (plain, bare):
        inner = GraphProto(name="g").SerializeToString() + part(1, node + part(5, form))
        check_graph(number(1, 8) + part(7, inner), {}, where="m")


def test_what_the_packager_writes_is_accepted_inside_and_in_shards(tmp_path: Path) -> None:
    model = onnx.load(CORPUS / "linear" / "model.onnx")
    large = np.zeros((800, 800), np.float32)
    model.graph.initializer.append(numpy_helper.from_array(large, "large"))
    write_model(model, tmp_path)
    check_bundle_graph(tmp_path)
    assert not (tmp_path / "weights").exists()
    (tmp_path / "sharded").mkdir()
    model.graph.initializer.append(numpy_helper.from_array(large, "larger"))
    model.graph.initializer[0].external_data.add(key="location", value="left over from its source")
    write_model(model, tmp_path / "sharded")
    check_bundle_graph(tmp_path / "sharded")
    assert files.weight_sizes(tmp_path / "sharded")


def test_fields_of_a_newer_onnx_are_left_out_when_a_bundle_is_written(tmp_path: Path) -> None:
    model = onnx.ModelProto.FromString((CORPUS / "linear" / "model.onnx").read_bytes() + b"\xba\x06\x03new")
    with pytest.raises(SealiftError, match="number 103"):
        check_graph(model.SerializeToString(), {}, where="m")
    write_model(model, tmp_path)
    check_bundle_graph(tmp_path)


def agrees(data: bytes) -> None:
    """What the walk accepts, onnx reads as the walk did: nothing outside, no other operators, and not a field that onnx doesn't know."""
    try:
        check_graph(data, {}, where="m")
    except SealiftError:
        return
    try:
        model = onnx.ModelProto.FromString(data)
    except Exception:  # noqa: BLE001  (protobuf's errors have no common base; what it can't read, nobody runs)
        return
    functions = {(function.domain, function.name) for function in model.functions}
    for node in all_nodes(model):
        assert (node.domain, node.op_type) in functions or operators.is_allowed(node.domain, node.op_type)
        assert node.op_type != "EPContext"
    for tensor in (*all_tensors(model), *every_tensor(model)):
        assert tensor.data_location == TensorProto.DEFAULT
        assert not tensor.external_data
    assert all(entry.key != "ort_config" for entry in model.metadata_props)


WHOLE = everything().SerializeToString(deterministic=True)
PIECES = [b"\x70\x01", b"\x6a\x00", b"\x3a", b"\x22\x09EPContext"]
HOSTILE = [graph.data for graph in hostile_graphs().values() if len(graph.data) < 2000]


@settings(max_examples=400)
@given(st.data())
def test_changed_bytes_are_read_the_same_or_refused(data: st.DataObject) -> None:
    whole = bytearray(data.draw(st.sampled_from([WHOLE, *HOSTILE])))
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(whole) - 1))
        size = data.draw(st.integers(0, 2))
        whole[at : at + size] = data.draw(st.one_of(st.binary(max_size=3), st.sampled_from(PIECES)))
    agrees(bytes(whole))


@settings(max_examples=200)
@given(st.sampled_from([WHOLE, *HOSTILE]), st.sampled_from([WHOLE, *HOSTILE]), st.integers(0, 4000), st.integers(0, 4000))
def test_two_graphs_in_one_file_are_read_the_same_or_refused(one: bytes, other: bytes, cut: int, start: int) -> None:
    agrees(one[:cut] + other[start:])
    agrees(one + other)
