"""Functions that a user names: what is found, and what is said when there is none."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sealift_packager.build.pipeline import pack
from sealift_packager.errors import DataError
from sealift_packager.measure.accuracy import assess, check_pace
from sealift_packager.measure.metrics import find_metric
from sealift_packager.measure.predictions import read_prediction
from sealift_packager.plugins.functions import load_callable
from support import trained
from support.packing import request

MINE = """
def score(target, outputs):
    return 1.0
def breaks(target, outputs):
    raise KeyError("logits")
def nothing(target, outputs):
    return float("nan")
def each(target, outputs):
    return abs(outputs["y"][:, 0] - target)
each.by_row, each.higher_is_better = True, False
def all_at_once(target, outputs):
    return 1.0
all_at_once.by_row = True
"""


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    (tmp_path / "mine.py").write_text(MINE)
    return tmp_path / "mine.py"


def test_a_module_is_looked_for_in_the_current_directory_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sealift_test_module.py").write_text(MINE)
    monkeypatch.chdir(tmp_path)
    assert load_callable("sealift_test_module:score", where="--metric", error=DataError)(None, None) == 1.0


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("mine.py:", "--metric: malformed: expected module:function or path/to/file.py:function, found 'mine.py:'"),
        ("none.py:score", "--metric: no such file: expected a Python file, found none.py"),
        ("mine.py:scor", "--metric: no such function: expected a function of mine.py, found 'scor'. Did you mean 'score'?"),
        ("broken.py:score", "--metric: can't be imported (caused by: ZeroDivisionError: division by zero): found broken.py"),
        ("no_such_module:score", "--metric: can't be imported (caused by: ModuleNotFoundError: No module named 'no_such_module')"),
    ],
)
def test_a_function_that_can_t_be_had_says_why(mine: Path, monkeypatch: pytest.MonkeyPatch, reference: str, message: str) -> None:
    (mine.parent / "broken.py").write_text("1 / 0\n")
    monkeypatch.chdir(mine.parent)
    with pytest.raises(DataError) as caught:
        load_callable(reference, where="--metric", error=DataError)
    assert message in str(caught.value)


def test_a_metric_that_fails_is_named_with_its_error(mine: Path) -> None:
    with pytest.raises(DataError, match=r"--metric .*mine\.py:breaks: the metric failed \(caused by: KeyError: 'logits'\)"):
        find_metric(f"{mine}:breaks").score(np.zeros(2), read_prediction({"y": np.zeros((2, 1), np.float32)}))


def test_a_metric_that_is_no_number_stops_the_build(mine: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"--metric .*mine\.py:nothing: the metric is not a number on this holdout"):
        pack(request(trained.cancer(), tmp_path / "out", metric=f"{mine}:nothing"))
    assert not (tmp_path / "out").exists()


def test_auc_of_more_than_two_classes_is_refused_with_their_number() -> None:
    prediction = read_prediction({"probabilities": np.full((3, 3), 1 / 3, np.float32), "label": np.arange(3)})
    with pytest.raises(DataError, match="the metric auc needs two classes.*found 3 classes"):
        find_metric("auc").score(np.arange(3), prediction)


def test_a_metric_by_row_is_the_mean_of_what_it_gives_for_each_row(mine: Path) -> None:
    metric = find_metric(f"{mine}:each")
    prediction = read_prediction({"y": np.array([[1.0], [5.0], [2.0]], np.float32)})
    target = np.array([1.0, 4.0, 4.0])
    assert metric.by_row is not None
    assert metric.by_row(target, prediction).tolist() == [0, 1, 2]
    assert metric.score(target, prediction) == 1
    assert not metric.higher_is_better
    with pytest.raises(DataError, match="no number for each row.*3 numbers.*found shape"):
        find_metric(f"{mine}:all_at_once").score(target, prediction)


def test_a_metric_by_row_is_called_once_for_each_candidate_and_not_for_each_resample(mine: Path) -> None:
    metric = find_metric(f"{mine}:each")
    target = np.arange(500.0)
    reference = read_prediction({"y": target.reshape(-1, 1).astype(np.float32)})
    packaged = read_prediction({"y": (target + np.arange(500) % 3).reshape(-1, 1).astype(np.float32)})
    calls: list[int] = []
    by_row = metric.by_row
    assert by_row is not None

    def counting(*arguments: Any) -> Any:
        calls.append(1)
        return by_row(*arguments)

    counted = dataclasses.replace(metric, by_row=counting)
    result = assess(counted, target, reference, packaged, budget=0.1, seed=0, rounded=True)
    assert result.loss_low < result.loss < result.loss_high
    assert len(calls) == 2


def test_a_metric_that_would_take_too_long_for_a_candidate_is_refused_with_the_way_out(mine: Path, caplog: pytest.LogCaptureFixture) -> None:
    slow = find_metric(f"{mine}:breaks")
    with pytest.raises(DataError, match=r"too slow.*at most 600 s for each candidate.*700 s.*by_row = True"):
        check_pace(slow, 0.7)
    check_pace(slow, 0.05)
    assert "takes about 50 s" in caplog.text
    check_pace(find_metric(f"{mine}:each"), 100.0)
