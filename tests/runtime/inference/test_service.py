"""Models answer arrays with arrays in one process, without a socket, a codec or a server; an event loop only where workers hand back."""

from __future__ import annotations

import asyncio
import logging
import re
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest

from sealift_core.errors import EngineError
from sealift_runtime.engine.run_limit import RunLimit
from sealift_runtime.inference.failure_log import MOST_LINES, FailureLog
from sealift_runtime.inference.limits import InferenceLimits
from sealift_runtime.inference.messages import Failure, FailureReason, InferReply, InferRequest
from sealift_runtime.inference.model import ServedModel
from sealift_runtime.inference.service import InferenceService
from sealift_runtime.inference.table import AbsentModel, ModelTable
from sealift_runtime.inference.workers import Workers
from support.serving import Recorder, served

T = TypeVar("T")
X = np.array([[1, 2, 3, 4]], np.float32)
QUICK = InferenceLimits(inline_latency_us=1e9)
HEAVY = InferenceLimits(inline_latency_us=0, queued_requests=1)


def service(*models: ServedModel) -> InferenceService:
    table = ModelTable()
    for model in models:
        table.activate(model)
    return InferenceService(table)


def slow_request(rounds: int) -> InferRequest:
    return InferRequest("slow", None, {"x": X, "rounds": np.array([rounds], np.int64)})


def with_workers(model: ServedModel, limits: InferenceLimits, main: Callable[[InferenceService], Awaitable[T]]) -> T:
    """What ``main`` gives on an event loop, with one worker beside it."""

    async def run() -> T:
        workers = Workers(asyncio.get_running_loop(), threads=1, queued=limits.queued_requests)
        table = ModelTable()
        table.activate(model)
        try:
            return await main(InferenceService(table, workers, limits=limits))
        finally:
            workers.stop()

    return asyncio.run(run())


def failed(answer: InferReply | Failure) -> Failure:
    assert isinstance(answer, Failure)
    return answer


def test_arrays_go_in_and_come_out_as_onnxruntime_gives_them(tmp_path: Path) -> None:
    model = served(tmp_path)
    reply = service(model).infer(InferRequest("linear", None, {"x": X}, id="42"))
    assert isinstance(reply, InferReply)
    assert (reply.model_name, reply.model_version, reply.id) == ("linear", "1.0.0", "42")
    for name, value in model.session.run({"x": X}).items():
        np.testing.assert_array_equal(reply.outputs[name], value)


def test_outputs_come_in_the_order_in_which_they_are_asked_for(tmp_path: Path) -> None:
    reply = service(served(tmp_path)).infer(InferRequest("linear", "1.0.0", {"x": X}, ("label", "scores")))
    assert isinstance(reply, InferReply)
    assert list(reply.outputs) == ["label", "scores"]


@pytest.mark.parametrize(("name", "version"), [("other", None), ("linear", "2.0.0")])
def test_a_model_that_does_not_serve_is_a_failure_that_names_those_that_do(tmp_path: Path, name: str, version: str | None) -> None:
    model = served(tmp_path)
    failure = failed(service(model).infer(InferRequest(name, version, {"x": X})))
    assert failure.reason is FailureReason.UNKNOWN_MODEL
    assert failure.message.endswith("this server has linear 1.0.0")
    assert model.counters.failures == 0


@pytest.mark.parametrize(
    ("inputs", "outputs", "words"),
    [
        ({}, None, "input 'x': missing: expected FP32 [batch, 4], found inputs (none)"),
        ({"X": X}, None, "the model has no such input"),
        ({"x": X, "y": X}, None, "the model has no such input: expected one of x, found 'y'"),
        ({"x": X.astype(np.float64)}, None, "wrong dtype: expected float32, found float64"),
        ({"x": X.astype(">f4")}, None, "wrong dtype: expected float32, found >f4"),
        ({"x": X[0]}, None, "wrong shape: expected [batch, 4], found [4]"),
        ({"x": X[:, :3]}, None, "wrong shape: expected [batch, 4], found [1, 3]"),
        ({"x": X[:0]}, None, "a dimension is out of range"),
        ({"x": X.tolist()}, None, "not an array: expected a numpy array of float32, found list"),
        ({"x": X}, ("score",), "the model has no such output: expected one of scores, label, found 'score'"),
        ({"x": X}, ("label", "label"), "the output is requested twice"),
    ],
)
def test_a_request_that_does_not_fit_is_a_failure_in_words_and_counted(
    tmp_path: Path, inputs: dict[str, Any], outputs: tuple[str, ...] | None, words: str
) -> None:
    recorder = Recorder()
    model = served(tmp_path, observer=recorder)
    failure = failed(service(model).infer(InferRequest("linear", None, inputs, outputs)))
    assert failure.reason is FailureReason.BAD_REQUEST
    assert words in failure.message
    assert (model.counters.failures, recorder.failures) == (1, ["bad-request"])


def test_text_must_be_text(tmp_path: Path) -> None:
    texts = service(served(tmp_path, "text"))
    assert isinstance(texts.infer(InferRequest("text", None, {"word": np.array(["ä"], object)})), InferReply)
    assert "expected str, found bytes" in failed(texts.infer(InferRequest("text", None, {"word": np.array(["a", b"b"], object)}))).message


def test_a_request_that_a_model_fails_is_in_the_log_by_its_id_and_a_flood_of_them_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    model = served(tmp_path)

    def fail(*_: object) -> None:
        raise EngineError("the model does not run", found="a fault")

    monkeypatch.setattr(model.session, "run", fail)
    monkeypatch.setattr("sealift_runtime.inference.execution.FAILURES", FailureLog())
    ask = service(model)
    with caplog.at_level(logging.WARNING):
        assert failed(ask.infer(InferRequest("linear", None, {"x": X}, None, "order-7"))).message.endswith("(request order-7)")
        made_up = re.search(r"\(request ([0-9a-f]{16})\)$", failed(ask.infer(InferRequest("linear", None, {"x": X}))).message)
        assert made_up
        for _ in range(100):
            ask.infer(InferRequest("linear", None, {"x": X}))
    assert "linear 1.0.0 failed request order-7: the model does not run" in caplog.text
    assert made_up[1] in caplog.text
    assert len(caplog.records) == MOST_LINES


def test_requests_of_many_threads_are_all_counted(tmp_path: Path) -> None:
    recorder = Recorder()
    model = served(tmp_path, observer=recorder)
    running = service(model)
    threads = [threading.Thread(target=lambda: [running.infer(InferRequest("linear", None, {"x": X})) for _ in range(200)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert model.counters.successes == len(recorder.seen) == 1600
    assert model.counters.run_ns > 0


def test_a_model_that_fails_is_a_failure_of_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder()
    model = served(tmp_path, observer=recorder)
    monkeypatch.setattr(model, "session", None)
    failure = failed(service(model).infer(InferRequest("linear", None, {"x": X})))
    assert failure.reason is FailureReason.INTERNAL
    assert re.fullmatch(r"internal error; see the agent's log \(request [0-9a-f]{16}\)", failure.message)
    assert recorder.failures == ["model"]


def test_an_observer_s_fault_does_not_reach_who_asked(tmp_path: Path) -> None:
    class Faulty(Recorder):
        def observed(self, *_: object) -> None:
            raise ZeroDivisionError

    assert isinstance(service(served(tmp_path, observer=Faulty())).infer(InferRequest("linear", None, {"x": X})), InferReply)


# --- on an event loop


def watch_threads(model: ServedModel, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the threads that the model runs on from now."""
    names: list[str] = []
    run = model.run

    def watched(request: InferRequest, limit: RunLimit | None = None) -> InferReply:
        names.append(threading.current_thread().name)
        return run(request, limit)

    monkeypatch.setattr(model, "run", watched)
    return names


@pytest.mark.parametrize(("limits", "inline"), [(QUICK, True), (HEAVY, False)])
def test_quick_models_run_on_the_event_loop_and_heavy_ones_on_a_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limits: InferenceLimits, inline: bool
) -> None:
    model = served(tmp_path, limits=limits)
    ran_on = watch_threads(model, monkeypatch)
    reply = with_workers(model, limits, lambda running: running.infer_async(InferRequest("linear", None, {"x": X})))
    assert isinstance(reply, InferReply)
    assert ran_on == ["MainThread" if inline else "infer-0"]
    assert model.counters.successes == 1


def test_a_large_request_goes_to_a_worker_however_quick_the_model_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limits = InferenceLimits(inline_latency_us=1e9, inline_bytes=100)
    model = served(tmp_path, limits=limits)
    ran_on = watch_threads(model, monkeypatch)

    async def main(running: InferenceService) -> None:
        await running.infer_async(InferRequest("linear", None, {"x": X}))
        await running.infer_async(InferRequest("linear", None, {"x": np.tile(X, (100, 1))}))

    with_workers(model, limits, main)
    assert ran_on == ["MainThread", "infer-0"]


def test_the_loop_goes_on_while_a_worker_runs_and_a_full_queue_is_a_failure(tmp_path: Path) -> None:
    recorder = Recorder()
    model = served(tmp_path, "slow", observer=recorder, limits=HEAVY)

    async def main(running: InferenceService) -> list[InferReply | Failure]:
        tasks = [asyncio.create_task(running.infer_async(slow_request(20_000))) for _ in range(3)]
        await asyncio.sleep(0)
        assert not tasks[0].done()
        return await asyncio.gather(*tasks)

    first, second, third = with_workers(model, HEAVY, main)
    assert isinstance(first, InferReply)
    assert isinstance(second, InferReply)
    assert third == Failure(FailureReason.OVERLOAD, "the queue is full: at most 1 requests can wait")
    assert recorder.failures == ["overload"]


def test_a_request_that_nobody_waits_for_any_more_does_not_run(tmp_path: Path) -> None:
    recorder = Recorder()
    model = served(tmp_path, "slow", observer=recorder, limits=HEAVY)

    async def main(running: InferenceService) -> None:
        first = asyncio.create_task(running.infer_async(slow_request(100_000)))
        left = asyncio.create_task(running.infer_async(slow_request(10**12)))
        await asyncio.sleep(0.05)
        left.cancel()
        assert isinstance(await first, InferReply)
        assert isinstance(await running.infer_async(slow_request(1)), InferReply)
        with pytest.raises(asyncio.CancelledError):
            await left

    with_workers(model, HEAVY, main)
    assert len(recorder.seen) == 2


def test_a_request_ends_on_the_model_that_it_began_with(tmp_path: Path) -> None:
    model = served(tmp_path / "old", "slow", limits=HEAVY)

    async def main(running: InferenceService) -> list[str]:
        first = asyncio.create_task(running.infer_async(slow_request(100_000)))
        await asyncio.sleep(0.01)
        running.table.activate(served(tmp_path / "new", "slow", version="2.0.0", limits=HEAVY))
        second = await running.infer_async(slow_request(1))
        return [answer.model_version for answer in (await first, second) if isinstance(answer, InferReply)]

    assert with_workers(model, HEAVY, main) == ["1.0.0", "2.0.0"]


def test_inference_brings_no_server_with_it() -> None:
    code = (
        "import sys, sealift_runtime.inference.service; print(*(m for m in ('httptools', 'uvloop', 'sealift_runtime.serving') if m in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == ""


def test_a_model_that_is_to_serve_is_unavailable_until_it_does_and_unknown_once_it_is_removed(tmp_path: Path) -> None:
    model = served(tmp_path)
    table, request = ModelTable(), InferRequest("linear", None, {"x": X})
    answers = InferenceService(table)
    table.expect(AbsentModel("linear", "1.0.0", "it is being loaded"))
    assert failed(answers.infer(request)) == Failure(FailureReason.UNAVAILABLE, "linear 1.0.0 doesn't serve now: it is being loaded")
    assert failed(answers.infer(request._replace(version="0.9.0"))).reason is FailureReason.UNKNOWN_MODEL
    table.activate(model)
    assert isinstance(answers.infer(request), InferReply)
    assert not table.absences()
    table.expect(AbsentModel("linear", "1.1.0", "it can't be loaded"))
    assert not table.absences()
    table.remove("linear")
    assert failed(answers.infer(request)).reason is FailureReason.UNKNOWN_MODEL


def test_a_request_that_holds_up_the_event_loop_goes_on_on_a_worker(tmp_path: Path) -> None:
    limits = InferenceLimits(inline_latency_us=1e9, inline_s=0.05)
    model = served(tmp_path, "slow", limits=limits)
    longest = 0.0

    async def main(service: InferenceService) -> InferReply | Failure:
        nonlocal longest

        async def beat() -> None:
            nonlocal longest
            while True:
                began = time.monotonic()
                await asyncio.sleep(0.01)
                longest = max(longest, time.monotonic() - began)

        beating = asyncio.create_task(beat())
        answer = await service.infer_async(slow_request(1_000_000))
        beating.cancel()
        return answer

    began = time.monotonic()
    assert isinstance(with_workers(model, limits, main), InferReply)
    assert longest < (time.monotonic() - began) / 3
    assert not model.inline
    assert model.inline_bytes < slow_request(1).inputs["x"].nbytes
    assert (model.counters.successes, model.counters.failures) == (1, 0)


def test_a_request_that_takes_too_long_is_ended_and_counted_as_that(tmp_path: Path) -> None:
    limits = InferenceLimits(inline_latency_us=0, execution_s=0.1)
    model = served(tmp_path, "slow", observer=(recorder := Recorder()), limits=limits)
    failure = failed(with_workers(model, limits, lambda service: service.infer_async(slow_request(10**9))))
    assert failure == Failure(FailureReason.TIME_LIMIT, "slow 1.0.0: the model was stopped: it took more than 0.1 s")
    assert recorder.failures == ["time-limit"]


def test_a_request_that_nobody_waits_for_leaves_its_worker_free(tmp_path: Path) -> None:
    model = served(tmp_path, "slow", limits=HEAVY)

    async def main(service: InferenceService) -> InferReply | Failure:
        left = asyncio.create_task(service.infer_async(slow_request(10**9)))
        await asyncio.sleep(0.2)
        left.cancel()
        return await asyncio.wait_for(service.infer_async(slow_request(10)), 60)

    assert isinstance(with_workers(model, HEAVY, main), InferReply)
