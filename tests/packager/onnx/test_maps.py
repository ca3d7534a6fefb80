"""Mappings and lists as outputs, as converters write them: their tensors are packed, and answer what the original answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from skl2onnx import to_onnx
from sklearn.linear_model import LogisticRegression

from sealift_packager.errors import ConversionError
from sealift_packager.frameworks.converters import convert_model
from sealift_packager.frameworks.loaders import load_model
from sealift_packager.model.source import LoadOptions
from sealift_packager.parity.check import check_parity

ROWS = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
NUMBER = ROWS[:, 0].argsort().argsort() // 20
W = numpy_helper.from_array(np.ones((3, 2), np.float32), "w")


def original(path: Path, rows: Any) -> list[Any]:
    return list(onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, {"X": rows}))


@pytest.mark.parametrize("classes", [np.array(["no", "yes", "ü"], object), np.array([-1, 0, 7]), np.array(["1", "10", "2"], object)], ids=str)
def test_a_classifier_as_skl2onnx_writes_it_gives_the_probabilities_of_its_mappings(classes: Any, tmp_path: Path) -> None:
    model = LogisticRegression().fit(ROWS, classes[NUMBER])
    (tmp_path / "model.onnx").write_bytes(to_onnx(model, ROWS[:1]).SerializeToString())
    source = load_model(tmp_path / "model.onnx", LoadOptions())
    converted = convert_model(source)
    assert check_parity(source, converted, {"X": ROWS}, seed=0) >= 2
    names = [spec.name for spec in converted.outputs]
    label, mappings = original(tmp_path / "model.onnx", ROWS)
    answers = dict(zip(names, source.predict({"X": ROWS}).values(), strict=True))
    np.testing.assert_array_equal(answers[names[0]], label)
    np.testing.assert_array_equal(answers[names[1]], [[mapping[name] for name in model.classes_.tolist()] for mapping in mappings])
    assert converted.outputs[1].classes == tuple(model.classes_.tolist())


def listed(*members: str, used: bool = False) -> onnx.ModelProto:
    sequence = helper.make_tensor_sequence_value_info("both", TensorProto.FLOAT, None)
    nodes = [
        helper.make_node("MatMul", ["X", "w"], ["a"]),
        helper.make_node("Neg", ["a"], ["b"]),
        helper.make_node("SequenceConstruct", list(members), ["both"]),
    ]
    outputs = [helper.make_tensor_value_info("b", TensorProto.FLOAT, ["N", 2]), sequence]
    if used:
        nodes.append(helper.make_node("SequenceLength", ["both"], ["length"]))
        outputs.append(helper.make_tensor_value_info("length", TensorProto.INT64, []))
    inputs = [helper.make_tensor_value_info("X", TensorProto.FLOAT, ["N", 3])]
    return helper.make_model(helper.make_graph(nodes, "g", inputs, outputs, [W]), opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def test_a_list_of_tensors_becomes_an_output_for_each(tmp_path: Path) -> None:
    onnx.save(listed("a", "b", "a"), tmp_path / "model.onnx")
    source = load_model(tmp_path / "model.onnx", LoadOptions())
    converted = convert_model(source)
    assert [spec.name for spec in converted.outputs] == ["b", "both_0", "both_1", "both_2"]
    assert check_parity(source, converted, {"X": ROWS}, seed=0) >= 2
    alone, members = original(tmp_path / "model.onnx", ROWS)
    answers = source.predict({"X": ROWS})
    np.testing.assert_array_equal(answers["b"], alone)
    for at, member in enumerate(members):
        np.testing.assert_array_equal(answers[f"both_{at}"], member)


def test_a_list_that_the_graph_works_with_is_refused_by_name(tmp_path: Path) -> None:
    onnx.save(listed("a", "b", used=True), tmp_path / "model.onnx")
    with pytest.raises(ConversionError, match=r"both: inputs and outputs must be tensors: expected a tensor, found a sequence"):
        convert_model(load_model(tmp_path / "model.onnx", LoadOptions()))
