"""A model that serves: its session, its signature, its counters."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Mapping
from typing import Final, Protocol

from sealift_core.bundle.digest import Digest
from sealift_core.bundle.golden import Array
from sealift_core.errors import EngineError, RequestError
from sealift_runtime.engine.run_limit import RunLimit
from sealift_runtime.engine.session import ModelSession
from sealift_runtime.engine.translate import refuses_values
from sealift_runtime.inference.limits import LIMITS, InferenceLimits
from sealift_runtime.inference.messages import InferReply, InferRequest
from sealift_runtime.inference.signature import Signature

_PROBES: Final = 9
#: How many requests the running mean of a model's time looks back, and how far one of them, perhaps interrupted by
#: another process, may pull it, in multiples of the threshold.
_MEMORY: Final = 32
_MOST: Final = 4


class Observer(Protocol):
    """Who watches a model. Called on the event loop, or on the thread of a program that asked, so it has to be quick: a copy, no more."""

    def observed(self, inputs: Mapping[str, Array], outputs: Mapping[str, Array], latency_ms: float) -> None:
        """Take note of a request that was answered.

        Args:
            inputs: The request's arrays, by input name; they may be views of its body.
            outputs: The reply's arrays, by output name.
            latency_ms: How long it took, from its arrival on.
        """

    def failed(self, reason: str) -> None:
        """Take note of a request that was not answered.

        Args:
            reason: ``bad-request``, ``model`` or ``overload``.
        """


class Comparison(Protocol):
    """What a model is held against while it is new: `trial.Trial`. Called like an `Observer`."""

    def offer(self, inputs: Mapping[str, Array], outputs: Mapping[str, Array] | None) -> None:
        """Take note of a request that fits the model's signature.

        Args:
            inputs: The request's arrays, by input name; they may be views of its body.
            outputs: The reply's arrays, by output name; None if there is no reply.
        """


class ModelStatistics:
    """What a model did since it began to serve; durations in nanoseconds. Changed while ``lock`` is held."""

    __slots__ = ("failures", "failures_ns", "input_ns", "last_unix_ms", "lock", "output_ns", "queue_ns", "rows", "run_ns", "successes")

    def __init__(self) -> None:
        self.rows = self.successes = self.failures = self.failures_ns = 0
        self.queue_ns = self.input_ns = self.run_ns = self.output_ns = 0
        self.last_unix_ms = 0
        self.lock = threading.Lock()


class ServedModel:
    """One version of one model with all that a request needs.

    Attributes:
        name: The model's name.
        version: Its version.
        bundle: The digest of the bundle's OCI manifest.
        session: What runs the graph.
        signature: What the model takes and gives.
        observer: Who watches it.
        batched_input: The first input whose first dimension is free: as many rows as that has are in a request; None if there is no such input.
        counters: What it did since it began to serve.
        trial: What it is held against while it is new; None else.
        inline_bytes: How small a request has to be for that.
        inline: Whether a request is quick enough to run on the event loop itself: measured first on the bundle's smallest golden case, then on every
            request.
    """

    def __init__(
        self, name: str, version: str, bundle: Digest, session: ModelSession, observer: Observer, *, limits: InferenceLimits = LIMITS
    ) -> None:
        """Measure how quick the model is.

        Args:
            name: The model's name.
            version: Its version.
            bundle: The digest of the bundle's OCI manifest.
            session: What runs the graph.
            observer: Who watches it.
            limits: From which latency on a model isn't quick.

        Raises:
            EngineError: If the model doesn't answer the golden case.
        """
        self.name = name
        self.version = version
        self.bundle = bundle
        self.session = session
        self.signature = Signature(name, version, session.manifest.inputs, session.manifest.outputs)
        self.observer = observer
        self.batched_input = next((spec.name for spec in session.manifest.inputs if spec.shape and isinstance(spec.shape[0], str)), None)
        self.counters = ModelStatistics()
        self.trial: Comparison | None = None
        self.inline_bytes = limits.inline_bytes
        self._inline_ns = limits.inline_latency_us * 1000
        self._mean_ns = min(_median_ns(session), _MOST * self._inline_ns)
        self.inline = self._mean_ns < self._inline_ns

    def run(self, request: InferRequest, limit: RunLimit | None = None) -> InferReply:
        """Run the model.

        Args:
            request: A request that fits its signature.
            limit: How long it may take; None for as long as it takes.

        Returns:
            Its answer.

        Raises:
            RequestError: If the graph refuses the request's values.
            RunEndedError: If it took too long, or nobody waits for it any more.
            EngineError: If it has none for another reason.
        """
        try:
            outputs = self.session.run(request.inputs, request.outputs, limit)
        except EngineError as error:
            if refuses_values(error):
                where = f"{self.name} {self.version}"
                raise RequestError("the model can't be computed with these values", where=where, found=error.found) from error
            raise
        return InferReply(self.name, self.version, request.id, outputs)

    def rows(self, inputs: Mapping[str, Array]) -> int:
        """Count the rows of a request.

        Args:
            inputs: The request's arrays, by input name.

        Returns:
            The length of its batch; 1 for a model that isn't batched.
        """
        return len(inputs[self.batched_input]) if self.batched_input is not None else 1

    def took(self, run_ns: int) -> None:
        """Take note of how long a request ran; a model that turns out slow goes to the workers, and back when quick.

        Called while the lock of ``counters`` is held.

        Args:
            run_ns: How long the model took, in nanoseconds.
        """
        self._mean_ns += (min(run_ns, _MOST * self._inline_ns) - self._mean_ns) / _MEMORY
        self.inline = self._mean_ns < self._inline_ns

    def took_too_long(self, size_bytes: int) -> None:
        """Take note of a request that held up the event loop: those that are as large go to the workers from now on, and the next ones too.

        Args:
            size_bytes: How large it was.
        """
        with self.counters.lock:
            self.inline_bytes = min(self.inline_bytes, size_bytes // 2)
            self._mean_ns = _MOST * self._inline_ns
            self.inline = False


def _median_ns(session: ModelSession) -> float:
    times: list[int] = []
    session.run(session.example)
    for _ in range(_PROBES):
        start = time.perf_counter_ns()
        session.run(session.example)
        times.append(time.perf_counter_ns() - start)
    return statistics.median(times)
