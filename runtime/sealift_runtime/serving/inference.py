"""One inference, from a whole HTTP request to a whole response; runs on the event loop or on a worker."""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Mapping
from typing import Final

from sealift_core.bundle.golden import Array
from sealift_core.errors import EngineError, LimitError, RequestError
from sealift_runtime.serving.encoding import encode_reply
from sealift_runtime.serving.http import BINARY, HttpRequest, HttpResponse, error_response, json_length, plain_body
from sealift_runtime.serving.limits import ServingLimits
from sealift_runtime.serving.model import ServedModel

_LOG: Final = logging.getLogger("sealift.serving")
_JSON_LENGTH: Final = "inference-header-content-length"


@dataclasses.dataclass(slots=True)
class Outcome:
    """An inference's response and what is to be counted of it; ``failure`` is empty if it went well."""

    response: HttpResponse
    arrived_ns: int
    begun_ns: int
    failure: str = ""
    inputs: Mapping[str, Array] = dataclasses.field(default_factory=dict)
    outputs: Mapping[str, Array] = dataclasses.field(default_factory=dict)
    input_ns: int = 0
    run_ns: int = 0
    output_ns: int = 0

    def account(self, model: ServedModel) -> None:
        """Count, and tell the observer; on the event loop, after the response is written."""
        try:
            self._account(model)
        except Exception:  # noqa: BLE001 - an observer's fault must not reach the client, whose answer is on its way
            _LOG.exception("the observer of %s %s failed", model.name, model.version)

    def _account(self, model: ServedModel) -> None:
        counters = model.counters
        total_ns = time.perf_counter_ns() - self.arrived_ns
        if self.failure:
            counters.failures += 1
            counters.failures_ns += total_ns
            model.observer.failed(self.failure)
            return
        model.took(self.run_ns)
        counters.successes += 1
        counters.queue_ns += self.begun_ns - self.arrived_ns
        counters.input_ns += self.input_ns
        counters.run_ns += self.run_ns
        counters.output_ns += self.output_ns
        counters.last_unix_ms = time.time_ns() // 1_000_000
        model.observer.observed(self.inputs, self.outputs, total_ns / 1e6)


def infer(model: ServedModel, request: HttpRequest, limits: ServingLimits, arrived_ns: int) -> Outcome:
    """Decode, run, encode; never raises."""
    begun_ns = time.perf_counter_ns()
    try:
        return _infer(model, request, limits, arrived_ns, begun_ns)
    except RequestError as error:
        return Outcome(error_response(400, str(error)), arrived_ns, begun_ns, "bad-request")
    except LimitError as error:
        return Outcome(error_response(413, str(error)), arrived_ns, begun_ns, "bad-request")
    except EngineError as error:
        return Outcome(error_response(500, str(error)), arrived_ns, begun_ns, "model")
    except Exception:  # noqa: BLE001 - the outermost loop of a worker; the client learns that it is our fault
        _LOG.exception("can't answer a request for %s %s", model.name, model.version)
        return Outcome(error_response(500, "an internal error, logged on the server"), arrived_ns, begun_ns, "model")


def _infer(model: ServedModel, request: HttpRequest, limits: ServingLimits, arrived_ns: int, begun_ns: int) -> Outcome:
    asked = model.decode(plain_body(request, limits), json_length(request))
    decoded_ns = time.perf_counter_ns()
    reply = model.run(asked)
    run_ns = time.perf_counter_ns()
    body, json_bytes = encode_reply(reply)
    response = HttpResponse(200, body) if json_bytes is None else HttpResponse(200, body, BINARY, ((_JSON_LENGTH, str(json_bytes)),))
    encoded_ns = time.perf_counter_ns()
    return Outcome(
        response,
        arrived_ns,
        begun_ns,
        "",
        asked.inputs,
        reply.outputs,
        decoded_ns - begun_ns,
        run_ns - decoded_ns,
        encoded_ns - run_ns,
    )
