"""HTTP/1.1 on a socket: keep-alive, pipelining, chunked bodies, ``Expect: 100-continue``, and the limits of all that.

Requests are answered one after the other in the order they came, whatever takes how long. Reading pauses while a client
has many requests waiting or doesn't take its answers. Time is the server's coarse clock (`ServerState.now`), looked at by
its sweep, so no request sets a timer.
"""

from __future__ import annotations

import asyncio
import collections
import dataclasses
from typing import Any, Final, cast

import httptools

from sealift_runtime.inference.service import After
from sealift_runtime.serving.answering import Cancellable, ServerState
from sealift_runtime.serving.byte_budget import SMALL_BYTES, Share
from sealift_runtime.serving.http import (
    CONTINUE,
    DECISIVE,
    JSON,
    TOO_MUCH_IN_FLIGHT,
    HttpRequest,
    HttpResponse,
    encode_head,
    encode_head_without_upgrade,
    error_response,
)
from sealift_runtime.serving.limits import SMALL_PIECE_BYTES
from sealift_runtime.serving.misdirected import judge_host, judge_origin
from sealift_runtime.serving.pace import is_too_slow

BETWEEN, HEAD, BODY, LINGERING = range(4)
_LINGER_S: Final = 5.0
#: So many small pieces of a body are read from one client before the others have their turn.
_PIECES_IN_TURN: Final = 256
#: After so many bytes, too.
_BYTES_IN_TURN: Final = 64 * 1024
#: How often a client is read from whose bytes are thrown away.
_THROWN_AWAY_EVERY_S: Final = 0.01


@dataclasses.dataclass(slots=True)
class _Exchange:
    """A request in the order of its connection; ``refusal`` is set where the answer is known already."""

    request: HttpRequest
    keep_alive: bool
    http10: bool
    refusal: HttpResponse | None = None


class ClientConnection(asyncio.Protocol):
    """One client. ``local`` is whether it came over the Unix domain socket."""

    def __init__(self, server: ServerState, *, local: bool) -> None:
        self._server = server
        self.local = local
        self._transport: asyncio.Transport | None = None
        self._parser: Any = httptools.HttpRequestParser(self)
        self._waiting: collections.deque[_Exchange] = collections.deque()
        self._current: _Exchange | None = None
        self._job: Cancellable | None = None
        self._phase = BETWEEN
        self._since = server.now
        self._write_paused_at: float | None = None
        self._reading_paused = False
        self._pumping = False
        self._moved = self._half_closed = self._answered = False
        self._head_bytes = self._silent_bytes = self._small_pieces = 0
        self._waiting_bytes = self._received_bytes = self._unread_bytes = 0
        self._share: Share | None = None
        self._unread_share: Share | None = None
        self._refusal: HttpResponse | None = None
        self._target = self._parser_method = self._parser_version = b""
        self._headers: dict[bytes, bytes] = {}
        self._body: bytes | bytearray = b""

    @property
    def idle(self) -> bool:
        """Whether nothing is due to the client: it has its answers, and hasn't sent the whole head of another request."""
        due = self._current is not None or bool(self._waiting) or (self._transport is not None and self._transport.get_write_buffer_size() > 0)
        return self._phase != BODY and not due

    @property
    def standing(self) -> tuple[bool, float]:
        """Whether it was ever answered, and since when it is idle, by the server's clock: the smaller it is, the sooner it makes room for others."""
        return self._answered, self._since

    # --- asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a client, or turn it away when there are too many."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are no subclasses
        if not self._server.admit(self):
            self._refuse(503, "too many connections")
            self._enqueue_refusal()
            self._server.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Forget the client and what it waited for."""
        self._server.forget(self)
        self._drop_body()
        if self._job is not None:
            self._job.cancelled = True
        self._waiting.clear()
        self._waiting_bytes = 0
        self._transport = self._parser = self._current = self._job = self._unread_share = None

    def data_received(self, data: bytes) -> None:
        """Parse what came; complete requests are answered in turn."""
        if self._phase == LINGERING or self._parser is None:
            self._let_others_read(_THROWN_AWAY_EVERY_S)
            return
        phase = self._phase
        self._moved = False
        pieces = self._small_pieces
        self._feed(data)
        if self._small_pieces > pieces + _PIECES_IN_TURN or len(data) > _BYTES_IN_TURN:
            self._let_others_read()
        if self._phase == phase != BETWEEN and not self._moved:  # the parser keeps a header to itself until it ends
            self._keep(len(data))
        if self._refusal is not None:
            self._enqueue_refusal()

    def _feed(self, data: bytes) -> None:
        """Parse. An offer to upgrade is passed over: Java's client makes one with each request, and its body follows."""
        pending: collections.deque[bytes | memoryview] = collections.deque([memoryview(data)])  # slices of it are no copies
        while pending and self._parser is not None:
            piece = pending.popleft()
            try:
                self._parser.feed_data(piece)
            except httptools.HttpParserUpgrade as error:
                if self._refusal is not None:
                    return
                self._parser = httptools.HttpRequestParser(self)
                pending.extendleft([piece[error.args[0] :], self._head_without_upgrade()])
            except httptools.HttpParserError as error:
                self._refuse(400, f"the request isn't valid HTTP/1.1, caused by: {error}")
                return

    def _head_without_upgrade(self) -> bytes:
        return encode_head_without_upgrade(self._parser_method, self._target, self._parser_version, self._headers)

    def _let_others_read(self, after_s: float = 0.0) -> None:
        """Read on after the other clients' turn: libuv reads up to 32 times from one that keeps sending."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()
            loop = asyncio.get_running_loop()
            if after_s:
                loop.call_later(after_s, self._read_on)
            else:
                loop.call_soon(self._read_on)

    def _read_on(self) -> None:
        if self._transport is not None and not self._transport.is_closing() and not self._reading_paused:
            self._transport.resume_reading()

    def eof_received(self) -> bool:
        """Take the end of what a client sends; it may have left, or only wait for its answers (RFC 9112, section 9.6).

        Nothing on the wire tells the two apart. So what it waits for is worked on once nobody else waits.
        """
        self._half_closed = True
        if self._job is not None:
            self._job.wait_for_others()
        return self._current is not None or bool(self._waiting)

    def pause_writing(self) -> None:
        """Take up no further request while the client doesn't read."""
        self._write_paused_at = self._server.now
        self._unread_bytes = self._transport.get_write_buffer_size() if self._transport is not None else 0
        self._pace_reading()

    def resume_writing(self) -> None:
        """Go on."""
        self._write_paused_at = None
        self._unread_share = None
        self._pump()

    # --- the parser's side

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._enter(HEAD)
        self._moved = True
        self._target = b""
        self._headers = {}
        self._body = b""
        self._head_bytes = self._small_pieces = 0

    def on_url(self, url: bytes) -> None:
        """Take the target, which may come in pieces."""
        self._head_bytes += len(url)
        self._check_head()
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header."""
        self._head_bytes += len(name) + len(value)
        if self._head_bytes <= self._server.limits.header_bytes:
            name = name.lower()
            if name in self._headers and name in DECISIVE:
                self._refuse(400, f"the request has two {DECISIVE[name]} headers")
            self._headers[name] = value
        else:
            self._check_head()

    def on_headers_complete(self) -> None:
        """Judge the head before the body comes."""
        self._enter(BODY)
        self._silent_bytes = 0
        self._check_host()
        origin = self._headers.get(b"origin")
        if origin is not None and not self.local and self._refusal is None:
            self._refusal = judge_origin(origin, self._headers.get(b"host", b""), self._server.hosts)
        length = self._headers.get(b"content-length", b"")
        size = int(length[:20]) if length.isdigit() else 0
        if size > self._server.limits.body_bytes:
            self._too_large(self._server.limits.body_bytes, length.decode())
        elif size > SMALL_BYTES and self._refusal is None and not self._hold(size):
            return
        elif b"expect" in self._headers and self._headers[b"expect"].lower() == b"100-continue":
            self._say_continue()

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        self._moved = True
        self._silent_bytes = 0
        self._received_bytes += len(body)
        if self._refusal is not None:
            return
        self._small_pieces += len(body) < SMALL_PIECE_BYTES
        size = len(self._body) + len(body)
        if self._small_pieces > self._server.limits.body_pieces:
            most = self._server.limits.body_pieces
            self._refuse(413, f"the body arrives in too many small pieces: expected at most {most} of less than {SMALL_PIECE_BYTES} bytes")
        elif size > self._server.limits.body_bytes:
            self._too_large(self._server.limits.body_bytes, "more")
        elif size > SMALL_BYTES and not self._hold(size):
            return
        elif not self._body:
            self._body = body
        else:
            if isinstance(self._body, bytes):  # one buffer, or a body in one-byte pieces would take many times its size
                self._body = bytearray(self._body)
            self._body += body

    def on_message_complete(self) -> None:
        """Queue the request, and answer it if it is its turn."""
        self._enter(BETWEEN)
        if self._refusal is not None or self._parser is None:
            return
        if self._parser.should_upgrade():
            self._parser_method, self._parser_version = self._parser.get_method(), self._parser.get_http_version().encode()
            if self._parser_method == b"CONNECT":
                self._refuse(405, "wrong method: this server isn't a proxy")
            return
        body = self._body if self._share else bytes(self._body)  # a large one isn't copied
        request = HttpRequest(self._parser.get_method().decode("latin-1"), self._target, self._headers, body, share=self._share)
        self._drop_body()
        self._waiting_bytes += len(request.body)
        keep_alive, http10 = self._parser.should_keep_alive(), self._parser.get_http_version() == "1.0"
        self._waiting.append(_Exchange(request, keep_alive, http10))
        if self._current is None and not self._pumping:
            self._pump()
        else:
            self._pace_reading()

    # --- ours

    def _enter(self, phase: int) -> None:
        self._phase = phase
        self._since = self._server.now
        self._received_bytes = 0

    def _keep(self, size: int) -> None:
        """Bound what the parser has kept to itself: a header or, in the body, a trailer or the extension of a chunk."""
        if self._phase == HEAD:
            self._head_bytes += size
            self._check_head()
        elif self._phase == BODY:
            self._silent_bytes += size
            if self._silent_bytes > self._server.limits.header_bytes and self._refusal is None:
                self._refuse(431, f"a trailer or a chunk header is too large: expected at most {self._server.limits.header_bytes} bytes")

    def _check_host(self) -> None:
        host = self._headers.get(b"host")
        if (host in self._server.hosts.accepted and self._target.startswith(b"/")) or self.local:
            return
        http10 = self._parser.get_http_version() == "1.0"
        self._refusal = self._refusal or judge_host(host, self._target, self._server.hosts, http10=http10)

    def _hold(self, size: int) -> bool:
        """Count the body that is being received, of which ``size`` bytes came or are declared, among all that the server holds; else refuse it.

        What the device's owner sends doesn't count: it has to be heard whatever clients do.
        """
        if self.local:
            return True
        share = self._share = self._share or self._server.budget.share()
        more = size - share.size
        if more <= 0 or share.add(more):
            return True
        if share.could_ever_add(more):
            self._refuse(503, f"{TOO_MUCH_IN_FLIGHT}; try again in {self._server.limits.retry_after_s} s")
        else:
            self._too_large(self._server.budget.most_bytes, str(size))
        return False

    def _drop_body(self) -> None:
        """Let go of the body that is being received; a request that was made of it keeps its share."""
        self._body = b""
        self._share = None

    def _check_head(self) -> None:
        limit = self._server.limits.header_bytes
        if self._head_bytes > limit and self._refusal is None:
            self._refuse(431, f"the request's head is too large: expected at most {limit} bytes")

    def _too_large(self, most: int, size: str) -> None:
        self._refuse(413, f"the body is too large: expected at most {most} bytes, found {size}")

    def _say_continue(self) -> None:
        if self._transport is not None and self._current is None and not self._waiting:
            self._transport.write(CONTINUE)

    def _refuse(self, status: int, message: str) -> None:
        headers = (("retry-after", str(self._server.limits.retry_after_s)),) if status == 503 else ()
        self._refusal = error_response(status, message, headers=headers, close=True)

    def _enqueue_refusal(self) -> None:
        """Answer a request that can't be read, after those before it; what the client sends on is thrown away."""
        self._drop_body()
        is_head = self._parser is not None and self._parser.get_method() == b"HEAD"
        nothing = HttpRequest("HEAD" if is_head else "GET", b"", {}, b"")
        self._waiting.append(_Exchange(nothing, keep_alive=False, http10=False, refusal=self._refusal))
        self._parser = self._refusal = None
        self._pump()

    def _pump(self) -> None:
        """Answer what waits, one at a time."""
        self._pumping = True  # so that an answer given at once comes back to this loop instead of starting another
        while self._waiting and self._current is None and self._write_paused_at is None and self._transport is not None:
            exchange = self._current = self._waiting.popleft()
            self._waiting_bytes -= len(exchange.request.body)
            if exchange.refusal is not None:
                self._reply(exchange.refusal, None)
            else:
                self._job = self._server.answer(exchange.request, self._reply, local=self.local)
                if self._half_closed and self._job is not None:
                    self._job.wait_for_others()
        self._pumping = False
        self._pace_reading()

    def _reply(self, response: HttpResponse, after: After | None) -> None:
        """Write the answer to the current request; called once for each."""
        exchange, self._current, self._job = self._current, None, None
        self._answered = True
        if exchange is None or self._transport is None:  # the client went meanwhile
            return
        more = self._parser is not None and not self._server.stopping and not self._half_closed
        if len(response.body) > SMALL_BYTES and not self.local:
            response = self._counted(response)
        keep_alive = exchange.keep_alive and not response.close and (more or bool(self._waiting))
        self._write(response, self._transport, keep_alive=keep_alive, http10=exchange.http10, head=exchange.request.method == "HEAD")
        if not keep_alive:
            self._end(linger=exchange.refusal is not None)
        else:
            self._since = self._server.now
        if after is not None:
            after()
        if not self._pumping:
            self._pump()

    def _counted(self, response: HttpResponse) -> HttpResponse:
        """A large response that counts among all that the server holds, or the refusal that takes its place."""
        if response.share is not None:
            return response
        share = self._server.budget.share()
        if share.add(len(response.body)):
            return response._replace(share=share)
        wait_s = str(self._server.limits.retry_after_s)
        return error_response(503, f"{TOO_MUCH_IN_FLIGHT}; try again in {wait_s} s", headers=(("retry-after", wait_s),))

    def _write(self, response: HttpResponse, transport: asyncio.Transport, *, keep_alive: bool, http10: bool, head: bool) -> None:
        """Hand a response to the transport, in one piece if it is small; what the client doesn't take at once counts until it has."""
        size = len(response.body)
        plain = response.status == 200 and response.content_type == JSON and not response.headers
        if plain and keep_alive and not http10:
            if size <= SMALL_BYTES and not head:
                transport.write(b"%b%d\r\n\r\n%b" % (self._server.ok_start, size, bytes(response.body)))
                return
            start = b"%b%d\r\n\r\n" % (self._server.ok_start, size)
        else:
            start = encode_head(response, date=self._server.date, keep_alive=keep_alive, http10=http10)
        if head:
            transport.write(start)
        elif size <= SMALL_BYTES:
            transport.write(start + response.body)
        else:
            transport.write(start)
            transport.write(response.body)
            self._unread_bytes = transport.get_write_buffer_size()
            self._unread_share = response.share if self._unread_bytes else None

    def _end(self, *, linger: bool) -> None:
        """Close once everything is written; linger where the client may still be sending, or it would lose our answer."""
        self._waiting.clear()
        self._waiting_bytes = 0
        self._parser = None
        self._drop_body()
        if self._transport is None:
            return
        if linger and self._transport.can_write_eof():
            self._transport.write_eof()
            self._enter(LINGERING)
            self._pace_reading()
        else:
            self._transport.close()

    def _pace_reading(self) -> None:
        limits = self._server.limits
        many = len(self._waiting) >= limits.pipelined_requests or self._waiting_bytes > limits.waiting_bytes
        busy = many or self._write_paused_at is not None
        full = busy and self._phase != LINGERING
        if self._transport is None or self._transport.is_closing() or full == self._reading_paused:
            return
        self._reading_paused = full
        if full:
            self._transport.pause_reading()
        else:
            self._since, self._received_bytes = self._server.now, 0
            self._transport.resume_reading()

    def shut(self) -> None:
        """Close now if nothing is due, else after the answer to the current request."""
        if self._current is None and not self._waiting and self._transport is not None:
            self._transport.close()

    def give_up(self) -> None:
        """Refuse the current request, whose work ends, and close."""
        if self._current is None:
            self.abort()
            return
        if self._job is not None:
            self._job.cancelled = True
        headers = (("retry-after", str(self._server.limits.retry_after_s)),)
        self._reply(error_response(503, "the server is stopping; try again later, or ask another one", headers=headers, close=True), None)

    def abort(self) -> None:
        """Close without another word."""
        if self._transport is not None:
            self._transport.abort()

    def sweep(self, now: float) -> None:
        """Called about once a second: close what is too slow or idle for too long."""
        limits, age = self._server.limits, now - self._since
        if self._write_paused_at is not None:
            if self._reads_too_slowly(now - self._write_paused_at):
                self.abort()
        elif self._reading_paused:  # it is we who keep the client waiting
            return
        elif self._phase == LINGERING:
            if age > _LINGER_S:
                self.abort()
        elif self._phase == HEAD and age > limits.header_timeout_s:
            self._time_out(f"the request's head took more than {limits.header_timeout_s:g} s")
        elif self._phase == BODY and is_too_slow(self._received_bytes, age, grace_s=limits.body_grace_s, bytes_per_s=limits.bytes_per_s):
            rate = f"at least {limits.bytes_per_s:g} bytes a second after {limits.body_grace_s:g} s"
            self._time_out(f"the request's body comes too slowly: expected {rate}, found {self._received_bytes} in {age:.0f} s")
        elif self._phase == BETWEEN and age > limits.idle_timeout_s:
            self._close_idle()

    def _close_idle(self) -> None:
        if self._transport is not None and self._transport.is_closing():  # the client hasn't even taken a small answer since
            self.abort()
        else:
            self.shut()

    def _reads_too_slowly(self, age: float) -> bool:
        limits = self._server.limits
        taken = self._unread_bytes - (self._transport.get_write_buffer_size() if self._transport is not None else 0)
        return is_too_slow(taken, age, grace_s=limits.answer_grace_s, bytes_per_s=limits.bytes_per_s)

    def _time_out(self, message: str) -> None:
        if self._parser is not None:
            self._refuse(408, message)
            self._enqueue_refusal()
