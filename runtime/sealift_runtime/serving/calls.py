"""The codec of inference requests: an HTTP request with its body to an `InferRequest`, a reply or a failure to an HTTP response."""

from __future__ import annotations

import functools
from typing import Final

from sealift_core.errors import LimitError, RequestError
from sealift_runtime.inference.execution import OverloadError
from sealift_runtime.inference.messages import Failure, FailureReason, InferReply, InferRequest
from sealift_runtime.inference.signature import Signature
from sealift_runtime.serving.byte_budget import SMALL_BYTES, ByteBudget, Share
from sealift_runtime.serving.decoding import RequestDecoder
from sealift_runtime.serving.encoding import NONFINITE, encode_reply
from sealift_runtime.serving.http import BINARY, TOO_MUCH_IN_FLIGHT, HttpRequest, HttpResponse, error_response, json_length, plain_body
from sealift_runtime.serving.limits import ServingLimits

_ADVICE: Final = "Send smaller batches, or use the binary tensor extension."
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
    """One inference over HTTP, as `inference.execution.Call` wants it. What it takes in memory counts in ``budget``."""

    __slots__ = ("_binary", "_budget", "_decoded", "_decoder", "_limits", "_null", "_request")

    def __init__(self, request: HttpRequest, decoder: RequestDecoder, limits: ServingLimits, budget: ByteBudget) -> None:
        self._request = request
        self._decoder = decoder
        self._limits = limits
        self._budget = budget
        self._binary: frozenset[str] = frozenset()
        self._decoded: Share | None = None
        self._null = False

    def decode(self, signature: Signature) -> InferRequest:
        """The request in the body; `RequestError`, `LimitError` or `OverloadError` says what is wrong with it."""
        request = self._request
        self._decoded = None  # of an attempt before
        body = plain_body(request, self._limits, self._hold)
        decoded, self._binary = self._decoder.decode(signature, body, json_length(request), self._hold)
        self._null = _wants_null(decoded) if decoded.parameters else False
        return decoded

    def encode(self, reply: InferReply) -> HttpResponse:
        """The response that says a reply; `OverloadError` if there is no room for it now."""
        size = 0
        for value in reply.outputs.values():
            size += value.nbytes
        share = None
        if size > SMALL_BYTES:
            self._hold(size)
            share = self._budget.share()
            hold = functools.partial(_add, share, "the answer takes too much memory")
            body, json_bytes = encode_reply(reply, self._binary, null=self._null, hold=hold)
            hold(max(0, len(body) - share.size))
        else:
            body, json_bytes = encode_reply(reply, self._binary, null=self._null)
        if json_bytes is None:
            return HttpResponse(200, body, share=share)
        return HttpResponse(200, body, BINARY, ((_JSON_LENGTH, str(json_bytes)),), share=share)

    def _hold(self, size: int) -> None:
        """Count what decoding takes beside the body."""
        if self._decoded is None:
            self._decoded = self._budget.share()
        _add(self._decoded, "the decoded request and its outputs take too much memory", size)

    def refuse(self, failure: Failure) -> HttpResponse:
        """The response that says why there is no reply."""
        return failure_response(failure, self._limits)


def failure_response(failure: Failure, limits: ServingLimits) -> HttpResponse:
    """The response to a request that got no reply."""
    if failure.reason in _LATER:
        retry = (("retry-after", str(limits.retry_after_s)),)
        return error_response(503, f"{failure.message}; try again in {limits.retry_after_s} s", headers=retry)
    return error_response(STATUSES[failure.reason], failure.message)


def _wants_null(request: InferRequest) -> bool:
    value = request.parameters.get(NONFINITE, "literal")
    if value not in ("literal", "null"):
        where = f"parameters.{NONFINITE}"
        raise RequestError("not a way to write NaN and the infinities", where=where, expected="'literal' or 'null'", found=repr(value)[:60])
    return bool(value == "null")


def _add(share: Share, problem: str, size: int) -> None:
    if share.add(size):
        return
    if share.could_ever_add(size):
        raise OverloadError(TOO_MUCH_IN_FLIGHT)
    raise LimitError(problem, expected=f"at most {share.most_bytes} bytes", found=f"{share.size + size} or more", advice=_ADVICE)


def size_of(request: HttpRequest) -> int | None:
    """How many bytes a request has to be decoded; None if it is compressed."""
    return None if b"content-encoding" in request.headers else len(request.body)
