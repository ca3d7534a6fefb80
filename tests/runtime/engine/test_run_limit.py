"""A run ends when it takes too long, or when nobody waits for it any more; others go on."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sealift_core.errors import EngineError
from sealift_runtime.engine.run_limit import LOOK_S, RunEndedError, RunLimit
from sealift_runtime.engine.session import ModelSession
from support.models import MODELS, make_bundle

X = np.array([[1, 2, 3, 4]], np.float32)


def slow(folder: Path) -> ModelSession:
    make_bundle(folder, model="slow")
    return ModelSession.open(folder)


def rounds(count: int) -> dict[str, Any]:
    return {"x": X, "rounds": np.array([count])}


def test_a_run_that_takes_too_long_is_ended_and_says_so(tmp_path: Path) -> None:
    session, began = slow(tmp_path), time.monotonic()
    with pytest.raises(RunEndedError, match=r"^slow 1\.0\.0: the model was stopped: it took more than 0\.1 s$"):
        session.run(rounds(10**9), None, RunLimit(0.1))
    assert time.monotonic() - began < 20
    session.run(rounds(10), None, RunLimit(30))


def test_a_run_that_nobody_waits_for_is_ended(tmp_path: Path) -> None:
    session, limit = slow(tmp_path), RunLimit(3600)
    threading.Timer(4 * LOOK_S, setattr, (limit, "abandoned", True)).start()
    with pytest.raises(RunEndedError, match="nobody waits for its answer"):
        session.run(rounds(10**9), None, limit)


def test_of_several_runs_only_the_one_that_is_over_ends(tmp_path: Path) -> None:
    session, answers = slow(tmp_path), list[Any]()
    other = threading.Thread(target=lambda: answers.append(session.run(rounds(100_000), None, RunLimit(600))))
    other.start()
    with pytest.raises(RunEndedError):
        session.run(rounds(10**9), None, RunLimit(0.05))
    other.join()
    np.testing.assert_array_equal(answers[0]["y"], session.run(rounds(100_000))["y"])


def test_one_run_after_another_is_watched(tmp_path: Path) -> None:
    session = slow(tmp_path)
    for _ in range(3):
        time.sleep(3 * LOOK_S)
        with pytest.raises(RunEndedError):
            session.run(rounds(10**9), None, RunLimit(0.01))


@pytest.mark.parametrize("model", ["linear", "text", "logarithm"])
def test_a_limit_changes_no_answer(tmp_path: Path, model: str) -> None:
    make_bundle(tmp_path, model=model)
    session = ModelSession.open(tmp_path)
    for request in MODELS[model].requests:
        for name, value in session.run(request).items():
            np.testing.assert_array_equal(session.run(request, None, RunLimit(60))[name], value)


def test_what_onnxruntime_refuses_is_refused_as_without_a_limit(tmp_path: Path) -> None:
    make_bundle(tmp_path, model="hungry")
    with pytest.raises(EngineError, match="does not run") as refusal:
        ModelSession.open(tmp_path).run({"size": np.array([-1])}, None, RunLimit(60))
    assert not isinstance(refusal.value, RunEndedError)
