"""How candidates are compared: opened several times, in turns, with an interval that knows both."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pytest

from sealift_packager.measure.bootstrap import ratio_interval
from sealift_packager.measure.comparison import EXTENSIONS, OPENINGS, compare
from sealift_packager.measure.latency import MAX_ROUNDS, MIN_ROUNDS, speedup
from sealift_packager.model.source import Array

NAMES = ("fp32", "int8", "fp16")
ONE_THREAD = {name: {1: name} for name in NAMES}
Calls = list[tuple[list[str], float, tuple[int, int]]]


def opened(calls: Calls, ms: Callable[[str, int], float], rounds: int = 9) -> Callable[[Sequence[str], float, tuple[int, int]], Mapping[str, Array]]:
    """Runs that take so many ms by name and opening; appends each call to ``calls``."""

    def open_and_measure(names: Sequence[str], seconds: float, bounds: tuple[int, int]) -> Mapping[str, Array]:
        calls.append((list(names), seconds, bounds))
        return {name: np.full(rounds, ms(name, len(calls) - 1)) for name in names}

    return open_and_measure


def test_all_candidates_are_opened_anew_each_time_for_as_many_rounds_as_the_first_time_gave() -> None:
    calls: Calls = []
    compared = compare(opened(calls, lambda name, _: {"fp32": 4.0}.get(name, 2.0)), ONE_THREAD, seconds=3.0)
    assert {name: candidate.samples_ms.shape for name, candidate in compared.items()} == dict.fromkeys(NAMES, (OPENINGS, 9))
    assert calls[0] == (list(NAMES), 3.0 / OPENINGS, (-(-MIN_ROUNDS // OPENINGS), MAX_ROUNDS // OPENINGS))
    assert {bounds for _, _, bounds in calls[1:]} == {(9, 9)}


def test_they_are_opened_in_another_order_each_time_and_the_same_in_every_build() -> None:
    first: Calls = []
    second: Calls = []
    for calls in (first, second):
        compare(opened(calls, lambda *_: 1.0), ONE_THREAD, seconds=0.0)
    assert first == second
    assert len({tuple(names) for names, _, _ in first}) > 2
    assert all(sorted(names) == sorted(NAMES) for names, _, _ in first)


def test_the_comparison_is_extended_while_one_may_or_may_not_be_slower() -> None:
    calls: Calls = []
    compare(opened(calls, lambda name, at: 1.0 if name == "fp32" or at % 2 else 1.1), ONE_THREAD, seconds=0.0)
    assert len(calls) == (1 + EXTENSIONS) * OPENINGS


def test_a_model_that_is_opened_once_has_one_row_of_samples() -> None:
    assert compare(opened([], lambda *_: 1.0), ONE_THREAD, seconds=0.0, openings=1)["int8"].samples_ms.shape == (1, 9)


def test_each_candidate_gets_the_fewest_threads_that_are_about_as_quick_as_any() -> None:
    ms = {"fp32 1": 4.0, "fp32 2": 2.0, "fp32 4": 1.95, "int8 1": 1.0, "int8 2": 0.98, "int8 4": 1.5}
    runs = {name: {count: f"{name} {count}" for count in (1, 2, 4)} for name in ("fp32", "int8")}
    compared = compare(opened([], lambda name, _: ms[name]), runs, seconds=0.0)
    assert {name: (candidate.threads, candidate.samples_ms[0, 0]) for name, candidate in compared.items()} == {"fp32": (2, 2.0), "int8": (1, 1.0)}


def test_of_two_that_are_as_quick_none_gets_fewer_threads_because_it_gains_a_little_less_by_more() -> None:
    ms = {"fp32 1": 1.06, "fp32 2": 1.0, "fp16 1": 1.045, "fp16 2": 1.0, "int8 1": 0.6, "int8 2": 0.59}
    runs = {name: {count: f"{name} {count}" for count in (1, 2)} for name in ("fp32", "fp16", "int8")}
    compared = compare(opened([], lambda name, _: ms[name]), runs, seconds=0.0)
    assert {name: candidate.threads for name, candidate in compared.items()} == {"fp32": 2, "fp16": 2, "int8": 1}


def test_one_opening_that_happened_to_be_slow_moves_the_interval_s_end_and_not_the_ratio() -> None:
    reference = np.random.default_rng(0).normal(1, 0.002, (OPENINGS, 50))
    slow = reference.copy()
    slow[2] *= 1.12
    gain = speedup(reference, slow, seed=0)
    assert gain.ratio == pytest.approx(1, abs=0.002)
    assert gain.low < 0.98
    alone = speedup(reference[2], slow[2], seed=0)
    assert alone.high == pytest.approx(1 / 1.12, abs=0.002)


def test_the_interval_holds_the_true_ratio_about_as_often_as_it_says_where_openings_differ() -> None:
    random, held = np.random.default_rng(0), 0
    for seed in range(200):
        ratios = random.normal(1, 0.015, (OPENINGS, 1)) + random.normal(0, 0.02, (OPENINGS, 40))
        gain = speedup(ratios, np.ones_like(ratios), seed=seed)
        held += gain.low <= 1 <= gain.high
    assert held >= 0.85 * 200


def test_the_interval_of_a_quantile_s_ratio_knows_of_openings_too() -> None:
    random = np.random.default_rng(0)
    equal = 1 + random.gamma(2, 0.01, (OPENINGS, 50))
    apart = equal * random.normal(1, 0.1, (OPENINGS, 1))
    (low, high), (pooled_low, pooled_high) = (ratio_interval(values, equal.reshape(values.shape), 0.5, seed=0) for values in (apart, apart.ravel()))
    assert high - low > 2 * (pooled_high - pooled_low)
