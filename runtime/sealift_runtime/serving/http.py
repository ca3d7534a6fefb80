"""One HTTP/1.1 request and its response as values."""

from __future__ import annotations

import dataclasses
import http
import zlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, NamedTuple

import orjson

from sealift_core.errors import LimitError, RequestError
from sealift_runtime.serving.byte_budget import Share
from sealift_runtime.serving.encoding import Hold, encode_error, free
from sealift_runtime.serving.limits import ServingLimits

JSON: Final = "application/json"
BINARY: Final = "application/octet-stream"
JSON_LENGTH: Final = b"inference-header-content-length"
#: The headers that decide who answers and how the body is read: of two, a proxy before this server might go by the other one.
DECISIVE: Final[Mapping[bytes, str]] = {
    name.lower().encode(): name for name in ("Host", "Origin", "Content-Encoding", "Inference-Header-Content-Length")
}
TOO_MUCH_IN_FLIGHT: Final = "too many bytes of requests and answers are in flight"
CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
#: What is left out when a request's head is read again as if it made no offer to upgrade; 100-continue was said by then.
_UPGRADE_HEADERS: Final = frozenset((b"connection", b"upgrade", b"http2-settings", b"expect"))
_SLICE_BYTES: Final = 16 * 1024
_PIECE_BYTES: Final = 2**20
_REASONS: Final = {status.value: status.phrase for status in http.HTTPStatus}


Body = bytes | bytearray


@dataclasses.dataclass(slots=True)
class HttpRequest:
    """A whole request. ``path`` is percent-decoded and without its query; header names are lower case; ``share`` is what a large body holds."""

    method: str
    target: bytes
    headers: dict[bytes, bytes]
    body: Body
    path: str = ""
    share: Share | None = None


class HttpResponse(NamedTuple):
    """A whole response; length, date and connection headers are the connection's to add; ``share`` is what a large body holds."""

    status: int
    body: Body
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()
    close: bool = False
    share: Share | None = None


#: Answers a request, now or (a coroutine) later. It runs on the event loop.
Handler = Callable[[HttpRequest], HttpResponse | Awaitable[HttpResponse]]


def json_response(value: object, status: int = 200, *, headers: tuple[tuple[str, str], ...] = ()) -> HttpResponse:
    """A response with a JSON body."""
    return HttpResponse(status, orjson.dumps(value), JSON, headers)


def error_response(status: int, message: str, *, headers: tuple[tuple[str, str], ...] = (), close: bool = False) -> HttpResponse:
    """A response with the protocol's error body."""
    return HttpResponse(status, encode_error(message), JSON, headers, close)


def encode_head_without_upgrade(method: bytes, target: bytes, version: bytes, headers: Mapping[bytes, bytes]) -> bytes:
    """A request's head as it would be had its client not offered to upgrade; whether the connection is kept is as it said."""
    lines = [b"%b %b HTTP/%b" % (method, target, version)]
    lines += [b"%b: %b" % (name, value) for name, value in headers.items() if name not in _UPGRADE_HEADERS]
    words = {word.strip() for word in headers.get(b"connection", b"").lower().split(b",")}
    lines += [b"connection: %b" % word for word in (b"close", b"keep-alive") if word in words][:1]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def encode_head(response: HttpResponse, *, date: str, keep_alive: bool, http10: bool) -> bytes:
    """The bytes of a response, up to its body."""
    lines = [
        f"HTTP/1.1 {response.status} {_REASONS.get(response.status, 'Unknown')}",
        f"content-type: {response.content_type}",
        f"content-length: {len(response.body)}",
        f"date: {date}",
        *(f"{name}: {value}" for name, value in response.headers),
    ]
    if not keep_alive:
        lines.append("connection: close")
    elif http10:
        lines.append("connection: keep-alive")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"


def plain_body(request: HttpRequest, limits: ServingLimits, hold: Hold = free) -> Body:
    """The body, decompressed if its encoding says so; `RequestError`, or `LimitError` above ``body_bytes`` or ``gzip_members``.

    ``hold`` is told of each further byte that it is about to take, and may raise.
    """
    encoding = request.headers.get(b"content-encoding", b"identity").lower()
    if encoding == b"identity":
        return request.body
    if encoding not in (b"gzip", b"x-gzip", b"deflate"):
        raise RequestError("unknown encoding", where="header Content-Encoding", expected="gzip or deflate", found=repr(encoding[:60]))
    try:
        return _inflate(request.body, zlib.MAX_WBITS | 32, limits, hold)  # gzip or zlib by its first bytes
    except zlib.error as error:
        if encoding == b"deflate":  # some clients send it without the zlib wrapper
            return _inflate_raw(request.body, limits, hold)
        raise RequestError(f"the body isn't valid {encoding.decode()}, caused by: {error}", where="body") from error


def _inflate_raw(data: Body, limits: ServingLimits, hold: Hold) -> Body:
    try:
        return _inflate(data, -zlib.MAX_WBITS, limits, hold)
    except zlib.error as error:
        raise RequestError(f"the body isn't valid deflate, caused by: {error}", where="body") from error


def _inflate(data: Body, window_bits: int, limits: ServingLimits, hold: Hold) -> Body:
    """All members of gzip, one after the other.

    They are fed in slices: an inflater copies what it was given and didn't need, which of the whole body, for each member, would be
    quadratic work.
    """
    result = bytearray()
    at, most = 0, min(limits.body_bytes, max(limits.gzip_free_bytes, limits.gzip_ratio * len(data)))
    if not data:
        return b""
    for _ in range(limits.gzip_members):
        inflater = zlib.decompressobj(window_bits)
        while not inflater.eof:
            piece = inflater.unconsumed_tail or data[at : at + _SLICE_BYTES]
            if not piece:
                raise RequestError("the compressed body is cut off", where="body")
            at += 0 if inflater.unconsumed_tail else len(piece)
            inflated = inflater.decompress(piece, min(_PIECE_BYTES, most + 1 - len(result)))
            hold(len(inflated))
            result += inflated
            if len(result) > most:
                raise _too_much(most, limits)
        at -= len(inflater.unused_data)
        if at == len(data):
            return result
    raise LimitError("too many gzip members", where="body", expected=f"at most {limits.gzip_members}", advice="Compress the body as a whole.")


def _too_much(most: int, limits: ServingLimits) -> LimitError:
    if most == limits.body_bytes:
        return LimitError("the decompressed body is too large", where="body", expected=f"at most {most} bytes")
    expected = f"at most {limits.gzip_ratio} times its compressed size, {most} bytes"
    return LimitError("the decompressed body is too large", where="body", expected=expected, advice="Send it without compression.")


def json_length(request: HttpRequest) -> int | None:
    """The header ``Inference-Header-Content-Length``; None if it isn't there."""
    value = request.headers.get(JSON_LENGTH)
    if value is None:
        return None
    if not value.isdigit() or len(value) > 12:
        raise RequestError("malformed", where="header Inference-Header-Content-Length", expected="a number of bytes", found=repr(value[:60]))
    return int(value)
