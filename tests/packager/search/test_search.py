"""The search for a precision: which nodes go back to fp32, what calibration sees, what saturates, and what the gate of single rows is for."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import onnx
import pytest

from sealift_core.hardware.profile import CpuRequirement
from sealift_packager.build.pipeline import pack
from sealift_packager.candidates.from_profile import SETTINGS
from sealift_packager.diff import artifact
from sealift_packager.graph.session import Settings, open_session, run_session
from sealift_packager.measure.metrics import METRICS
from sealift_packager.measure.predictions import read_prediction
from sealift_packager.quantize.calibration import Calibration
from sealift_packager.quantize.ranges import BINS, METHODS, bin_counts, observe
from sealift_packager.quantize.saturation import may_saturate
from sealift_packager.quantize.weights import quantize_weights
from sealift_packager.search.evaluate import divergence
from sealift_packager.search.revert import MAX_STEPS, first_that_passes, revert
from sealift_runtime.engine.session import ModelSession
from support import packing
from support.models import make_profile
from support.trained import Trained

NODES = [f"n{number}" for number in range(20)]
RANDOM = np.random.default_rng(0)


def test_the_nodes_that_matter_are_reverted_and_no_others() -> None:
    needed = {"n0", "n2"}
    assert revert(NODES, lambda chosen: chosen, lambda chosen: needed <= chosen) == ("n0", "n2")


def test_one_bad_node_is_enough() -> None:
    assert revert(NODES, lambda chosen: chosen, lambda chosen: "n0" in chosen) == ("n0",)


def test_a_candidate_that_half_of_its_nodes_can_t_save_is_given_up_at_once() -> None:
    tried: list[frozenset[str]] = []
    assert revert(NODES, lambda chosen: tried.append(chosen) or chosen, lambda _: False) is None  # type: ignore[func-returns-value]
    assert len(tried) == 1


def test_where_a_row_at_the_border_decides_the_first_node_that_helps_is_enough() -> None:
    assert first_that_passes(iter(["n1", "n7", "n3"]), lambda node: node in ("n7", "n3")) == "n7"


def test_if_no_node_alone_is_enough_none_is_chosen_after_a_bounded_number_of_looks() -> None:
    left = iter(range(100))
    assert first_that_passes(left, lambda _: False) is None
    assert next(left) == MAX_STEPS // 2


def test_the_holdout_is_looked_at_a_bounded_number_of_times() -> None:
    tried: list[frozenset[str]] = []
    many = [f"n{number}" for number in range(200)]
    reverted = revert(many, lambda chosen: tried.append(chosen) or chosen, lambda chosen: len(chosen) >= 37)  # type: ignore[func-returns-value]
    assert reverted is not None
    assert len(tried) <= MAX_STEPS + 1


def test_a_setting_whose_answers_are_not_numbers_is_further_from_fp32_than_any_other() -> None:
    reference = {"y": np.array([1.0, 2.0], np.float32)}
    settings = [np.array([1.0, np.nan], np.float32), np.array([1.1, 2.1], np.float32)]
    assert min(range(2), key=lambda at: divergence(reference, {"y": settings[at]})) == 1


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e38])
def test_values_are_counted_in_equal_bins_with_both_extremes_inside(scale: float) -> None:
    values = (RANDOM.uniform(-1, 3, 5000) * scale).astype(np.float32)
    low, high = float(values.min()), float(values.max())
    counts = bin_counts(values, low, high)
    expected = np.histogram(values.astype(np.float64), bins=BINS, range=(low, high))[0]
    assert counts.sum() == 5000
    assert np.abs(np.cumsum(counts) - np.cumsum(expected)).max() <= 1
    assert counts[0] > 0
    assert counts[-1] > 0


def chain(offset: float) -> onnx.ModelProto:
    """Six dense layers; to the input of the third ``offset`` is added, which that layer's weights cancel: only a wide range knows what is left."""
    generator = np.random.default_rng(1)
    weights = [(generator.normal(size=(32, 32)) / 4).astype(np.float32) for _ in range(6)]
    weights[2] -= weights[2].mean(axis=0)
    nodes, tensors, name = [], [onnx.numpy_helper.from_array(np.array(offset, np.float32), "offset")], "x"
    for number, value in enumerate(weights):
        tensors.append(onnx.numpy_helper.from_array(value, f"w{number}"))
        if number == 2:
            nodes.append(onnx.helper.make_node("Add", [name, "offset"], ["shifted"], name="shift"))
            name = "shifted"
        nodes.append(onnx.helper.make_node("MatMul", [name, f"w{number}"], [f"m{number}"], name=f"layer{number}"))
        name = f"r{number}" if number < 5 else "y"
        nodes.append(onnx.helper.make_node("Relu" if number < 5 else "Identity", [f"m{number}"], [name], name=f"relu{number}"))
    graph = onnx.helper.make_graph(
        nodes,
        "g",
        [onnx.helper.make_tensor_value_info("x", 1, ["n", 32])],
        [onnx.helper.make_tensor_value_info("y", 1, ["n", 32])],
        tensors,
    )
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9)


def test_a_layer_with_an_outlying_range_is_put_back_to_fp32_and_named(tmp_path: Path) -> None:
    onnx.save(chain(1000.0), tmp_path / "model.onnx")
    np.savez(tmp_path / "rows.npz", x=RANDOM.normal(size=(120, 32)).astype(np.float32))
    profile = make_profile("elsewhere", cpu=CpuRequirement(arch="aarch64"), precisions=("fp32", "int8-dynamic"), objective=("size",))
    profile = dataclasses.replace(profile, int8=dataclasses.replace(profile.int8, weight="int8", reduce_range=True))
    outlier = Trained(model=tmp_path / "model.onnx", data=tmp_path / "rows.npz", target="")
    manifest = pack(packing.request(outlier, tmp_path / "out", profile, target=None, metric="cosine", max_drop=0.01)).manifests["elsewhere"]
    assert manifest.model.precision == "int8-dynamic"
    assert manifest.model.recipe["reverted"] == ["layer2"]
    chosen = next(candidate for candidate in manifest.evaluation.candidates if candidate.chosen)
    assert "1 of its nodes in fp32 (layer2)" in chosen.reason
    assert chosen.accuracy is not None
    assert chosen.accuracy.packaged > 0.99


def test_calibration_takes_inputs_of_different_lengths_and_every_method_gives_a_range_within_what_was_seen() -> None:
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Relu", ["x"], ["y"])],
        "g",
        [onnx.helper.make_tensor_value_info("x", 1, ["n"])],
        [onnx.helper.make_tensor_value_info("y", 1, ["n"])],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9)
    values = [RANDOM.normal(size=length).astype(np.float32) for length in (3, 1000, 70000)]
    values[1][0] = 500.0
    seen, _ = observe(model, [{"x": value} for value in values])
    assert seen["x"].counts.sum() == 71003
    ranges = {name: method(seen["x"]) for name, method in METHODS.items()}
    assert ranges["minmax"][1] == 500
    assert all(ranges["minmax"][0] <= low < high <= 500 for low, high in ranges.values())
    assert ranges["percentile"][1] < 10
    assert ranges["entropy"][1] < 500


def test_weights_as_int8_answer_like_fp32_at_a_third_of_the_size(tmp_path: Path) -> None:
    model = chain(0.0)
    small = quantize_weights(model, SETTINGS["int8-weights"](make_profile().int8), Calibration(), tmp_path)
    assert small.ByteSize() < 0.4 * model.ByteSize()
    settings = Settings(entries={"session.disable_quant_qdq": "1"})
    rows = {"x": RANDOM.normal(size=(50, 32)).astype(np.float32)}
    exact, rounded = (run_session(open_session(form, settings, where="m"), rows)["y"] for form in (model, small))
    assert METRICS["cosine"].score(exact, read_prediction({"y": rounded})) > 0.999


def test_where_one_row_at_a_border_flips_the_node_that_flips_it_has_weights_of_fp16(tmp_path: Path) -> None:
    model = chain(0.0)
    small = quantize_weights(model, SETTINGS["int8-weights"](make_profile().int8), Calibration(), tmp_path)
    rows = RANDOM.normal(size=(20000, 32)).astype(np.float32)
    settings = Settings(entries={"session.disable_quant_qdq": "1"})
    exact, rounded = (run_session(open_session(form, settings, where="m"), {"x": rows})["y"] for form in (model, small))
    labels, best = exact.argmax(axis=1), np.sort(rounded, axis=1)
    margins = best[:, -1] - best[:, -2]
    flipped = np.flatnonzero(labels != rounded.argmax(axis=1))
    chosen = np.array([flipped[np.argmin(margins[flipped])], *np.argsort(margins)[-300:]])
    onnx.save(model, tmp_path / "model.onnx")
    np.savez(tmp_path / "rows.npz", x=rows[chosen], target=labels[chosen])
    profile = make_profile("elsewhere", cpu=CpuRequirement(arch="aarch64"), precisions=("fp32", "int8-weights"), objective=("size",))
    what = Trained(model=tmp_path / "model.onnx", data=tmp_path / "rows.npz", target="target")
    build = pack(packing.request(what, tmp_path / "out", profile, max_drop=0.0))
    recipe = build.manifests["elsewhere"].model.recipe
    assert len(recipe["halved"]) == 1
    assert "reverted" not in recipe
    artifact.unpack(build.directory, "elsewhere", tmp_path / "bundle")
    packed = ModelSession.open(tmp_path / "bundle").run({"x": rows[chosen]})["y"]
    np.testing.assert_array_equal(packed.argmax(axis=1), labels[chosen])


@pytest.mark.parametrize(("largest", "saturates"), [(64, False), (127, True)])
def test_seven_bits_prove_that_nothing_saturates(largest: int, *, saturates: bool) -> None:
    weight = np.full((4, 4), largest, np.int8)
    nodes = [onnx.helper.make_node("MatMulInteger", ["x", "w"], ["y"])]
    model = onnx.helper.make_model(onnx.helper.make_graph(nodes, "g", [], [], [onnx.numpy_helper.from_array(weight, "w")]))
    assert may_saturate(model, fused=True) == (("w",) if saturates else ())


def test_cosine_needs_no_target_and_one_is_the_same_direction() -> None:
    source = RANDOM.normal(size=(5, 8)).astype(np.float32)
    score = METRICS["cosine"].score
    assert score(source, read_prediction({"y": source * 3})) == pytest.approx(1)
    assert score(source, read_prediction({"y": -source})) == pytest.approx(-1)
    assert score(source, read_prediction({"y": source * 0})) == 0
