"""What `make mutants` makes of a run: changes are compared with those that are listed, and a changed function is compiled where it stands."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import types

import pytest

from mutants import verdicts
from mutants.areas import AREAS
from mutants.codes import Mutant, change, functions_of
from mutants.verdicts import judge, name, parse
from support.help_pages import ROOT

ONE, TWO, THREE = (name("a.py", "f", text) for text in ("x  →  y", "x  →  z", "x  →  None"))
LIST = """
[[same]]
reason = "f is only called with y"
changes = ["a.py f: x  →  y"]
"""


class Base:
    def answer(self) -> int:
        return 40


class Derived(Base):
    @property
    def total(self) -> int:
        return super().answer() + self.__two()

    def __two(self) -> int:
        return 2


@dataclasses.dataclass(frozen=True, slots=True)
class Slotted:
    value: int

    def doubled(self) -> int:
        return self.value * 2


def mutant(function: types.FunctionType, qualified: str, text: str) -> Mutant:
    return Mutant(module=__file__, function=qualified, change="", line=function.__code__.co_firstlineno, text=text)


def test_a_listed_survivor_counts_neither_for_nor_against_an_area() -> None:
    verdict = judge([ONE, TWO, THREE], [ONE], parse(LIST))
    assert (verdict.mutants, verdict.noticed, verdict.listed, verdict.share, verdict.unlisted, verdict.stale) == (3, 2, 1, 1.0, (), ())


def test_a_survivor_that_is_not_listed_is_named_and_counts() -> None:
    verdict = judge([ONE, TWO, THREE], [ONE, TWO], parse(LIST))
    assert verdict.unlisted == (TWO,)
    assert verdict.share == 0.5
    assert not verdict.is_enough


def test_ninety_five_of_a_hundred_are_enough_and_one_less_is_not() -> None:
    changes = [str(number) for number in range(100)]
    assert judge(changes, changes[:5], {}).is_enough
    assert not judge(changes, changes[:6], {}).is_enough


def test_a_listed_survivor_that_is_noticed_now_or_gone_is_told() -> None:
    assert judge([ONE, TWO], [], parse(LIST)).stale == (ONE,)
    assert judge([TWO], [], parse(LIST)).stale == (ONE,)


@pytest.mark.parametrize("text", [LIST + LIST, LIST.replace("f is only called with y", " ")], ids=["twice", "without a reason"])
def test_a_list_with_a_change_twice_or_without_a_reason_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="listed twice, or without a reason"):
        parse(text)


def test_every_list_belongs_to_an_area_and_can_be_read() -> None:
    assert {path.stem for path in verdicts.FOLDER.glob("*.toml")} <= set(AREAS)
    assert all(verdicts.read(area) is not None for area in AREAS)


@pytest.mark.parametrize("area", AREAS)
def test_every_area_names_modules_and_tests_that_exist(area: str) -> None:
    assert all(list(ROOT.glob(pattern)) for pattern in AREAS[area].modules)
    assert all((ROOT / tests).exists() for tests in AREAS[area].tests)


def test_a_method_is_changed_in_its_class_with_super_and_private_names() -> None:
    function = Derived.__dict__["total"].fget
    changed = mutant(function, "Derived.total", "def total(self) -> int:\n    return super().answer() - self.__two()\n")
    original = function.__code__
    try:
        change(functions_of([changed.key])[changed.key], changed)
        assert Derived().total == 38
        change([function], mutant(function, "Derived.total", "def total(self) -> int:\n    pass\n"))
        assert Derived().total is None
    finally:
        function.__code__ = original
    assert Derived().total == 42


def test_a_method_of_a_class_that_was_made_anew_with_slots_is_changed() -> None:
    function = Slotted.__dict__["doubled"]
    changed = mutant(function, "Slotted.doubled", "def doubled(self) -> int:\n    return self.value * 3\n")
    original = function.__code__
    try:
        change(functions_of([changed.key])[changed.key], changed)
        assert Slotted(2).doubled() == 6
    finally:
        function.__code__ = original


def test_what_goes_round_in_circles_is_ended_by_the_processor_time_that_it_takes() -> None:
    endless = "from mutants.notice import end_after; end_after(1)\nwhile True: pass"
    done = subprocess.run([sys.executable, "-c", endless], env=os.environ | {"PYTHONPATH": str(ROOT / "tests")}, check=False, timeout=300)
    assert done.returncode == -signal.SIGKILL
