"""A new version beside the one before it: what of its failures, its time and its memory is its own."""

from __future__ import annotations

import gc
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sealift_runtime.inference.messages import Failure, FailureReason, InferRequest
from sealift_runtime.inference.service import InferenceService
from sealift_runtime.inference.table import ModelTable
from sealift_runtime.inference.trial import Trial, are_comparable
from sealift_runtime.inference.trial_counts import TrialCounts
from support.serving import served
from support.worse_sessions import WorseSession, failing, leaking, not_finite, slower

X = np.array([[1, 2, 3, 4]], np.float32)
NEGATIVE = -X


def is_negative(inputs: Any) -> bool:
    return bool((inputs["x"] < 0).any())


class TwoVersions:
    """1.1.0 of a model serves, beside 1.0.0 of the same graph."""

    def __init__(self, folder: Path, model: str = "linear", spoil: Callable[..., Any] | None = None, spoil_previous: Any = None) -> None:
        self.previous = served(folder / "1", model, version="1.0.0")
        self.new = served(folder / "2", model, version="1.1.0")
        for version, how in ((self.new, spoil), (self.previous, spoil_previous)):
            if how:
                version.session = WorseSession(version.session, how)
        self.new.trial = self.trial = Trial(self.new, self.previous)
        table = ModelTable()
        table.activate(self.new)
        self.service = InferenceService(table)

    def ask(self, **inputs: Any) -> Any:
        return self.service.infer(InferRequest(self.new.name, None, inputs))

    def until(self, is_enough: Callable[[TrialCounts], bool], **inputs: Any) -> TrialCounts:
        """What the trial says once there is enough of it; clients ask on meanwhile."""
        deadline = time.monotonic() + 60
        while not is_enough(counts := self.trial.counts()):
            assert time.monotonic() < deadline, counts
            if inputs:
                self.ask(**inputs)
            time.sleep(0.002)
        return counts


@pytest.fixture
def versions(tmp_path: Path) -> Any:
    made = []

    def make(*args: Any, **options: Any) -> TwoVersions:
        made.append(TwoVersions(tmp_path, *args, **options))
        return made[-1]

    yield make
    for pair in made:
        pair.trial.stop()


def test_two_versions_of_one_graph_take_the_same_time_and_memory(versions: Any) -> None:
    counts = versions("slow").until(lambda counts: len(counts.ratios) >= 20, x=X, rounds=np.array([200]))
    assert 0.7 < np.median(counts.ratios) < 1.4
    assert abs(np.median(counts.growths)) < 64 * 1024
    assert (counts.previous, counts.failures, counts.nonfinite) == ("1.0.0", 0, 0)


def test_a_slower_version_is_known_by_the_same_requests(versions: Any) -> None:
    counts = versions("slow", slower(2.0)).until(lambda counts: len(counts.ratios) >= 10, x=X, rounds=np.array([200]))
    assert np.median(counts.ratios) > 1.5


def test_memory_that_a_version_keeps_is_its_own(versions: Any) -> None:
    counts = versions("linear", leaking(2**20)).until(lambda counts: len(counts.growths) >= 10, x=X)
    assert np.median(counts.growths) > 2**19


def test_a_failure_that_the_previous_version_answers_is_the_versions_own(versions: Any) -> None:
    pair = versions("linear", failing(is_negative))
    assert pair.ask(x=NEGATIVE).reason is FailureReason.MODEL
    counts = pair.until(lambda counts: counts.failures_asked == 1)
    assert (counts.failures, counts.failures_own) == (1, 1)


def test_a_failure_of_both_versions_is_nobodys(versions: Any) -> None:
    pair = versions("linear", failing(is_negative), failing(is_negative))
    pair.ask(x=NEGATIVE)
    counts = pair.until(lambda counts: counts.failures_asked == 1)
    assert (counts.failures, counts.failures_own) == (1, 0)


def test_a_failure_that_does_not_happen_again_is_nobodys(versions: Any) -> None:
    hits = iter([True])
    pair = versions("linear", failing(lambda _: next(hits, False)))
    pair.ask(x=X)
    counts = pair.until(lambda counts: counts.failures_asked == 1)
    assert counts.failures_own == 0


def test_not_finite_answers_count_where_the_previous_version_gives_numbers(versions: Any) -> None:
    pair = versions("linear", not_finite(is_negative))
    pair.ask(x=NEGATIVE)
    counts = pair.until(lambda counts: counts.nonfinite_asked == 1)
    assert (counts.nonfinite, counts.nonfinite_own) == (1, 1)


def test_a_logarithm_of_negative_numbers_is_no_fault_of_a_version(versions: Any) -> None:
    pair = versions("logarithm")
    pair.ask(x=np.array([[-1, 0]], np.float32))
    counts = pair.until(lambda counts: counts.nonfinite_asked == 1)
    assert (counts.nonfinite, counts.nonfinite_own) == (1, 0)


def test_requests_that_do_not_fit_the_signature_are_not_asked_again(versions: Any) -> None:
    pair = versions()
    assert isinstance(pair.ask(x=X.astype(np.float64)), Failure)
    assert pair.trial.counts().failures == 0


def test_what_a_client_does_to_its_arrays_afterwards_changes_nothing(versions: Any) -> None:
    pair = versions("linear", failing(is_negative))
    changing = NEGATIVE.copy()
    pair.ask(x=changing)
    changing[...] = 1
    counts = pair.until(lambda counts: counts.failures_asked == 1)
    assert counts.failures_own == 1


def test_more_failures_than_can_wait_are_counted_all_the_same(versions: Any) -> None:
    pair = versions("linear", failing(is_negative))
    for _ in range(200):
        pair.ask(x=NEGATIVE)
    counts = pair.trial.counts()
    assert counts.failures == 200
    assert counts.failures_asked < 200


def test_the_previous_version_leaves_memory_with_the_trial(tmp_path: Path) -> None:
    pair = TwoVersions(tmp_path)
    previous = weakref.ref(pair.previous.session)
    pair.until(lambda counts: len(counts.ratios) >= 1, x=X)
    pair.trial.stop()
    pair.new.trial = None
    thread = pair.trial._thread
    del pair
    thread.join(10)
    gc.collect()
    assert previous() is None


@pytest.mark.parametrize(("model", "other", "comparable"), [("linear", "linear", True), ("linear", "sharded", True), ("linear", "logarithm", False)])
def test_versions_are_compared_if_they_take_the_same_requests(tmp_path: Path, model: str, other: str, comparable: bool) -> None:
    new, previous = served(tmp_path / "1", model), served(tmp_path / "2", other)
    assert are_comparable(new, previous) is comparable


@pytest.mark.parametrize("size", [-1, -(2**40)])
def test_a_graph_that_refuses_the_values_says_so_and_is_not_at_fault(versions: Any, size: int) -> None:
    pair = versions("hungry")
    failure = pair.ask(size=np.array([size]))
    assert failure.reason is FailureReason.BAD_REQUEST
    assert failure.message.startswith("hungry 1.1.0: the model can't be computed with these values: found")
    assert pair.new.observer.failures == ["bad-request"]
    counts = pair.until(lambda counts: counts.failures_asked == 1)
    assert (counts.failures, counts.failures_own) == (1, 0)


def test_a_version_that_refuses_what_the_previous_one_answers_is_at_fault(versions: Any) -> None:
    pair = versions("hungry", failing(lambda inputs: inputs["size"][0] > 5))
    pair.ask(size=np.array([6]))
    assert pair.until(lambda counts: counts.failures_asked == 1).failures_own == 1
