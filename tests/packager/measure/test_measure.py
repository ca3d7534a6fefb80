"""What is measured of candidates: the graph level that suits them, and rows per second."""

from __future__ import annotations

import dataclasses
import threading
import time
from pathlib import Path

import numpy as np
import onnx
import pytest

from sealift_core.timing.throughput import throughput
from sealift_packager.build.pipeline import pack
from sealift_packager.cache.serialization import from_json, to_json
from sealift_packager.candidates.from_profile import FP32
from sealift_packager.candidates.result import CandidateResult
from sealift_packager.diff import artifact
from sealift_packager.graph.session import open_session
from sealift_packager.measure import figures
from sealift_packager.measure.figures import Workload, footprints_for, measure_candidates
from sealift_packager.measure.tuning import quickest_level, settings_for
from sealift_packager.quantize import ranges
from sealift_runtime.engine.session import ModelSession
from support import trained
from support.models import make_profile
from support.packing import elsewhere, request

RANDOM = np.random.default_rng(0)
MS = 1 + RANDOM.gamma(2, 0.01, 40)


def test_another_graph_level_must_surely_be_quicker_by_more_than_the_noise() -> None:
    assert quickest_level({"all": MS, "extended": MS / 1.03, "basic": MS * 2}) == "all"
    assert quickest_level({"all": MS, "extended": MS / 1.2, "basic": MS / 1.1}) == "extended"
    noisy = MS * RANDOM.uniform(0.2, 1.9, 40)
    assert quickest_level({"all": MS, "extended": noisy, "basic": MS}) == "all"


def test_throughput_is_the_best_rate_over_batches_with_all_callers_at_once() -> None:
    seen: set[int] = set()

    def request(milliseconds: float) -> None:
        seen.add(threading.get_ident())
        time.sleep(milliseconds / 1000)

    best = throughput({1: lambda: request(5), 4: lambda: request(5), 8: lambda: request(40)}, callers=3, seconds=0.05)
    assert best.batch_size == 4
    assert 4 * 3 / 0.02 < best.rows_per_s < 4 * 3 / 0.005
    assert len(seen) >= 3


def test_larger_batches_are_not_tried_once_a_request_takes_long() -> None:
    tried: list[int] = []

    def request(size: int) -> None:
        tried.append(size)
        time.sleep(0.05)

    assert throughput({size: lambda size=size: request(size) for size in (1, 2, 4)}, callers=1, seconds=0.01).batch_size == 1  # type: ignore[misc]
    assert tried == [1]


def test_a_request_of_more_rows_than_there_are_repeats_them_and_a_fixed_batch_is_kept() -> None:
    rows = {"x": np.arange(3), "s": np.array(["a", "b", "c"], dtype=object)}
    assert Workload(rows=rows).request(5)["x"].tolist() == [0, 1, 2, 0, 1]
    assert Workload(rows=rows).example["s"].tolist() == ["a"]
    assert Workload(rows=rows, fixed=3).example["s"].tolist() == ["a", "b", "c"]
    assert Workload(rows=rows, fixed=3).batches == (3,)


@pytest.fixture(scope="module")
def net() -> CandidateResult:
    return CandidateResult.built(FP32, onnx.load(trained.onnx_net().model))


def test_every_figure_is_measured_and_survives_being_written_down(net: CandidateResult, tmp_path: Path) -> None:
    with np.load(trained.digits_holdout()) as data:
        work = Workload(rows={"image": data["image"][:32]})
    by_name = measure_candidates([net], work, (1,), machine="here", cores=2, seconds=0.05, footprints=2, scratch=tmp_path)
    fp32 = by_name["fp32"]
    measurement = fp32.measurement
    assert fp32.threads == 1
    assert fp32.graph_optimization in ("all", "extended", "basic")
    assert measurement.latency_p50_ms <= measurement.latency_p99_ms
    assert measurement.throughput_rows_per_s is not None
    assert measurement.throughput_rows_per_s > 0
    assert measurement.throughput_batch_size in work.batches
    assert measurement.load_time_ms > 0
    assert len(fp32.peaks) == 2
    assert measurement.peak_memory_bytes == min(fp32.peaks) > 2**20
    assert from_json(type(fp32), to_json(fp32)).measurement == measurement


@pytest.mark.parametrize(
    ("objective", "candidates", "processes"),
    [(("latency_p50", "memory"), 2, 3), (("load_time",), 2, 3), (("latency_p50", "size"), 2, 1), (("memory",), 1, 1)],
)
def test_loading_is_measured_several_times_where_it_decides(
    net: CandidateResult, objective: tuple[str, ...], candidates: int, processes: int
) -> None:
    assert footprints_for([net] * candidates, objective) == processes


def test_a_level_is_what_the_session_is_opened_with(net: CandidateResult, tmp_path: Path) -> None:
    assert settings_for(net, 2, "basic").graph_optimization == "basic"
    assert open_session(net.model, settings_for(net, 1, "basic"), where="x").get_session_options().graph_optimization_level.name == "ORT_ENABLE_BASIC"


def test_the_level_that_suits_is_the_bundle_s_and_the_agent_opens_it_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "choose_level", lambda *_, **__: "basic")
    packed = pack(request(trained.onnx_net(), tmp_path / "out", make_profile(precisions=("fp32",)), measure_seconds=0.05))
    assert packed.manifests["any-cpu"].session.graph_optimization == "basic"
    artifact.unpack(packed.directory, "any-cpu", tmp_path / "bundle")
    session = ModelSession.open(tmp_path / "bundle")
    assert session._session.get_session_options().graph_optimization_level.name == "ORT_ENABLE_BASIC"


def test_the_manifest_says_how_many_rows_a_large_model_was_really_calibrated_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranges, "MAX_VALUES", 1)
    job = request(trained.onnx_net(), tmp_path / "out", elsewhere(), max_drop=0.5)
    job = dataclasses.replace(job, profiles=(dataclasses.replace(job.profiles[0], precisions=("fp32", "int8-static")),))
    model = pack(job).manifests["elsewhere"].model
    assert model.precision == "int8-static"
    assert model.recipe["calibration_rows"] == ranges.MIN_REQUESTS
