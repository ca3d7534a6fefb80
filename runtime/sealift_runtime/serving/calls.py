"""The codec of inference requests: an HTTP request with its body to an `InferRequest`, a reply or a failure to an HTTP response."""

from __future__ import annotations

from typing import Final

from sealift_runtime.inference.messages import Failure, FailureReason, InferReply, InferRequest
from sealift_runtime.inference.signature import Signature
from sealift_runtime.serving.decoding import RequestDecoder
from sealift_runtime.serving.encoding import encode_reply
from sealift_runtime.serving.http import BINARY, HttpRequest, HttpResponse, error_response, json_length, plain_body
from sealift_runtime.serving.limits import ServingLimits

_JSON_LENGTH: Final = "inference-header-content-length"
#: Failures that may be over in a moment.
_LATER: Final = frozenset({FailureReason.UNAVAILABLE, FailureReason.OVERLOAD})
STATUSES: Final = {
    FailureReason.UNKNOWN_MODEL: 404,
    FailureReason.UNAVAILABLE: 503,
    FailureReason.BAD_REQUEST: 400,
    FailureReason.TOO_LARGE: 413,
    FailureReason.OVERLOAD: 503,
    FailureReason.TIME_LIMIT: 504,
    FailureReason.MODEL: 500,
    FailureReason.INTERNAL: 500,
}


class HttpCall:
    """One inference over HTTP, as `inference.execution.Call` wants it."""

    __slots__ = ("_binary", "_decoder", "_limits", "_request")

    def __init__(self, request: HttpRequest, decoder: RequestDecoder, limits: ServingLimits) -> None:
        self._request = request
        self._decoder = decoder
        self._limits = limits
        self._binary: frozenset[str] = frozenset()

    def decode(self, signature: Signature) -> InferRequest:
        """The request in the body; `RequestError` or `LimitError` says what is wrong with it."""
        request = self._request
        decoded, self._binary = self._decoder.decode(signature, plain_body(request, self._limits), json_length(request))
        return decoded

    def encode(self, reply: InferReply) -> HttpResponse:
        """The response that says a reply."""
        body, json_bytes = encode_reply(reply, self._binary)
        return HttpResponse(200, body) if json_bytes is None else HttpResponse(200, body, BINARY, ((_JSON_LENGTH, str(json_bytes)),))

    def refuse(self, failure: Failure) -> HttpResponse:
        """The response that says why there is no reply."""
        return failure_response(failure, self._limits)


def failure_response(failure: Failure, limits: ServingLimits) -> HttpResponse:
    """The response to a request that got no reply."""
    if failure.reason in _LATER:
        retry = (("retry-after", str(limits.retry_after_s)),)
        return error_response(503, f"{failure.message}; try again in {limits.retry_after_s} s", headers=retry)
    return error_response(STATUSES[failure.reason], failure.message)


def size_of(request: HttpRequest) -> int | None:
    """How many bytes a request has to be decoded; None if it is compressed."""
    return None if b"content-encoding" in request.headers else len(request.body)
