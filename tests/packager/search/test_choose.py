"""The choice among candidates: gates, never slower never worse, objectives in order."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import onnx
import pytest

from sealift_core.bundle.evaluation import Accuracy, Measurement
from sealift_core.hardware.profile import OBJECTIVES as DECLARED
from sealift_packager.candidates.candidate import Candidate, Quantization
from sealift_packager.candidates.figures import Figures
from sealift_packager.candidates.from_profile import FP32
from sealift_packager.candidates.judgement import Judgement
from sealift_packager.candidates.result import CandidateResult, NotBuilt
from sealift_packager.errors import GateError
from sealift_packager.measure.latency import speedup
from sealift_packager.measure.tuning import fewest_threads
from sealift_packager.search.choose import Choice, choose
from sealift_packager.search.objectives import OBJECTIVES

INT8 = Quantization(activation="uint8", weight="int8", reduce_range=True, per_channel=True)


def samples(milliseconds: float, seed: int = 0) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return milliseconds * (1 + np.random.default_rng(seed).gamma(2, 0.01, 200))


BASE = samples(10.0)


def candidate(name: str, *, ms: float | None = 10.0, size: int = 100, lost: float = 0.0, memory: int = 100, load: float = 5.0) -> CandidateResult:
    accuracy = Accuracy(metric="accuracy", reference=0.9, packaged=0.9 - lost, loss=lost, loss_low=0.0, loss_high=lost * 2, budget=0.01)
    tried = FP32 if name == "fp32" else Candidate(name=name, precision="int8-static", quantization=INT8)
    judged = CandidateResult(candidate=tried, model=onnx.ModelProto(), size_bytes=size, judgement=Judgement(outputs={}, accuracy=accuracy))
    if ms is None:
        return judged
    values = BASE if name == "fp32" else samples(ms, seed=len(name))
    figures = Figures(
        threads=1,
        graph_optimization="all",
        samples_ms=values,
        measurement=Measurement(latency_p50_ms=ms, latency_p99_ms=ms, load_time_ms=load, peak_memory_bytes=memory, machine="here"),
    )
    faster = None if name == "fp32" else speedup(BASE, values, seed=0)
    return dataclasses.replace(judged, figures=figures, speedup=faster)


def but(result: CandidateResult, **changes: Any) -> CandidateResult:
    """The same, judged otherwise."""
    assert result.judgement is not None
    return dataclasses.replace(result, judgement=dataclasses.replace(result.judgement, **changes))


def chosen(fp32: CandidateResult, *others: CandidateResult | NotBuilt, objective: tuple[str, ...] = ("latency_p99", "memory", "size")) -> Choice:
    return choose(fp32, others, objective)


def surely_worse(result: CandidateResult) -> CandidateResult:
    assert result.accuracy is not None
    return but(result, accuracy=dataclasses.replace(result.accuracy, loss_low=0.003))


def test_a_faster_one_within_the_budget_is_chosen_and_the_reason_says_by_how_much() -> None:
    choice = chosen(candidate("fp32"), candidate("int8", ms=5, size=30))
    assert choice.chosen.name == "int8"
    assert "best on latency_p99" in choice.reasons["int8"]
    assert "times as fast as fp32" in choice.reasons["int8"]
    assert choice.reasons["fp32"] == "passes, but loses on latency_p99"


def test_a_slower_one_is_not_chosen_however_small() -> None:
    choice = chosen(candidate("fp32"), candidate("int8", ms=12, size=1), objective=("size",))
    assert choice.chosen.name == "fp32"
    assert "not reliably as fast as fp32" in choice.reasons["int8"]


def test_one_that_is_neither_faster_nor_smaller_is_not_chosen() -> None:
    assert chosen(candidate("fp32"), candidate("int8", ms=10, size=100)).reasons["int8"] == "neither faster nor smaller than fp32"


def test_one_that_is_as_fast_and_smaller_is_chosen() -> None:
    assert chosen(candidate("fp32"), candidate("int8", ms=10, size=30)).chosen.name == "int8"


def test_one_whose_upper_bound_leaves_the_budget_is_out_though_its_loss_does_not() -> None:
    choice = chosen(candidate("fp32"), candidate("int8", ms=2, size=10, lost=0.008))
    assert choice.chosen.name == "fp32"
    assert "up to 0.016" in choice.reasons["int8"]


def test_fp32_itself_beyond_the_budget_is_an_error() -> None:
    with pytest.raises(GateError, match="by conversion alone"):
        chosen(candidate("fp32", lost=0.02), candidate("int8"))


def test_one_that_could_not_be_built_says_why() -> None:
    failed = NotBuilt(candidate=Candidate(name="int8", precision="int8-static", quantization=INT8), reason="could not be built: no such operator")
    assert chosen(candidate("fp32"), failed).reasons["int8"] == "could not be built: no such operator"


def test_without_a_measurement_the_smallest_wins_and_the_reason_says_so() -> None:
    choice = chosen(candidate("fp32", ms=None), candidate("int8", ms=None, size=30), candidate("int8b", ms=None, size=20))
    assert choice.chosen.name == "int8b"
    assert "not measured on this hardware" in choice.reasons["int8b"]
    assert choice.reasons["int8"] == "passes, but loses on size"


def test_what_latency_can_t_tell_apart_the_next_objective_decides() -> None:
    candidates = candidate("fp32"), candidate("int8", ms=5, memory=100, size=30), candidate("int8b", ms=5, memory=50, size=40)
    assert chosen(*candidates, objective=("latency_p50", "memory")).chosen.name in ("int8", "int8b")
    assert chosen(*candidates, objective=("memory", "latency_p50")).chosen.name == "int8b"
    assert chosen(*candidates, objective=("size",)).chosen.name == "int8"


def test_every_objective_that_a_profile_may_name_is_known() -> None:
    assert set(OBJECTIVES) == set(DECLARED)


def test_every_candidate_gets_a_reason() -> None:
    candidates = [candidate("fp32"), candidate("int8", ms=5, size=30), candidate("int8b", ms=5, size=30), candidate("slow", ms=20, size=3)]
    assert all(chosen(*candidates).reasons.values())


def test_more_threads_must_earn_their_keep() -> None:
    assert fewest_threads({1: 10.0, 2: 9.8, 4: 9.7}) == 1
    assert fewest_threads({1: 10.0, 2: 6.0, 4: 5.9}) == 2


def test_a_candidate_within_the_noise_ties_and_the_next_objective_decides_the_same_whatever_the_noise() -> None:
    for seed in range(20):
        candidates = [candidate("fp32"), candidate("int8", ms=9.9, size=30)]
        values = samples(9.9, seed=seed + 100)
        figures = dataclasses.replace(candidates[1].figures, samples_ms=values) if candidates[1].figures else None
        candidates[1] = dataclasses.replace(candidates[1], figures=figures, speedup=speedup(BASE, values, seed=0))
        choice = chosen(*candidates, objective=("latency_p99", "size"))
        assert choice.chosen.name == "int8"
        assert "best on size" in choice.reasons["int8"]


def test_what_both_of_a_pair_suffer_cancels() -> None:
    load = np.random.default_rng(3).uniform(1, 5, 200)
    gain = speedup(10 * load, 5 * load, seed=0)
    assert (gain.ratio, gain.low, gain.high) == (2, 2, 2)


def test_a_row_that_loses_too_much_fails_the_gate_whatever_the_mean() -> None:
    losing = but(candidate("int8", ms=5, size=30), worst_row=1.5)
    choice = chosen(candidate("fp32"), losing)
    assert choice.chosen.name == "fp32"
    assert "on its worst row" in choice.reasons["int8"]


def test_of_candidates_that_are_as_small_the_more_accurate_one_is_chosen_where_accuracy_comes_next() -> None:
    candidates = [candidate("fp32"), candidate("quick", ms=5, size=25, lost=0.004), candidate("exact", ms=10, size=26, lost=0.0)]
    candidates[1] = surely_worse(candidates[1])
    assert chosen(*candidates, objective=("size", "accuracy")).chosen.name == "exact"
    assert chosen(*candidates, objective=("latency_p99", "size")).chosen.name == "quick"


def test_where_nothing_was_measured_size_and_accuracy_still_count_in_the_order_that_is_wanted() -> None:
    small = surely_worse(candidate("small", ms=None, size=25, lost=0.004))
    candidates = [candidate("fp32", ms=None), small, candidate("exact", ms=None, size=26)]
    assert chosen(*candidates).chosen.name == "small"
    assert chosen(*candidates, objective=("latency_p99", "size", "accuracy")).chosen.name == "exact"


def test_only_objectives_that_told_no_candidates_apart_are_named_as_such() -> None:
    candidates = [candidate("fp32", memory=300), candidate("int8", size=90), candidate("int8b", size=50)]
    assert "none is reliably better on" not in chosen(*candidates, objective=("memory", "size")).reasons["int8b"]
    candidates = [candidate("fp32"), candidate("int8", size=90), candidate("int8b", size=50)]
    assert "(none is reliably better on memory)" in chosen(*candidates, objective=("memory", "size")).reasons["int8b"]
