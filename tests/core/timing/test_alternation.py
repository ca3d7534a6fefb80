"""The order in which things are timed in turns."""

from __future__ import annotations

import functools
import time
from collections import Counter
from itertools import pairwise

from sealift_core.timing.alternation import QUICK_MS, WARM_UP, alternate

ROUNDS = 60


def order_of_runs(rounds: int, names: str = "abc", *, slow: str = "") -> str:
    """The order of all runs after the warm-up; of those in ``slow`` each takes longer than `QUICK_MS`."""
    names_run: list[str] = []

    def run(name: str) -> None:
        names_run.append(name)
        time.sleep(1.2 * QUICK_MS / 1000 if name in slow else 0)

    samples = alternate({name: functools.partial(run, name) for name in names}, seconds=0, least_rounds=rounds, most_rounds=rounds)
    assert {len(values) for values in samples.values()} == {rounds}
    return "".join(names_run[WARM_UP * len(names) :])


def test_each_is_warmed_up_first() -> None:
    names_run: list[str] = []
    alternate({name: functools.partial(names_run.append, name) for name in "abc"}, seconds=0, least_rounds=0, most_rounds=0)
    assert "".join(names_run) == "a" * WARM_UP + "b" * WARM_UP + "c" * WARM_UP


def test_a_quick_run_is_timed_right_after_one_of_its_own() -> None:
    order = order_of_runs(ROUNDS)
    assert len(order) == 2 * 3 * ROUNDS
    assert order[::2] == order[1::2]


def test_slow_runs_are_made_once_a_round() -> None:
    order = order_of_runs(4, slow="b")
    assert [sorted(order[first : first + 3]) for first in range(0, len(order), 3)] == [["a", "b", "c"]] * 4


def test_nothing_follows_itself_and_every_one_follows_every_other_about_as_often() -> None:
    order = order_of_runs(ROUNDS)[::2]
    after = Counter(pairwise(order))
    assert set(after) == {(one, other) for one in "abc" for other in "abc" if one != other}
    assert max(after.values()) < 2 * min(after.values())


def test_the_order_is_the_same_every_time() -> None:
    assert order_of_runs(5) == order_of_runs(5)


def test_one_alone_is_timed() -> None:
    assert order_of_runs(3, "a") == "a" * 6
