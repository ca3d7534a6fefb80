"""The order in which things are timed in turns."""

from __future__ import annotations

import functools
import time
from collections import Counter
from itertools import pairwise

from sealift_core.timing.alternation import QUICK_MS, WARM_UP, alternate

ROUNDS = 60


def said_by(rounds: int, names: str = "abc", *, slow: str = "") -> str:
    """The order of all runs after the warm-up; of those in ``slow`` each takes longer than `QUICK_MS`."""
    said: list[str] = []

    def run(name: str) -> None:
        said.append(name)
        time.sleep(1.2 * QUICK_MS / 1000 if name in slow else 0)

    samples = alternate({name: functools.partial(run, name) for name in names}, seconds=0, least_rounds=rounds, most_rounds=rounds)
    assert {len(values) for values in samples.values()} == {rounds}
    return "".join(said[WARM_UP * len(names) :])


def test_each_is_warmed_up_first() -> None:
    said: list[str] = []
    alternate({name: functools.partial(said.append, name) for name in "abc"}, seconds=0, least_rounds=0, most_rounds=0)
    assert "".join(said) == "a" * WARM_UP + "b" * WARM_UP + "c" * WARM_UP


def test_a_quick_run_is_timed_right_after_one_of_its_own() -> None:
    order = said_by(ROUNDS)
    assert len(order) == 2 * 3 * ROUNDS
    assert order[::2] == order[1::2]


def test_slow_runs_are_made_once_a_round() -> None:
    order = said_by(4, slow="b")
    assert [sorted(order[first : first + 3]) for first in range(0, len(order), 3)] == [["a", "b", "c"]] * 4


def test_nothing_follows_itself_and_every_one_follows_every_other_about_as_often() -> None:
    order = said_by(ROUNDS)[::2]
    after = Counter(pairwise(order))
    assert set(after) == {(one, other) for one in "abc" for other in "abc" if one != other}
    assert max(after.values()) < 2 * min(after.values())


def test_the_order_is_the_same_every_time() -> None:
    assert said_by(5) == said_by(5)


def test_one_alone_is_timed() -> None:
    assert said_by(3, "a") == "a" * 6
