"""uvicorn's HTTP protocol, with the bounds that it doesn't have: bytes and seconds for a request's head, and time for all else that stalls."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from sealift_hub.limits import DEFAULT_LIMITS

_LIMITS = DEFAULT_LIMITS
#: So many small pieces of a body are read from one client before the others have their turn.
_PIECES_IN_TURN = 256


class BoundedHttp(HttpToolsProtocol):
    """One client.

    Without these bounds a client that sends nothing, or a header that never ends, holds a connection and memory for as long as it likes; and
    a thousand of them keep everybody else out.
    """

    _timer: asyncio.TimerHandle | None = None
    _stalled: asyncio.TimerHandle | None = None
    _head_bytes = 0
    _kept_bytes = 0
    _small_pieces = 0
    since = 0.0  # when it came, or last began to ask
    _moved = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a client, who has to ask something soon."""
        super().connection_made(transport)
        self.since = self.loop.time()
        self._wait(_LIMITS.head_seconds)
        self._make_room()

    @property
    def idle(self) -> bool:
        """Whether nothing is due to the client: it has its answers, and hasn't sent the whole head of another request."""
        answered = self.cycle is None or self.cycle.response_complete
        return answered and not self.pipeline and self.transport.get_write_buffer_size() == 0

    def _make_room(self) -> None:
        """Where there are too many clients, part with the one that has been silent longest: who only holds a connection keeps nobody out."""
        if self.limit_concurrency is None or len(self.connections) < self.limit_concurrency:
            return
        others = [other for other in self.connections if isinstance(other, BoundedHttp) and other is not self and other.idle]
        if others:
            silent = min(others, key=lambda other: other.since)
            self.connections.discard(silent)
            silent.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget a client."""
        self._wait(None)
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what came; what the parser keeps to itself (a header, a trailer, a chunk's head that doesn't end) is bounded."""
        self._moved = False
        pieces = self._small_pieces
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._small_pieces > _LIMITS.body_pieces:
            self.send_400_response("The body arrives in too many small pieces.")
            return
        if self._small_pieces > pieces + _PIECES_IN_TURN:
            self._let_others_read()
        if self._moved:
            self._kept_bytes = 0
            return
        self._kept_bytes += len(data)
        if self._kept_bytes > _LIMITS.head_bytes:
            self.send_400_response("A header line or a chunk header is too long.")

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self._moved = True
        self.since = self.loop.time()
        self._head_bytes = self._small_pieces = 0
        self._wait(_LIMITS.head_seconds)

    def on_url(self, url: bytes) -> None:
        """Take the target, which may come in pieces."""
        self._add(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header, or a trailer."""
        self._add(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Go on with the body, which has its own time."""
        self._moved = True
        self._wait(2 * _LIMITS.body_seconds)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        self._moved = True
        self._small_pieces += len(body) < _LIMITS.piece_bytes
        if self._small_pieces <= _LIMITS.body_pieces:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """End a request."""
        self._moved = True
        self._wait(None)
        super().on_message_complete()

    def pause_writing(self) -> None:
        """Wait for a client that doesn't take its answer, but not for ever."""
        super().pause_writing()
        self._stalled = self.loop.call_later(_LIMITS.idle_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on."""
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None
        super().resume_writing()

    def _let_others_read(self) -> None:
        """Read on after the other clients' turn: libuv reads up to 32 times from one that keeps sending."""
        self.transport.pause_reading()
        self.loop.call_soon(self._read_on)

    def _read_on(self) -> None:
        if not self.transport.is_closing() and not self.flow.read_paused:
            self.transport.resume_reading()

    def _add(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > _LIMITS.head_bytes:
            raise ValueError("the head is too large")  # the parser ends, and the client gets 400

    def _wait(self, seconds: float | None) -> None:
        """Close the connection unless something comes of it in time; None: whatever it takes."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if seconds is None else self.loop.call_later(seconds, self._close)

    def _close(self, *_: Any) -> None:
        if not self.transport.is_closing():
            self.transport.close()
