"""The choice among candidates, sentence by sentence, and where each of its bounds lies."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import onnx
import pytest

from sealift_core.bundle.evaluation import Accuracy, Measurement
from sealift_packager.candidates.candidate import Candidate, Quantization
from sealift_packager.candidates.figures import Figures, Speedup
from sealift_packager.candidates.from_profile import FP32
from sealift_packager.candidates.judgement import Judgement
from sealift_packager.candidates.result import CandidateResult, NotBuilt
from sealift_packager.errors import GateError
from sealift_packager.measure.bootstrap import ratio_interval
from sealift_packager.search.choose import choose
from sealift_packager.search.folds import ROWS, split, take
from sealift_packager.search.objectives import OBJECTIVES, smallest
from sealift_packager.search.revert import MAX_STEPS, first_that_passes, revert

INT8 = Quantization(activation="uint8", weight="int8", reduce_range=True, per_channel=True)
OBJECTIVE = ("latency_p99", "memory", "size")


def accuracy(*, loss: float = 0.0, low: float = 0.0, high: float = 0.0) -> Accuracy:
    return Accuracy(metric="accuracy", reference=0.9, packaged=0.9 - loss, loss=loss, loss_low=low, loss_high=high, budget=0.01)


def result(
    name: str, *, size: int = 100, ms: float = 10.0, speed: Speedup | None = None, memory: int = 100, load: float = 5.0, **judged: Any
) -> CandidateResult:
    measurement = Measurement(latency_p50_ms=ms, latency_p99_ms=ms, load_time_ms=load, peak_memory_bytes=memory, machine="here")
    return CandidateResult(
        candidate=FP32 if name == "fp32" else Candidate(name=name, precision="int8-static", quantization=INT8),
        model=onnx.ModelProto(),
        size_bytes=size,
        judgement=Judgement(outputs={}, **({"accuracy": accuracy()} | judged)),
        figures=Figures(threads=1, graph_optimization="all", samples_ms=np.full(50, ms), measurement=measurement),
        speedup=None if name == "fp32" else speed or Speedup(ratio=10.0 / ms, low=10.0 / ms, high=10.0 / ms),
    )


def unmeasured(name: str, **changes: Any) -> CandidateResult:
    return dataclasses.replace(result(name, **changes), figures=None, speedup=None)


FIRST = result("fp32")


def reason(candidate: CandidateResult | NotBuilt, *, fp32: CandidateResult = FIRST) -> str:
    return choose(fp32, [candidate], OBJECTIVE).reasons[candidate.name]


# Who is out, and why


def test_fp32_that_loses_too_much_says_how_much_and_what_to_do() -> None:
    lossy = result("fp32", accuracy=accuracy(loss=0.012345, high=0.023456))
    with pytest.raises(
        GateError,
        match=r"^fp32: the model loses accuracy by conversion alone: expected a loss of accuracy of at most 0\.01 \(95 % bound\), "
        r"found 0\.01235, up to 0\.02346\. .*--max-drop",
    ):
        choose(lossy, [], OBJECTIVE)


def test_one_that_was_not_built_keeps_its_own_reason() -> None:
    assert reason(NotBuilt(candidate=Candidate(name="x", precision="fp16"), reason="no such operator")) == "no such operator"


def test_one_that_loses_too_much_says_how_much() -> None:
    assert reason(result("int8", size=1, accuracy=accuracy(loss=0.008, high=0.0163))) == (
        "loses 0.008 accuracy, and up to 0.0163 (95 % bound): more than the budget of 0.01"
    )


def test_one_that_loses_too_much_on_a_row_alone_says_so() -> None:
    assert reason(result("int8", size=1, accuracy=accuracy(loss=0.002), worst_row=1.55)) == (
        "loses 0.002 accuracy on average, but 1.6 times what a single row may lose on its worst row"
    )


def test_too_few_rows_say_how_many_are_wanted_and_whether_these_lost_anything() -> None:
    few: dict[str, Any] = {"rows_wanted": 12345}
    assert reason(result("int8", size=1, accuracy=accuracy(loss=0.008, high=0.0163), **few)) == (
        "loses 0.008 accuracy on these rows, and so few rows can't rule out a loss of 0.016 (95 % bound): a budget of 0.01 needs 12,345 rows"
    )
    assert reason(result("int8", size=1, accuracy=accuracy(loss=0.0, high=0.0163), **few)).startswith(
        "loses no accuracy on these rows, but so few rows"
    )


def test_one_with_a_channel_that_is_too_far_off_names_it_and_says_by_how_much() -> None:
    assert reason(result("int8", size=1, accuracy=accuracy(loss=0.002), worst_channel="column 3 of 'y'", channel_share=4.56)) == (
        "column 3 of 'y' is too far from the source model's (4.6 times what a channel may lose; the accuracy as a whole loses 0.002)"
    )


def test_a_channel_that_lost_a_number_and_one_that_is_far_away_are_said_without_a_number() -> None:
    lost: dict[str, Any] = {"accuracy": accuracy(loss=0.002), "worst_channel": "channel 0 of the output x"}
    assert reason(result("int8", size=1, channel_share=float("inf"), **lost)) == (
        "channel 0 of the output x has NaN or infinite values where the source model has numbers"
    )
    assert "(more than 1,000 times what a channel may lose; " in reason(result("int8", size=1, channel_share=1000.5, **lost))
    assert "(1e+03 times what a channel may lose; " in reason(result("int8", size=1, channel_share=1000, **lost))


def test_few_rows_are_no_reason_against_one_that_passes() -> None:
    assert choose(FIRST, [result("int8", size=1, rows_wanted=100)], ("size",)).chosen.name == "int8"


@pytest.mark.parametrize(("low", "is_out"), [(0.97, False), (0.9699, True)])
def test_one_that_may_be_slower_by_more_than_three_in_a_hundred_is_out(low: float, *, is_out: bool) -> None:
    said = reason(result("int8", size=50, speed=Speedup(ratio=1.004, low=low, high=1.058)))
    assert (said == f"not reliably as fast as fp32: 1.00 times as fast as fp32 ({low:.2f} to 1.06)") is is_out


@pytest.mark.parametrize(("low", "size", "is_out"), [(1.0, 100, True), (1.0, 99, False), (1.001, 100, False), (0.99, 101, True), (1.2, 300, False)])
def test_one_that_is_neither_surely_faster_nor_smaller_is_out(low: float, size: int, *, is_out: bool) -> None:
    said = reason(result("int8", size=size, speed=Speedup(ratio=1.1, low=low, high=1.2)))
    assert (said == "neither faster nor smaller than fp32") is is_out


def test_without_a_speed_only_a_smaller_one_stays() -> None:
    fp32 = unmeasured("fp32")
    assert reason(unmeasured("int8", size=100), fp32=fp32) == "neither faster nor smaller than fp32"
    assert reason(unmeasured("int8", size=99), fp32=fp32).startswith("the smallest candidate")


def test_without_a_holdout_nothing_is_judged() -> None:
    first, other = (dataclasses.replace(row, judgement=None) for row in (FIRST, result("int8", size=50, ms=5)))
    assert choose(first, [other], OBJECTIVE).chosen is other


# Notes


def test_nodes_that_stay_apart_and_the_arithmetic_are_noted_after_the_reason() -> None:
    settings = dataclasses.replace(INT8, reverted=("a", "b"), fp16_nodes=("c",))
    candidate = Candidate(name="int8", precision="int8-static", quantization=settings)
    noted = dataclasses.replace(result("int8", arithmetic="accuracy as qemu computes it"), candidate=candidate)
    assert reason(noted) == (
        "neither faster nor smaller than fp32; 2 of its nodes in fp32 (a, b); 1 of its nodes with weights of fp16 (c); accuracy as qemu computes it"
    )
    only = dataclasses.replace(
        noted, candidate=dataclasses.replace(candidate, quantization=dataclasses.replace(INT8, reverted=("a",))), judgement=None
    )
    assert reason(only) == "neither faster nor smaller than fp32; 1 of its nodes in fp32 (a)"


def test_the_channel_that_is_furthest_off_is_noted_of_one_that_passes() -> None:
    noted = "; column 3 of 'y' is furthest from the source model's, at 0.46 of what a channel may lose"
    channel: dict[str, Any] = {"worst_channel": "column 3 of 'y'", "channel_share": 0.456}
    assert reason(result("int8", **channel)) == f"neither faster nor smaller than fp32{noted}"
    assert choose(result("fp32", **channel), [], OBJECTIVE).reasons["fp32"] == f"the only candidate that passes{noted}"
    assert "furthest" not in reason(result("int8", worst_channel="column 3 of 'y'", channel_share=1.5))
    assert "furthest" not in reason(result("int8", channel_share=0.456))


# Why the one


def test_fp32_alone_is_the_only_one() -> None:
    choice = choose(FIRST, [], OBJECTIVE)
    assert choice.chosen is FIRST
    assert choice.reasons == {"fp32": "the only candidate that passes"}
    assert choose(FIRST, [result("int8", ms=20, size=50)], OBJECTIVE).reasons["fp32"] == "the only candidate that passes"


def test_the_chosen_one_says_what_decided_how_fast_it_is_and_how_large() -> None:
    quick = result("int8", ms=5, size=28, speed=Speedup(ratio=2.004, low=1.9, high=2.1))
    choice = choose(FIRST, [quick], OBJECTIVE)
    assert choice.reasons == {
        "fp32": "passes, but loses on latency_p99",
        "int8": "best on latency_p99 of the candidates that pass: 2.00 times as fast as fp32 (1.90 to 2.10), 28% of its size",
    }


def test_objectives_that_told_none_apart_before_the_deciding_one_are_named() -> None:
    same: dict[str, Any] = {"ms": 10.0, "speed": Speedup(ratio=1.0, low=1.0, high=1.0)}
    choice = choose(FIRST, [result("int8", size=50, **same)], OBJECTIVE)
    assert choice.reasons["int8"] == (
        "best on size (none is reliably better on latency_p99 or memory) of the candidates that pass: "
        "1.00 times as fast as fp32 (1.00 to 1.00), 50% of its size"
    )
    choice = choose(FIRST, [result("int8", size=50, memory=50, **same)], OBJECTIVE)
    assert choice.reasons["int8"].startswith("best on memory (none is reliably better on latency_p99) of")


def test_where_fp32_is_best_it_says_on_what() -> None:
    choice = choose(FIRST, [result("int8", size=50, memory=200, speed=Speedup(ratio=1.0, low=1.0, high=1.0))], ("memory",))
    assert choice.reasons == {"fp32": "best on memory of the candidates that pass", "int8": "passes, but loses on memory"}


def test_of_several_that_nothing_tells_apart_the_first_is_chosen_and_the_others_say_so() -> None:
    twins = [result(name, ms=5, size=50) for name in ("int8", "twin")]
    choice = choose(FIRST, twins, ("size",))
    assert choice.chosen is twins[0]
    assert choice.reasons["twin"] == "passes, but is no better than int8"
    larger = [result(name, ms=5, size=100, speed=Speedup(ratio=2, low=1.5, high=3)) for name in ("int8", "twin")]
    choice = choose(FIRST, larger, ("size",))
    assert choice.chosen is FIRST
    assert choice.reasons["fp32"] == "as good as any of the candidates that pass"


def test_size_decides_last_whatever_the_profile_names() -> None:
    pair = [result("a", ms=5, size=50), result("b", ms=5, size=49)]
    assert choose(FIRST, pair, ("latency_p50",)).chosen is pair[1]
    assert choose(FIRST, pair, ("latency_p50",)).reasons["a"] == "passes, but loses on size"


def test_where_nothing_was_measured_the_smallest_wins_evaluated_or_not() -> None:
    fp32, small = unmeasured("fp32"), unmeasured("int8", size=30)
    said = "the smallest candidate, {}; latency was not measured on this hardware, so it did not count"
    assert choose(fp32, [small], OBJECTIVE).reasons["int8"] == said.format("within the accuracy budget")
    assert choose(fp32, [dataclasses.replace(small, judgement=None)], OBJECTIVE).reasons["int8"] == said.format("not evaluated")


def test_a_speed_that_nobody_measured_is_unknown() -> None:
    small = dataclasses.replace(result("int8", size=50), speedup=None)
    assert choose(FIRST, [small], ("size",)).reasons["int8"] == "best on size of the candidates that pass: speed unknown, 50% of its size"


# Objectives


def names(objective: str, *results: CandidateResult) -> list[str]:
    return [row.name for row in OBJECTIVES[objective](results)]


def test_sizes_within_five_in_a_hundred_of_the_least_count_as_equal() -> None:
    assert names("size", result("a", size=105), result("b", size=100), result("c", size=106)) == ["a", "b"]
    assert [row.name for row in smallest([result("a", size=101), result("b", size=100)])] == ["b"]


@pytest.mark.parametrize(("objective", "field"), [("memory", "memory"), ("load_time", "load")])
def test_figures_within_five_in_a_hundred_of_the_least_count_as_equal(objective: str, field: str) -> None:
    values: dict[str, dict[str, Any]] = {"a": {field: 210}, "b": {field: 200}, "c": {field: 211}}
    rows = [result(name, **value) for name, value in values.items()]
    assert names(objective, *rows) == ["a", "b"]


@pytest.mark.parametrize("objective", ["memory", "load_time", "latency_p50", "latency_p99"])
def test_where_nothing_was_measured_an_objective_of_speed_tells_none_apart(objective: str) -> None:
    assert names(objective, unmeasured("a"), unmeasured("b", size=1)) == ["a", "b"]


@pytest.mark.parametrize("objective", ["memory", "load_time", "latency_p50", "latency_p99"])
def test_one_that_was_not_measured_is_not_the_best_of_those_that_were(objective: str) -> None:
    assert names(objective, unmeasured("a"), result("b")) == ["b"]


def test_a_loss_that_may_be_as_little_as_the_best_ones_counts_as_equal() -> None:
    best = result("best", accuracy=accuracy(loss=0.001, high=0.003))
    equal = result("equal", accuracy=accuracy(loss=0.004, low=0.003, high=0.005))
    worse = result("worse", accuracy=accuracy(loss=0.004, low=0.0031, high=0.005))
    unknown = dataclasses.replace(result("unknown"), judgement=None)
    assert names("accuracy", worse, equal, best, unknown) == ["equal", "best"]
    assert names("accuracy", unknown) == ["unknown"]


@pytest.mark.parametrize(("ms", "kept"), [(10.3, ["a", "b"]), (10.31, ["a"])])
def test_a_median_within_three_in_a_hundred_of_the_least_counts_as_equal(ms: float, kept: list[str]) -> None:
    assert names("latency_p50", result("a"), result("b", ms=ms)) == kept
    assert names("latency_p50", result("b", ms=ms), result("a")) == kept[::-1]


def spread(name: str, usual: float, slow: float, share: float) -> CandidateResult:
    row = result(name)
    assert row.figures is not None
    values = np.where(np.arange(400) % 100 < share * 100, slow, usual)
    return dataclasses.replace(row, figures=dataclasses.replace(row.figures, samples_ms=values))


def test_a_slow_tail_counts_for_p99_and_not_for_p50() -> None:
    tail, none = spread("tail", 9.0, 90.0, 0.1), spread("none", 10.0, 10.0, 0.0)
    assert names("latency_p50", tail, none) == ["tail"]
    assert names("latency_p99", tail, none) == ["none"]


def test_what_p99_cannot_tell_apart_the_median_does_and_is_named_as_what_did() -> None:
    slow, quick = spread("fp32", 10.0, 50.0, 0.1), spread("quick", 5.0, 50.0, 0.1)
    assert names("latency_p99", slow, quick) == ["fp32", "quick"]
    slow, quick = shown(slow, p50=10.0, p99=50.0), dataclasses.replace(shown(quick, p50=5.0, p99=52.0), size_bytes=50)
    choice = choose(slow, [quick], OBJECTIVE)
    assert choice.reasons["quick"].startswith("best on latency_p50 (none is reliably better on latency_p99) of the candidates that pass")
    assert choice.reasons["fp32"] == "passes, but loses on latency_p50"


def shown(row: CandidateResult, *, p50: float, p99: float) -> CandidateResult:
    """The same, with these figures in the table."""
    assert row.figures is not None
    measurement = dataclasses.replace(row.figures.measurement, latency_p50_ms=p50, latency_p99_ms=p99)
    return dataclasses.replace(row, figures=dataclasses.replace(row.figures, measurement=measurement))


def test_where_another_one_shows_a_better_figure_the_sentences_say_why_it_does_not_count() -> None:
    noise = np.random.default_rng(0)
    same: dict[str, Any] = {"size": 50, "speed": Speedup(ratio=2.0, low=1.9, high=2.1)}
    slow, steady, shaky = FIRST, result("steady", ms=5.0, **same), result("shaky", ms=5.0, **same)
    assert shaky.figures is not None
    shaky = dataclasses.replace(shaky, figures=dataclasses.replace(shaky.figures, samples_ms=5.0 * noise.choice([0.5, 1.5], 50)), size_bytes=40)
    choice = choose(slow, [steady, shown(shaky, p50=7.5, p99=7.5)], ("latency_p50", "size"))
    assert choice.chosen.name == "shaky"
    assert choice.reasons["shaky"].startswith("best on size of the candidates that pass")
    choice = choose(slow, [shown(dataclasses.replace(shaky, size_bytes=50), p50=5.2, p99=7.5), steady], ("latency_p50",))
    assert choice.reasons["shaky"].startswith(
        "among the best on latency_p50 of the candidates that pass (steady's 5 ms is not reliably better than its 5.2):"
    )


def test_one_that_loses_though_its_figure_is_better_than_the_chosen_one_s_says_to_whom() -> None:
    loss: dict[str, Any] = {"size": 50, "speed": Speedup(ratio=1.0, low=1.0, high=1.0)}
    best = result("best", accuracy=accuracy(loss=0.0, low=0.0, high=0.001), **loss)
    vague = result("vague", accuracy=accuracy(loss=0.004, low=-0.001, high=0.009), **loss | {"size": 40})
    sure = result("sure", accuracy=accuracy(loss=0.003, low=0.002, high=0.004), **loss)
    fp32 = result("fp32", accuracy=accuracy(loss=0.003, low=0.002, high=0.004))
    choice = choose(fp32, [best, vague, sure], ("accuracy", "size"))
    assert choice.chosen.name == "vague"
    assert choice.reasons["sure"] == "passes, but loses on accuracy: it is reliably worse than best (0 lost), which vague isn't"


def test_one_whose_figure_looks_as_good_as_the_chosen_ones_simply_loses() -> None:
    quick = shown(result("quick", ms=5.0, size=50), p50=7.0, p99=7.0)
    slow = shown(result("slow", ms=9.0, size=40), p50=7.0, p99=7.0)
    assert choose(FIRST, [quick, slow], ("latency_p50",)).reasons["slow"] == "passes, but loses on latency_p50"


def test_one_without_a_figure_loses_to_one_that_has_it() -> None:
    unknown = dataclasses.replace(result("unknown", size=50, ms=5.0), judgement=None)
    choice = choose(FIRST, [unknown], ("accuracy",))
    assert choice.chosen is FIRST
    assert choice.reasons == {"fp32": "best on accuracy of the candidates that pass", "unknown": "passes, but loses on accuracy"}


# Memory


def peaks(row: CandidateResult, *values: int) -> CandidateResult:
    assert row.figures is not None
    measurement = dataclasses.replace(row.figures.measurement, peak_memory_bytes=sorted(values)[len(values) // 2])
    return dataclasses.replace(row, figures=dataclasses.replace(row.figures, measurement=measurement, peaks=list(values)))


def test_memory_within_the_spread_of_its_measurements_does_not_choose_twice_the_size() -> None:
    same: dict[str, Any] = {"speed": Speedup(ratio=1.0, low=1.0, high=1.0)}
    small, large = peaks(result("small", size=40, **same), 96, 108, 110), peaks(result("large", size=80, **same), 92, 98, 99)
    assert choose(peaks(FIRST, 120, 130, 140), [small, large], OBJECTIVE).chosen.name == "small"
    surely = peaks(result("small", size=40, **same), 106, 108, 110)
    assert choose(peaks(FIRST, 120, 130, 140), [surely, large], OBJECTIVE).chosen.name == "large"
    assert OBJECTIVES["memory"]([result("once", memory=100), result("more", memory=106)])[0].name == "once"


# Where nothing was measured


def blocks(name: str) -> CandidateResult:
    tried = Candidate(name=name, precision=name, quantization=dataclasses.replace(INT8, block_size=32))
    return dataclasses.replace(unmeasured(name, size=20), candidate=tried)


@pytest.mark.parametrize("name", ["int8-blocks", "int4-blocks"])
def test_blocks_are_not_taken_for_a_machine_that_nobody_measured_unless_for_their_size(name: str) -> None:
    fp32, weights = unmeasured("fp32"), unmeasured("int8-weights", size=30)
    choice = choose(fp32, [blocks(name), weights], OBJECTIVE)
    assert choice.chosen is weights
    assert choice.reasons[name] == (
        "smaller, but its speed is not known: on processors without fast kernels for it, MatMulNBits is slower than fp32, and latency was not "
        "measured on this hardware; put --objective size first to choose by size, or measure with --measure-on"
    )
    assert choose(fp32, [blocks(name), weights], ("accuracy", "size")).chosen is weights
    assert choose(fp32, [blocks(name), weights], ("size", "latency_p99")).chosen.name == name


# Nodes that go back


def test_of_attempts_that_leave_one_node_out_only_half_as_many_are_made() -> None:
    assert first_that_passes(range(100), lambda number: number == MAX_STEPS // 2 - 1) == MAX_STEPS // 2 - 1
    assert first_that_passes(range(100), lambda number: number == MAX_STEPS // 2) is None


NODES = [f"n{number}" for number in range(20)]


class Looks:
    """Judges by a rule, and remembers what it was asked."""

    def __init__(self, *needed: str) -> None:
        self.needed = frozenset(needed)
        self.tried: list[list[str]] = []

    def attempt(self, chosen: frozenset[str]) -> frozenset[str]:
        self.tried.append(sorted(chosen, key=lambda name: int(name[1:])))
        return chosen

    def passes(self, chosen: frozenset[str]) -> bool:
        return self.needed <= chosen

    def revert(self, nodes: list[str]) -> tuple[str, ...] | None:
        return revert(nodes, self.attempt, self.passes)


def test_the_worst_are_doubled_then_halved_then_each_is_tried_without() -> None:
    looks = Looks("n5")
    assert looks.revert(NODES) == ("n5",)
    halves, doubles, between = [NODES[:10]], [NODES[:count] for count in (1, 2, 4, 8)], [NODES[:6], NODES[:5]]
    assert looks.tried[:7] == halves + doubles + between
    assert looks.tried[7:] == [["n0", "n1", "n2", "n3", "n5"], ["n0", "n1", "n2", "n5"], ["n0", "n1", "n5"], ["n0", "n5"], ["n5"]]


def test_no_more_than_half_of_the_nodes_are_reverted_and_at_least_one_may_be() -> None:
    assert Looks("n9").revert(NODES) == ("n9",)
    assert Looks("n10").revert(NODES) is None
    assert Looks("n0").revert(["n0"]) == ("n0",)
    assert Looks("n1").revert(["n0", "n1", "n2"]) is None


def test_nothing_is_judged_twice_and_never_more_than_the_bound() -> None:
    many = [f"n{number}" for number in range(400)]
    for needed in (["n0"], ["n150"], ["n199"], ["n3", "n77", "n140"]):
        looks = Looks(*needed)
        kept = looks.revert(many)
        assert kept is not None
        assert looks.needed <= set(kept)
        assert len(looks.tried) <= MAX_STEPS
        assert len({tuple(row) for row in looks.tried}) == len(looks.tried)


def test_every_look_that_is_left_is_used_to_step_back() -> None:
    looks = Looks(*(f"n{number}" for number in range(0, 40, 2)))
    kept = looks.revert([f"n{number}" for number in range(80)])
    assert kept is not None
    assert len(looks.tried) == MAX_STEPS
    assert len(kept) < 39


# Folds


@pytest.mark.parametrize(("rows", "count"), [(2, 1), (3, 1), (4, 2), (399, 199), (400, 200), (5000, ROWS)])
def test_calibration_and_cross_are_two_disjoint_sets_of_at_most_half_of_the_rows(rows: int, count: int) -> None:
    folds = split(rows, seed=1)
    first, second = folds.calibration.tolist(), folds.cross.tolist()
    assert len(first) == len(second) == count
    assert not set(first) & set(second)
    assert first == sorted(first)
    assert second == sorted(second)
    assert set(first) | set(second) <= set(range(rows))


def test_one_row_is_both() -> None:
    folds = split(1, seed=1)
    assert folds.calibration.tolist() == folds.cross.tolist() == [0]


def test_the_draw_follows_from_the_seed_and_the_number_of_rows() -> None:
    assert split(50, seed=1).calibration.tolist() == split(50, seed=1).calibration.tolist()
    assert split(50, seed=1).calibration.tolist() != split(50, seed=2).calibration.tolist()
    assert split(50, seed=1).calibration.tolist() != list(range(25))


def test_folds_are_whole_requests_where_that_leaves_any() -> None:
    assert len(split(50, seed=1, request_rows=8).calibration) == 24
    assert len(split(50, seed=1, request_rows=8).cross) == 24
    assert len(split(50, seed=1, request_rows=25).calibration) == 25
    assert len(split(50, seed=1, request_rows=26).calibration) == 25


def test_the_same_rows_of_everything_are_taken() -> None:
    arrays = {"x": np.arange(10), "y": np.arange(20).reshape(10, 2)}
    taken = take(arrays, np.array([1, 3]))
    assert {name: values.tolist() for name, values in taken.items()} == {"x": [1, 3], "y": [[2, 3], [6, 7]]}


def test_looks_that_are_left_are_spent_on_halving_before_any_step_back() -> None:
    looks = Looks("n1500")
    kept = looks.revert([f"n{number}" for number in range(4096)])
    assert kept is not None
    assert (len(looks.tried), len(kept)) == (MAX_STEPS, 1536)  # half, 1 to 1024 doubled, and four halvings


def test_two_builds_that_measured_the_same_choose_alike_however_close_it_is() -> None:
    random = np.random.default_rng(5)
    quick, slow = result("quick"), result("slow")
    assert quick.figures is not None
    assert slow.figures is not None
    times = random.gamma(50, 0.2, 60)
    lower, _ = ratio_interval(1.05 * times[::-1], times, 0.5, seed=0)
    at_the_bound = 1.05 * times[::-1] * (1.03 * (1 - 1e-9) / lower)
    pair = [
        dataclasses.replace(row, figures=dataclasses.replace(row.figures, samples_ms=values))
        for row, values in ((quick, times), (slow, at_the_bound))
        if row.figures is not None
    ]
    assert [names("latency_p50", *pair) for _ in range(12)] == [["quick", "slow"]] * 12
