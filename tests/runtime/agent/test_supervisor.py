"""A child that hangs is killed and started again; one that answers, or never did, is left alone."""

from __future__ import annotations

import itertools
import sys
import threading
from collections.abc import Iterator

import pytest

from sealift_runtime.agent import supervisor
from sealift_runtime.agent.supervisor import Child, Silence, Supervisor


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "ASK_S", 0.0)
    monkeypatch.setattr(supervisor, "SILENT_S", 0.2)


def test_a_child_that_answered_and_then_hangs_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = itertools.chain([True], itertools.repeat(False))
    crashes: list[tuple[str, int]] = []
    child = Child("server", [sys.executable, "-c", "import time; time.sleep(600)"], answers=lambda: next(answers))
    keeper: Supervisor

    def crashed(name: str, code: int) -> None:
        crashes.append((name, code))
        keeper._stopping.set()

    keeper = Supervisor([child], crashed)
    monkeypatch.setattr(supervisor, "FIRST_PAUSE_S", 0.0)
    kept = threading.Thread(target=keeper._keep, args=(child,))
    kept.start()
    kept.join(60)
    assert crashes == [("server", -9)]


@pytest.mark.parametrize("answers", [itertools.repeat(True), itertools.repeat(False), itertools.cycle([True, False])])
def test_one_that_answers_now_and_then_or_never_did_is_left_alone(answers: Iterator[bool]) -> None:
    silence = Silence(lambda: next(answers))
    ended = threading.Event()
    threading.Timer(0.5, ended.set).start()
    while not ended.wait(0.01):
        assert not silence.is_too_long()


def test_a_child_that_can_not_be_asked_is_not_watched() -> None:
    assert not Silence(None).is_too_long()
