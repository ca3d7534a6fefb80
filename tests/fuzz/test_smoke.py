"""The fuzzer itself works."""

from __future__ import annotations

from fuzz.one_case import EQUAL, run_case


def test_a_case_is_packed_and_compared() -> None:
    assert run_case(5).verdict == EQUAL
