"""Each output of a golden case has a tolerance of its own: large values beside it don't widen it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from sealift_core.bundle import files
from sealift_core.bundle.golden import GoldenCase, encode_golden
from sealift_core.bundle.manifest import GoldenInfo
from sealift_core.bundle.tensors import TensorSpec
from sealift_core.drift.baseline import Baseline
from sealift_core.errors import SelfTestError
from sealift_packager.assemble.golden import Golden, make_golden
from sealift_packager.assemble.model_card import model_card
from sealift_packager.assemble.rehearsal import rehearse
from sealift_packager.cli.tables import view_lines
from sealift_packager.diff.artifact import BundleView
from sealift_packager.errors import ConversionError
from sealift_runtime.engine.selftest import run_self_test
from support.models import make_manifest

INPUTS: Final = (TensorSpec(name="x", dtype="float32", shape=("batch", 4)),)
OUTPUTS: Final = (
    TensorSpec(name="boxes", dtype="float32", shape=("batch", 4)),
    TensorSpec(name="scores", dtype="float32", shape=("batch", 4)),
    TensorSpec(name="count", dtype="int64", shape=(2,)),
)


def detector() -> Any:
    """Boxes in hundreds of pixels beside scores below 1, and a whole number."""
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [
            helper.make_node("Mul", ["x", "size"], ["boxes"]),
            helper.make_node("Sigmoid", ["x"], ["scores"]),
            helper.make_node("Shape", ["x"], ["count"]),
        ],
        "detector",
        [value("x", TensorProto.FLOAT, ["batch", 4])],
        [value("boxes", TensorProto.FLOAT, ["batch", 4]), value("scores", TensorProto.FLOAT, ["batch", 4]), value("count", TensorProto.INT64, [2])],
        [helper.make_tensor("size", TensorProto.FLOAT, [], [640.0])],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def made(precision: str) -> Golden:
    return make_golden(detector(), INPUTS, None, precision=precision, seed=0)


def bundle(directory: Path, golden: Golden, *, scores_off: float = 0.0, info: GoldenInfo | None = None) -> Path:
    """A bundle whose golden scores are others than the graph's."""
    manifest = dataclasses.replace(make_manifest(), inputs=INPUTS, outputs=OUTPUTS, golden=info or golden.info)
    cases = [
        GoldenCase(inputs=case.inputs, outputs=case.outputs | {"scores": case.outputs["scores"] + np.float32(scores_off)}) for case in golden.cases
    ]
    onnx.save(detector(), directory / files.GRAPH)
    (directory / files.MANIFEST).write_bytes(manifest.to_bytes())
    (directory / files.GOLDEN).write_bytes(encode_golden(cases, INPUTS, OUTPUTS))
    (directory / files.BASELINE).write_bytes(Baseline.empty().to_bytes())
    return directory


@pytest.mark.parametrize(("precision", "wrong"), [("fp32", 0.01), ("int8-static", 0.04)])
def test_a_wrong_small_output_beside_a_large_one_is_refused_before_it_is_signed(tmp_path: Path, precision: str, wrong: float) -> None:
    golden = made(precision)
    assert set(golden.info.output_atol) == {"boxes", "scores"}
    assert golden.info.atol == golden.info.output_atol["boxes"] > 100 * golden.info.output_atol["scores"]
    rehearse(bundle(tmp_path, golden))
    rehearse(bundle(tmp_path, golden, scores_off=wrong, info=dataclasses.replace(golden.info, output_atol={})))  # as earlier versions would
    with pytest.raises(ConversionError, match="does not answer its own golden cases.*output 'scores'"):
        rehearse(bundle(tmp_path, golden, scores_off=wrong))


def test_an_agent_refuses_it_too(tmp_path: Path) -> None:
    with pytest.raises(SelfTestError, match="wrong outputs: found case 0, output 'scores'"):
        run_self_test(bundle(tmp_path, made("int8-static"), scores_off=0.04), memory_bytes=None, timeout_s=30, slowdown_limit=None)


def test_a_bundle_of_an_earlier_version_has_one_tolerance_for_all(tmp_path: Path) -> None:
    golden = made("int8-static")
    rehearse(bundle(tmp_path, golden, scores_off=0.04, info=dataclasses.replace(golden.info, output_atol={})))
    fields = json.loads((tmp_path / files.MANIFEST).read_bytes())
    del fields["golden"]["output_atol"]
    (tmp_path / files.MANIFEST).write_text(json.dumps(fields))
    rehearse(tmp_path)


def test_inspect_and_the_model_card_show_each_tolerance() -> None:
    info = GoldenInfo(cases=8, rtol=1e-3, atol=6.4, output_atol={"boxes": 6.4, "scores": 0.01})
    manifest = dataclasses.replace(make_manifest(), inputs=INPUTS, outputs=OUTPUTS, golden=info)
    shown = "\n".join(view_lines(BundleView(digest="", signed=False, sizes={}, manifest=manifest)))
    assert "golden    8 cases, atol 6.4 (boxes), 0.01 (scores), rtol 0.001" in shown
    assert "|a − b| ≤ atol + 0.001·|b| before the model serves, with atol 6.4 for boxes, 0.01 for scores" in model_card(manifest)
