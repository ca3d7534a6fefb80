"""A bad candidate fails in a process of its own, by name; a good one passes."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from sealift_core.bundle.evaluation import Measurement
from sealift_core.bundle.golden import GoldenCase
from sealift_core.errors import MemoryShortageError, SandboxError, SelfTestError
from sealift_core.process.child import ChildOutcome, run_child
from sealift_runtime.engine.selftest import SelfTestResult, judge, run_self_test
from support.models import MODELS, answer, make_bundle, make_manifest

MIB = 2**20


def self_test(directory: Path, *, memory_bytes: int | None = 300 * MIB, timeout_s: float = 30, slowdown_limit: float | None = None) -> SelfTestResult:
    return run_self_test(directory, memory_bytes=memory_bytes, timeout_s=timeout_s, slowdown_limit=slowdown_limit)


def judged(script: str, tmp_path: Path, *, timeout_s: float = 20) -> SelfTestResult:
    """The verdict on a child that runs this script instead of the self-test; `result` is its result descriptor."""
    code = "import os, sys, signal, time, resource\nresult = int(sys.argv[1])\n" + textwrap.dedent(script)
    outcome = run_child([sys.executable, "-c", code], timeout_s=timeout_s)
    return judge(outcome, tmp_path, timeout_s=timeout_s, memory_bytes=None)


@pytest.mark.parametrize("model", ["linear", "text", "logarithm", "sharded"])
def test_a_good_bundle_passes(tmp_path: Path, model: str) -> None:
    make_bundle(tmp_path, model=model)
    result = self_test(tmp_path)
    assert result.cases == len(MODELS[model].requests)
    assert result.worst_excess <= 1
    assert result.latency_ms > 0
    assert result.peak_memory_bytes > MIB
    assert result.reference_latency_ms is None


def test_wrong_outputs_are_named_with_case_output_and_values(tmp_path: Path) -> None:
    request = MODELS["linear"].requests[1]
    outputs = answer("linear", request)
    outputs["scores"] = outputs["scores"] + np.float32(0.01)
    make_bundle(tmp_path, cases=[GoldenCase(inputs=dict(request), outputs=outputs)])
    with pytest.raises(SelfTestError, match=r"wrong outputs: found case 0, output 'scores': expected .*times the tolerance"):
        self_test(tmp_path)


def test_a_wrong_label_is_a_wrong_output(tmp_path: Path) -> None:
    request = MODELS["linear"].requests[0]
    outputs = answer("linear", request)
    make_bundle(tmp_path, cases=[GoldenCase(inputs=dict(request), outputs=outputs | {"label": outputs["label"] + 1})])
    with pytest.raises(SelfTestError, match="output 'label'"):
        self_test(tmp_path)


def test_a_graph_that_is_cut_off_does_not_load(tmp_path: Path) -> None:
    make_bundle(tmp_path)
    graph = tmp_path / "model.onnx"
    graph.write_bytes(graph.read_bytes()[:100])
    with pytest.raises(SelfTestError, match="does not load"):
        self_test(tmp_path)


def test_a_model_that_runs_for_ever_is_hung_and_killed(tmp_path: Path) -> None:
    x = MODELS["slow"].requests[0]["x"]
    make_bundle(tmp_path, model="slow", cases=[GoldenCase(inputs={"x": x, "rounds": np.array([10**15])}, outputs={"y": x})])
    start = time.monotonic()
    with pytest.raises(SelfTestError, match=r"hung: expected an answer within 1\.5 s"):
        self_test(tmp_path, timeout_s=1.5)
    assert time.monotonic() - start < 10


def test_a_model_that_takes_more_memory_than_allowed_is_out_of_memory(tmp_path: Path) -> None:
    case = GoldenCase(inputs={"size": np.array([100_000_000])}, outputs={"mean": np.ones(1, np.float32)})
    make_bundle(tmp_path, model="hungry", cases=[case])
    with pytest.raises(SelfTestError, match="out of memory: expected at most 209715200 bytes"):
        self_test(tmp_path, memory_bytes=200 * MIB)


def test_memory_is_not_bounded_without_a_bound(tmp_path: Path) -> None:
    case = GoldenCase(inputs={"size": np.array([30_000_000])}, outputs=answer("hungry", {"size": np.array([30_000_000])}))
    make_bundle(tmp_path, model="hungry", cases=[case])
    assert self_test(tmp_path, memory_bytes=None).peak_memory_bytes > 120_000_000


def _measured(latency_ms: float) -> Measurement:
    return Measurement(latency_p50_ms=latency_ms, latency_p99_ms=latency_ms, load_time_ms=1, peak_memory_bytes=1, machine="test")


def test_a_model_slower_than_the_limit_is_too_slow(tmp_path: Path) -> None:
    evaluation = dataclasses.replace(make_manifest("slow").evaluation, measurement=_measured(0.001))
    make_bundle(tmp_path, model="slow", evaluation=evaluation)
    with pytest.raises(SelfTestError, match=r"too slow: expected at most 0\.005 ms \(5 times"):
        self_test(tmp_path, slowdown_limit=5)
    assert self_test(tmp_path, slowdown_limit=None).reference_latency_ms == 0.001


def test_a_model_within_the_limit_passes(tmp_path: Path) -> None:
    evaluation = dataclasses.replace(make_manifest().evaluation, measurement=_measured(1000))
    make_bundle(tmp_path, evaluation=evaluation)
    assert self_test(tmp_path, slowdown_limit=2).latency_ms < 1000


@pytest.mark.parametrize("name", ["SIGSEGV", "SIGABRT", "SIGILL", "SIGBUS"])
def test_a_crash_is_named_by_its_signal(tmp_path: Path, name: str) -> None:
    script = f"resource.setrlimit(resource.RLIMIT_CORE, (0, 0)); print('about to fall', flush=True); os.kill(os.getpid(), signal.{name})"
    with pytest.raises(SelfTestError, match=rf"crashed: signal \d+ \({name}\): found it printed 'about to fall'"):
        judged(script, tmp_path)


def test_an_end_without_a_result_is_a_crash(tmp_path: Path) -> None:
    with pytest.raises(SelfTestError, match="crashed: the process ended without a result"):
        judged("sys.exit(0)", tmp_path)
    with pytest.raises(SelfTestError, match="crashed: exit status 9"):
        judged("os._exit(9)", tmp_path)


def test_a_kill_by_the_kernel_says_that_memory_is_short_and_nothing_of_the_model(tmp_path: Path) -> None:
    with pytest.raises(MemoryShortageError, match=r"the self-test ran out of memory: it was killed: found signal 9 \(SIGKILL\)"):
        judged("os.kill(os.getpid(), signal.SIGKILL)", tmp_path)


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT"])
def test_a_self_test_that_is_ended_from_outside_says_nothing_of_the_model(tmp_path: Path, name: str) -> None:
    script = f"signal.signal(signal.SIGINT, signal.SIG_DFL); os.kill(os.getpid(), signal.{name})"
    with pytest.raises(SandboxError, match=f"the self-test was ended from outside: found signal .*{name}"):
        judged(script, tmp_path)


def test_where_memory_runs_out_the_self_test_is_ended_before_what_serves(tmp_path: Path) -> None:
    x = MODELS["slow"].requests[0]["x"]
    make_bundle(tmp_path / "slow", model="slow", cases=[GoldenCase(inputs={"x": x, "rounds": np.array([10**15])}, outputs={"y": x})])
    seen: list[int] = []

    def look() -> None:
        deadline = time.monotonic() + 20
        while not seen and time.monotonic() < deadline:
            for status in Path("/proc").glob("[0-9]*/stat"):
                with contextlib.suppress(OSError):
                    fields = status.read_text().rsplit(")", 1)[1].split()
                    if int(fields[1]) == os.getpid() and (score := int((status.parent / "oom_score_adj").read_text())):
                        seen.append(score)
            time.sleep(0.02)

    looking = threading.Thread(target=look)
    looking.start()
    with pytest.raises(SelfTestError, match="hung"):
        self_test(tmp_path / "slow", timeout_s=1.5)
    looking.join()
    assert seen == [1000]


def test_a_native_allocation_failure_is_out_of_memory(tmp_path: Path) -> None:
    outcome = ChildOutcome(status=-signal.SIGABRT, result=b"", output="terminate called after throwing 'std::bad_alloc'", timed_out=False)
    with pytest.raises(SelfTestError, match="out of memory"):
        judge(outcome, tmp_path, timeout_s=1, memory_bytes=1)


def test_what_a_model_prints_does_not_spoil_the_result(tmp_path: Path) -> None:
    fields = '{"cases": 1, "worst_excess": 0, "load_time_ms": 1, "latency_ms": 1, "peak_memory_bytes": 1}'
    script = f"print('noise' * 100_000); sys.stderr.write('more' * 100_000); os.write(result, b'{fields}')"
    assert judged(script, tmp_path).cases == 1


def test_a_flood_in_the_result_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SelfTestError, match="crashed"):
        judged("for _ in range(100): os.write(result, b' ' * 65536)", tmp_path)


def test_processes_that_a_child_leaves_behind_are_killed(tmp_path: Path) -> None:
    script = f"""
        child = os.fork()
        if child == 0:
            time.sleep(100)
        open({str(tmp_path / "pid")!r}, "w").write(str(child))
    """
    start = time.monotonic()
    with pytest.raises(SelfTestError, match="without a result"):
        judged(script, tmp_path)
    assert time.monotonic() - start < 10
    expect_death(int((tmp_path / "pid").read_text()))


def test_the_self_test_ends_with_its_parent(tmp_path: Path) -> None:
    x = MODELS["slow"].requests[0]["x"]
    make_bundle(tmp_path / "bundle", model="slow", cases=[GoldenCase(inputs={"x": x, "rounds": np.array([10**15])}, outputs={"y": x})])
    script = f"""
import pathlib
from sealift_runtime.engine.selftest import run_self_test
run_self_test(pathlib.Path({str(tmp_path / "bundle")!r}), memory_bytes=None, timeout_s=100, slowdown_limit=None)
"""
    parent = subprocess.Popen([sys.executable, "-c", script])
    try:
        child = _wait_for_child(parent.pid)
    finally:
        parent.kill()
        parent.wait()
    expect_death(child)


def expect_death(pid: int) -> None:
    deadline = time.monotonic() + 10
    while _alive(pid):
        assert time.monotonic() < deadline, "the process lives on"
        time.sleep(0.02)


def _wait_for_child(pid: int) -> int:
    """The process id of a child that has set itself to end with its parent (it has loaded onnxruntime by then)."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        for status in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it ended meanwhile
                fields = status.read_text().rsplit(")", 1)[1].split()
                if int(fields[1]) == pid and _cpu(fields) > 40:
                    return int(status.parent.name)
        time.sleep(0.02)
    raise AssertionError("the self-test did not start")


def _cpu(fields: list[str]) -> int:
    """The clock ticks that a process has used, from the fields of its stat file after the name."""
    return int(fields[11]) + int(fields[12])


def _alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text().rsplit(")", 1)[1].split()[0] not in ("Z", "X")
    except (FileNotFoundError, ProcessLookupError):
        return False
