"""What a candidate is made of, and the accuracy gate, value by value."""

from __future__ import annotations

import dataclasses

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from sealift_core.bundle.evaluation import Accuracy, Measurement
from sealift_core.hardware.profile import Int8Recipe
from sealift_packager.candidates.candidate import Candidate, Quantization
from sealift_packager.candidates.figures import Figures
from sealift_packager.candidates.from_profile import FP32, SETTINGS, candidates_for
from sealift_packager.candidates.judgement import Judgement
from sealift_packager.candidates.result import CandidateResult, NotBuilt
from support.models import make_profile

INT8 = Int8Recipe(activation="int8", weight="uint8", reduce_range=True, per_channel=False)


def quantization(**changes: object) -> Quantization:
    plain = Quantization(activation="uint8", weight="int8", reduce_range=True, per_channel=False)
    return dataclasses.replace(plain, **changes)  # type: ignore[arg-type]


# What is tried


@pytest.mark.parametrize(
    ("precision", "expected"),
    [
        ("int8-dynamic", Quantization(activation="uint8", weight="uint8", reduce_range=True, per_channel=False)),
        ("int8-static", Quantization(activation="int8", weight="uint8", reduce_range=True, per_channel=False, calibration="best")),
        ("int8-weights", Quantization(activation="float32", weight="int8", reduce_range=False, per_channel=True)),
        ("fp16-weights", Quantization(activation="float32", weight="float16", reduce_range=False, per_channel=False)),
        ("int8-blocks", Quantization(activation="int8", weight="int8", reduce_range=False, per_channel=True, block_size=128)),
        ("int4-blocks", Quantization(activation="int8", weight="int4", reduce_range=False, per_channel=True, block_size=32)),
        ("fp16", Quantization(activation="float16", weight="float16", reduce_range=False, per_channel=False)),
    ],
)
def test_the_settings_of_each_precision_are_sound_on_the_profiles_hardware(precision: str, expected: Quantization) -> None:
    profile = make_profile(precisions=("fp32", precision), int8=INT8)
    assert candidates_for(profile, with_data=True) == (FP32, Candidate(name=precision, precision=precision, quantization=expected))


def test_every_precision_has_settings() -> None:
    assert candidates_for(make_profile(precisions=tuple(SETTINGS), int8=INT8), with_data=True)[1:] == tuple(
        Candidate(name=name, precision=name, quantization=settings(INT8)) for name, settings in SETTINGS.items()
    )


def test_what_a_profile_names_twice_is_tried_once_and_fp32_comes_first_wherever_it_is_named() -> None:
    profile = make_profile(precisions=("fp16", "int8-dynamic", "fp32", "fp16"))
    assert [candidate.name for candidate in candidates_for(profile, with_data=True)] == ["fp32", "fp16", "int8-dynamic"]
    assert [candidate.name for candidate in candidates_for(make_profile(precisions=("fp16",)), with_data=True)] == ["fp32", "fp16"]


# What it says of itself


def test_the_nodes_that_the_rest_is_not_for_are_those_of_both_lists() -> None:
    assert quantization(reverted=("a", "b"), fp16_nodes=("c",)).excluded_nodes == ("a", "b", "c")


@pytest.mark.parametrize(
    ("changes", "calibrated"), [({}, False), ({"calibration": "minmax"}, True), ({"smoothing": 0.5}, True), ({"block_size": 32}, False)]
)
def test_data_decides_where_ranges_or_smoothing_come_from_it(changes: dict[str, object], *, calibrated: bool) -> None:
    assert quantization(**changes).calibrated is calibrated


def test_a_recipe_leaves_out_what_is_off_and_says_halved_of_nodes_with_fp16_weights() -> None:
    assert FP32.recipe() == {}
    plain = Candidate(name="c", precision="int8-dynamic", quantization=quantization())
    assert plain.recipe() == {"activation": "uint8", "weight": "int8", "reduce_range": True, "per_channel": False, "calibration": ""}
    everything = quantization(reduce_range=False, calibration="best", smoothing=0.5, block_size=32, reverted=("a",), fp16_nodes=("b", "c"))
    assert Candidate(name="c", precision="int8-static", quantization=everything).recipe() == {
        "activation": "uint8", "weight": "int8", "reduce_range": False, "per_channel": False, "calibration": "best",
        "smoothing": 0.5, "block_size": 32, "reverted": ["a"], "halved": ["b", "c"],
    }  # fmt: skip


def test_only_precisions_that_store_int8_for_other_arithmetic_forbid_fusion() -> None:
    for precision in ("int8-dynamic", "int8-weights", "int8-blocks", "int4-blocks"):
        assert dict(Candidate(name="c", precision=precision).session_entries) == {"session.disable_quant_qdq": "1"}
    for precision in ("fp32", "int8-static", "fp16", "fp16-weights"):
        assert dict(Candidate(name="c", precision=precision).session_entries) == {}


# The gate


def judgement(*, loss: float = 0.0, high: float = 0.0, budget: float = 0.01, worst_row: float | None = None) -> Judgement:
    accuracy = Accuracy(metric="accuracy", reference=0.9, packaged=0.9 - loss, loss=loss, loss_low=0.0, loss_high=high, budget=budget)
    return Judgement(outputs={}, accuracy=accuracy, worst_row=worst_row)


def test_the_upper_bound_of_the_loss_may_be_the_budget_and_no_more() -> None:
    assert judgement(high=0.01).passes
    assert judgement(high=0.01 + 1e-10).passes  # the last bit
    assert not judgement(high=0.01 + 1e-8).passes
    assert not judgement(loss=0.0, high=0.02).passes


def test_a_single_row_may_lose_what_a_row_may_and_no_more() -> None:
    assert judgement(worst_row=None).passes
    assert judgement(worst_row=1.0).passes
    assert not judgement(worst_row=1.0001).passes


def test_a_single_row_alone_fails_the_gate_only_where_the_mean_passes() -> None:
    assert judgement(worst_row=1.5).only_worst_row_fails
    assert not judgement(worst_row=1.0).only_worst_row_fails
    assert not judgement(high=0.02, worst_row=1.5).only_worst_row_fails


def test_the_gate_is_missed_by_chance_where_the_loss_less_its_uncertainty_is_within_the_budget() -> None:
    assert judgement(loss=0.012, high=0.014, budget=0.01).nearly_passes
    assert not judgement(loss=0.012, high=0.0139, budget=0.01).nearly_passes
    assert judgement(loss=0.5, high=0.75, budget=0.25).nearly_passes
    assert not judgement(loss=0.012, high=0.014, budget=0.01, worst_row=1.5).nearly_passes


def test_a_channel_may_lose_what_a_channel_may_and_no_more() -> None:
    for share, passes in ((0.9, True), (1.0, True), (1 + 1e-10, True), (1 + 1e-8, False), (2.0, False)):
        judged = dataclasses.replace(judgement(), worst_channel="column 3", channel_share=share)
        assert (judged.channels_pass, judged.passes, judged.nearly_passes) == (passes, passes, passes)


# Figures


def test_the_memory_of_each_process_is_known_or_that_of_the_one_that_there_was() -> None:
    measurement = Measurement(latency_p50_ms=1, latency_p99_ms=1, load_time_ms=1, peak_memory_bytes=100, machine="here")
    one = Figures(threads=1, graph_optimization="all", samples_ms=np.ones((1, 1)), measurement=measurement)
    assert one.peak_memory_bytes == [100]
    assert dataclasses.replace(one, peaks=[90, 100, 120]).peak_memory_bytes == [90, 100, 120]


# Results


def test_a_result_that_was_built_weighs_its_graph_and_knows_nothing_else() -> None:
    weight = helper.make_tensor("w", TensorProto.FLOAT, [1000], np.zeros(1000, dtype=np.float32).tobytes(), raw=True)
    model: onnx.ModelProto = helper.make_model(helper.make_graph([], "g", [], [], [weight]))
    built = CandidateResult.built(FP32, model, calibration_rows=7)
    assert (built.candidate, built.model, built.calibration_rows, built.judgement) == (FP32, model, 7, None)
    assert 4000 < built.size_bytes < 4200
    assert CandidateResult.built(FP32, model).calibration_rows == 0


def test_without_a_holdout_a_result_passes_and_says_nothing_of_accuracy() -> None:
    plain = CandidateResult(candidate=FP32, model=onnx.ModelProto(), size_bytes=1)
    assert (plain.name, plain.passes, plain.accuracy, plain.arithmetic) == ("fp32", True, None, "")


def test_with_one_a_result_says_what_its_judgement_does() -> None:
    bad = dataclasses.replace(judgement(high=0.5), arithmetic="as qemu computes it")
    judged = CandidateResult(candidate=FP32, model=onnx.ModelProto(), size_bytes=1, judgement=bad)
    assert (judged.passes, judged.accuracy, judged.arithmetic) == (False, bad.accuracy, "as qemu computes it")


def test_what_was_not_built_has_its_candidates_name() -> None:
    assert NotBuilt(candidate=FP32, reason="no such operator").name == "fp32"
