"""`InferenceService`: what codecs, connectors and programs call."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Callable
from typing import TypeVar

from sealift_runtime.engine.run_limit import RunLimit
from sealift_runtime.inference.execution import ArraysCall, Call, CallResult, execute
from sealift_runtime.inference.limits import LIMITS, InferenceLimits
from sealift_runtime.inference.messages import Failure, FailureReason, InferReply, InferRequest
from sealift_runtime.inference.model import ServedModel
from sealift_runtime.inference.table import ModelTable
from sealift_runtime.inference.workers import WorkerJob, Workers

T = TypeVar("T")
#: What is to be done once an answer is on its way.
After = Callable[[], None]
Deliver = Callable[[T, After | None], None]


class InferenceService:
    """Answers requests for the models of a table.

    `infer` needs neither workers nor an event loop: it runs on the caller's thread. `submit` and `infer_async` are for an event loop, and
    leave what is heavy to ``workers``; without workers everything runs where it is called.
    """

    def __init__(self, table: ModelTable, workers: Workers | None = None, *, limits: InferenceLimits = LIMITS) -> None:
        """Make a service.

        Args:
            table: The models that serve, which may change at any time.
            workers: Threads for what is heavy; None to run everything where it is called.
            limits: How many requests may wait, and which are quick enough not to.
        """
        self.table = table
        self._workers = workers
        self.limits = limits

    def infer(self, request: InferRequest) -> InferReply | Failure:
        """Check, run and count a request on this thread. Any thread may call this.

        Args:
            request: The request.

        Returns:
            The model's reply, or why there is none. Nothing is raised for what a request or a model does wrong.
        """
        arrived_ns = time.perf_counter_ns()
        model = self.table.get(request.model, request.version)
        if model is None:
            return self.unknown(request.model, request.version)
        outcome = execute(model, ArraysCall(request), arrived_ns)
        outcome.account(model)
        return outcome.answer

    async def infer_async(self, request: InferRequest) -> InferReply | Failure:
        """Check, run and count a request on the workers' event loop, which goes on meanwhile if the model is heavy.

        A task that is cancelled gives up its place.

        Args:
            request: The request.

        Returns:
            The model's reply, or why there is none. Nothing is raised for what a request or a model does wrong.
        """  # noqa: DOC501  (a cancellation passes)
        answered: asyncio.Future[InferReply | Failure] = asyncio.get_running_loop().create_future()

        def deliver(answer: InferReply | Failure, after: After | None) -> None:
            answered.set_result(answer)
            if after is not None:
                after()

        size = sum(value.nbytes for value in request.inputs.values())
        job = self.submit(ArraysCall(request), deliver, model=request.model, version=request.version, size_bytes=size)
        try:
            return await answered
        except asyncio.CancelledError:
            if job is not None:
                job.cancelled = True
            raise

    def submit(
        self, call: Call[T], deliver: Deliver[T], *, model: str, version: str | None, size_bytes: int | None
    ) -> WorkerJob[CallResult[T]] | None:
        """Have a call answered, now or later; what is heavy goes to a worker.

        Args:
            call: The request as its codec has it.
            deliver: Called once on the event loop, with the answer and with what is to be done once the answer is on its way (None for nothing).
            model: The model's name.
            version: Its version; None for the one that serves.
            size_bytes: How large the request is; None if nobody knows before it is decoded.

        Returns:
            The job if a worker is at it, else None. Whoever no longer waits for the answer sets the job's ``cancelled``.
        """
        arrived_ns = time.perf_counter_ns()
        served = self.table.get(model, version)
        if served is None:
            deliver(call.refuse(self.unknown(model, version)), None)
            return None
        if self._workers is None:
            outcome = execute(served, call, arrived_ns)
        elif served.inline and size_bytes is not None and size_bytes <= served.inline_bytes:
            outcome = execute(served, call, arrived_ns, RunLimit(self.limits.inline_s))
            if outcome.failure is FailureReason.TIME_LIMIT:
                served.took_too_long(size_bytes)
                return self._enqueue(served, call, deliver, arrived_ns, self._workers)
        else:
            return self._enqueue(served, call, deliver, arrived_ns, self._workers)
        deliver(outcome.answer, functools.partial(outcome.account, served))
        return None

    def _enqueue(self, model: ServedModel, call: Call[T], deliver: Deliver[T], arrived_ns: int, workers: Workers) -> WorkerJob[CallResult[T]] | None:
        def done(outcome: CallResult[T]) -> None:
            deliver(outcome.answer, functools.partial(outcome.account, model))

        limit = RunLimit(self.limits.execution_s)
        job = WorkerJob(functools.partial(execute, model, call, arrived_ns, limit), done, limit)
        if workers.submit(job, model.name):
            return job
        message = f"the queue is full: at most {self.limits.queued_requests} requests can wait"
        deliver(call.refuse(Failure(FailureReason.OVERLOAD, message)), None)
        model.observer.failed("overload")
        return None

    def unknown(self, name: str, version: str | None) -> Failure:
        """Make the failure of a request for a model that doesn't serve.

        Args:
            name: The model's name.
            version: The version that was asked for; None for any.

        Returns:
            The failure: why a model that is to serve doesn't, or else which models do.
        """
        absent = self.table.absent(name, version)
        if absent is not None:
            return Failure(FailureReason.UNAVAILABLE, f"{absent.name} {absent.version} doesn't serve now: {absent.reason}")
        requested = f"{name!r}" + (f" version {version!r}" if version is not None else "")
        serving = ", ".join(f"{model.name} {model.version}" for model in self.table.list()) or "none"
        return Failure(FailureReason.UNKNOWN_MODEL, f"unknown model {requested[:300]}: this server has {serving}")
