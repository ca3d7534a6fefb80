"""One request, run and counted; on the event loop, on a worker, or on the thread of a program."""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Mapping
from typing import Final, Generic, Protocol, TypeVar

from sealift_core.bundle.golden import Array
from sealift_core.errors import EngineError, LimitError, RequestError, SealiftError
from sealift_runtime.engine.run_limit import RunEndedError, RunLimit
from sealift_runtime.engine.translate import is_out_of_memory
from sealift_runtime.inference.failure_log import FAILURES
from sealift_runtime.inference.messages import Failure, FailureReason, InferReply, InferRequest
from sealift_runtime.inference.model import ServedModel
from sealift_runtime.inference.signature import Signature

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
_LOG: Final = logging.getLogger("sealift.inference")
#: What observers are told for each reason.
_COUNTED_AS: Final = {
    FailureReason.BAD_REQUEST: "bad-request",
    FailureReason.TOO_LARGE: "bad-request",
    FailureReason.OVERLOAD: "overload",
    FailureReason.TIME_LIMIT: "time-limit",
    FailureReason.MODEL: "model",
    FailureReason.INTERNAL: "model",
}


class OverloadError(SealiftError):
    """There is no room for the request, or for its answer, now."""


class Call(Protocol[T_co]):
    """A request as its codec has it, and how the codec writes what comes of it. Its methods may run on a worker, one after the other."""

    def decode(self, signature: Signature) -> InferRequest:
        """Read the request.

        Args:
            signature: What the model takes and gives.

        Returns:
            The request, which fits the signature.

        Raises:
            RequestError: If it can't be read, or doesn't fit.
            LimitError: If it is too large.
            OverloadError: If there is no room for it now.
        """

    def encode(self, reply: InferReply) -> T_co:
        """Write the answer for a reply.

        Args:
            reply: What the model answered.

        Returns:
            The answer.

        Raises:
            LimitError: If it is too large.
            OverloadError: If there is no room for it now.
        """

    def refuse(self, failure: Failure) -> T_co:
        """Write the answer that says why there is no reply. Must not raise.

        Args:
            failure: Why.

        Returns:
            The answer.
        """


class ArraysCall:
    """The call of a program, which has arrays already: they are checked, and nothing is encoded."""

    __slots__ = ("_request",)

    def __init__(self, request: InferRequest) -> None:
        """Wrap a request.

        Args:
            request: The request, unchecked.
        """
        self._request = request

    def decode(self, signature: Signature) -> InferRequest:
        """Check the request.

        Args:
            signature: What the model takes and gives.

        Returns:
            The request itself.

        Raises:
            RequestError: If it doesn't fit the signature.
        """
        signature.check(self._request)
        return self._request

    def encode(self, reply: InferReply) -> InferReply | Failure:
        """Hand the reply on.

        Args:
            reply: What the model answered.

        Returns:
            The reply itself.
        """
        return reply

    def refuse(self, failure: Failure) -> InferReply | Failure:
        """Hand the failure on.

        Args:
            failure: Why there is no reply.

        Returns:
            The failure itself.
        """
        return failure


@dataclasses.dataclass(slots=True)
class CallResult(Generic[T]):
    """A call's answer and what is to be counted of it.

    Attributes:
        answer: What the codec made of the reply or of the failure.
        arrived_ns: When the request came, by `time.perf_counter_ns`.
        begun_ns: When it left the queue, likewise.
        failure: Why there is no reply; None if it went well.
        inputs: The request's arrays, by input name; none if it couldn't be read or doesn't fit the model.
        outputs: The reply's arrays, by output name.
        input_ns: How long decoding took.
        run_ns: How long the model took.
        output_ns: How long encoding took.
    """

    answer: T
    arrived_ns: int
    begun_ns: int
    failure: FailureReason | None = None
    inputs: Mapping[str, Array] = dataclasses.field(default_factory=dict)
    outputs: Mapping[str, Array] = dataclasses.field(default_factory=dict)
    input_ns: int = 0
    run_ns: int = 0
    output_ns: int = 0

    def account(self, model: ServedModel) -> None:
        """Count the call, and tell the model's observer; after the answer is handed over.

        Args:
            model: The model that was asked.
        """
        try:
            self._account(model)
        except Exception:  # noqa: BLE001 - an observer's fault must not reach the client, whose answer is on its way
            _LOG.exception("monitoring failed for a request to %s %s", model.name, model.version)

    def _account(self, model: ServedModel) -> None:
        counters = model.counters
        total_ns = time.perf_counter_ns() - self.arrived_ns
        if self.failure is not None:
            with counters.lock:
                counters.failures += 1
                counters.failures_ns += total_ns
            model.observer.failed(_COUNTED_AS[self.failure])
            if model.trial is not None and self.inputs and self.failure is not FailureReason.OVERLOAD:
                model.trial.offer(self.inputs, None)
            return
        with counters.lock:
            model.took(self.run_ns)
            counters.successes += 1
            counters.rows += model.rows(self.inputs)
            counters.queue_ns += self.begun_ns - self.arrived_ns
            counters.input_ns += self.input_ns
            counters.run_ns += self.run_ns
            counters.output_ns += self.output_ns
            counters.last_unix_ms = time.time_ns() // 1_000_000
        model.observer.observed(self.inputs, self.outputs, total_ns / 1e6)
        if model.trial is not None:
            model.trial.offer(self.inputs, self.outputs)


def execute(model: ServedModel, call: Call[T], arrived_ns: int, limit: RunLimit | None = None) -> CallResult[T]:
    """Decode a request, run the model, encode the answer. Raises nothing: what goes wrong becomes a failure.

    Args:
        model: The model that is asked.
        call: The request as its codec has it.
        arrived_ns: When it came, by `time.perf_counter_ns`.
        limit: How long the model may take; None for as long as it takes.

    Returns:
        The answer, and what is to be counted.
    """
    begun_ns = time.perf_counter_ns()
    inputs: Mapping[str, Array] = {}
    request: InferRequest | None = None
    try:
        request = call.decode(model.signature)
        inputs = request.inputs
        return _execute(model, call, request, (arrived_ns, begun_ns, time.perf_counter_ns()), limit)
    except RequestError as error:
        failure = Failure(FailureReason.BAD_REQUEST, str(error))
    except LimitError as error:
        failure = Failure(FailureReason.TOO_LARGE, str(error))
    except OverloadError as error:
        failure = Failure(FailureReason.OVERLOAD, str(error))
    except RunEndedError as error:
        failure = Failure(FailureReason.TIME_LIMIT, str(error))
    except EngineError as error:
        failure = _model_failure(model, request, error)
    except Exception as error:  # noqa: BLE001 - the outermost loop of a worker; the client learns that it is our fault
        shown = FAILURES.write(f"{model.name} {model.version}", request.id if request else None, error, traceback=True)
        failure = Failure(FailureReason.INTERNAL, f"internal error; see the agent's log (request {shown})")
    return CallResult(call.refuse(failure), arrived_ns, begun_ns, failure.reason, inputs)


def _model_failure(model: ServedModel, request: InferRequest | None, error: EngineError) -> Failure:
    if is_out_of_memory(error):
        return Failure(FailureReason.OVERLOAD, str(error))
    shown = FAILURES.write(f"{model.name} {model.version}", request.id if request else None, error)
    return Failure(FailureReason.MODEL, f"{error} (request {shown})")


def _execute(model: ServedModel, call: Call[T], request: InferRequest, times_ns: tuple[int, int, int], limit: RunLimit | None) -> CallResult[T]:
    """Run the model and encode the answer; ``times_ns`` are when the request arrived, left the queue, and was decoded."""
    arrived_ns, begun_ns, decoded_ns = times_ns
    reply = model.run(request, limit)
    answered_ns = time.perf_counter_ns()
    answer = call.encode(reply)
    return CallResult(
        answer,
        arrived_ns,
        begun_ns,
        None,
        request.inputs,
        reply.outputs,
        decoded_ns - begun_ns,
        answered_ns - decoded_ns,
        time.perf_counter_ns() - answered_ns,
    )
