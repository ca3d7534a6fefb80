"""Which model serves under a name, and whether it is quick enough for the event loop."""

from __future__ import annotations

from pathlib import Path

from sealift_runtime.inference.limits import InferenceLimits
from sealift_runtime.inference.model import ServedModel
from sealift_runtime.inference.table import ModelTable
from support.serving import served


def test_a_model_is_found_by_its_version_only(tmp_path: Path) -> None:
    table = ModelTable()
    model = served(tmp_path, version="1.2.3")
    table.activate(model)
    assert table.get("linear") is table.get("linear", "1.2.3") is model
    assert table.get("linear", "1.2.4") is None
    assert table.get("other") is None


def inline_after(model: ServedModel, run_ms: float, times: int) -> bool:
    for _ in range(times):
        model.took(int(run_ms * 1e6))
    return model.inline


def test_a_model_runs_inline_while_it_is_quick(tmp_path: Path) -> None:
    model = served(tmp_path, limits=InferenceLimits(inline_latency_us=1000))
    assert model.inline
    assert inline_after(model, 1000, times=3), "a few interruptions are no reason"
    assert inline_after(model, 0.01, times=100)
    assert not inline_after(model, 2, times=100), "it is slow"
    assert inline_after(model, 0.01, times=100), "it is quick again"


def test_a_model_that_measures_slow_starts_with_the_workers(tmp_path: Path) -> None:
    assert served(tmp_path, limits=InferenceLimits(inline_latency_us=0.001)).inline is False
