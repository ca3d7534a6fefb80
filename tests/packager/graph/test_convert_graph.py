"""Graphs in one tidy form."""

from __future__ import annotations

import onnx
import pytest
from onnx import TensorProto, helper

from sealift_packager.errors import ConversionError
from sealift_packager.frameworks.converters import convert_model
from sealift_packager.frameworks.loaders import load_model
from sealift_packager.graph import graph
from sealift_packager.graph.walk import all_graphs
from sealift_packager.model.source import LoadOptions
from support import trained


def model(opset: int = 18) -> onnx.ModelProto:
    made = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["h"], doc_string="/home/somebody/model.py"), helper.make_node("Neg", ["h"], ["y"])],
        "made at home",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["s40", "s7"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["s40", None])],
        value_info=[helper.make_tensor_value_info("h", TensorProto.FLOAT, [3, 3])],
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", opset), helper.make_opsetid("", opset)], ir_version=12, producer_name="p")


def test_free_dimensions_get_names_that_do_not_depend_on_the_exporter() -> None:
    tidy = graph.tidy(model())
    assert graph.input_specs(tidy)[0].shape == ("batch", "x_1")
    assert graph.output_specs(tidy)[0].shape == ("batch", "y_1")


def test_stale_shapes_paths_and_double_imports_go() -> None:
    tidy = graph.tidy(model())
    assert b"somebody" not in tidy.SerializeToString()
    assert [opset.version for opset in tidy.opset_import] == [18]
    assert tidy.ir_version == 10
    assert [value_info.type.tensor_type.shape.dim[0].dim_param for value_info in tidy.graph.value_info] == ["batch"]


def test_an_operator_set_that_is_too_new_or_too_old_is_brought_to_one_that_devices_run() -> None:
    assert [graph.opset_of(graph.at_known_opset(model(opset), where="m.onnx")) for opset in (8, 11, 18, 21, 22)] == [18, 18, 18, 21, 21]


def test_a_graph_that_can_t_be_rewritten_is_refused_by_its_operator_set() -> None:
    odd = model(8)
    odd.graph.node.append(helper.make_node("Upsample", ["x", "x"], ["z"], mode="cubic"))
    with pytest.raises(ConversionError, match="opset 9 to 21, found 8"):
        graph.at_known_opset(odd, where="m.onnx")


def test_doc_strings_and_stale_shapes_in_branches_go_too() -> None:
    branch = helper.make_graph(
        [helper.make_node("Neg", ["x"], ["b"], doc_string="/home/somebody/branch.py")],
        "branch",
        [],
        [helper.make_tensor_value_info("b", TensorProto.FLOAT, None)],
        doc_string="/home/somebody",
        value_info=[helper.make_tensor_value_info("b", TensorProto.FLOAT, [3, 3])],
    )
    branching = model()
    branching.graph.node[1].CopyFrom(helper.make_node("If", ["yes"], ["y"], then_branch=branch, else_branch=branch))
    branching.graph.initializer.append(helper.make_tensor("yes", TensorProto.BOOL, [], [True]))
    tidy = graph.tidy(branching)
    assert b"somebody" not in tidy.SerializeToString()
    inner = [value_info for part in list(all_graphs(tidy))[1:] for value_info in part.value_info]
    assert [value_info for value_info in inner if value_info.type.tensor_type.shape.dim[0].dim_value == 3] == []


def test_outputs_are_renamed_and_the_rest_dropped() -> None:
    assert [spec.name for spec in graph.output_specs(graph.rename_outputs(model(), ["h"]))] == ["h"]


def test_a_classifier_gives_a_label_and_plain_probabilities() -> None:
    converted = convert_model(load_model(trained.forest().model, LoadOptions(trust_pickle=True)))
    assert [(spec.name, spec.dtype, spec.shape) for spec in converted.outputs] == [
        ("label", "string", ("batch",)),
        ("probabilities", "float32", ("batch", 2)),
    ]


def test_a_module_is_exported_with_a_free_batch_and_without_the_builder_s_paths() -> None:
    converted = convert_model(load_model(trained.state_dict().model, LoadOptions(factory=trained.FACTORY)))
    assert converted.inputs[0].shape == ("batch", 1, 8, 8)
    assert converted.outputs[0].shape == ("batch", 10)
    assert b".py" not in converted.model.SerializeToString()
