"""Files from a static web server, with resume (RFC 9110 ranges), bounded retries with full jitter, and timeouts."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import logging
import random
import re
import urllib.parse
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Final

import requests
import urllib3

from sealift_core.clock import Clock, SystemClock
from sealift_core.errors import ConfigurationError, NotFoundError, TransportError
from sealift_core.http.failures import certificate_trouble, reason
from sealift_core.http.http_session import follow, open_session
from sealift_core.http.urls import check_url, redacted
from sealift_runtime.transport.base import check_size, split_path
from sealift_runtime.transport.rate import RateLimits, RateMonitor

CHUNK_BYTES: Final = 64 * 1024
_LOG: Final = logging.getLogger("sealift.transport")
_CA_ADVICE: Final = "If the server's certificate is from a private CA, set source.ca_file in agent.toml to the CA's certificate."
RETRIED: Final = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class HttpSettings:
    """Bounds of one download. Retry n waits a random time up to ``backoff_s``·2ⁿ⁻¹, at most ``max_backoff_s``.

    Attributes:
        connect_timeout_s: For a connection.
        read_timeout_s: For each packet.
        head_timeout_s: For the head of an answer as a whole.
        attempts: How often it is tried in all.
        backoff_s: The most that the first retry waits.
        max_backoff_s: The most that any retry waits.
        rate: When a download is too slow to go on.
    """

    connect_timeout_s: float = 10.0
    read_timeout_s: float = 30.0
    head_timeout_s: float = 60.0
    attempts: int = 4
    backoff_s: float = 0.5
    max_backoff_s: float = 15.0
    rate: RateLimits = dataclasses.field(default_factory=RateLimits)


class _RetryableError(TransportError):
    """A failure that may be gone at the next attempt."""


class HttpTransport:
    """A `Transport` over HTTP or HTTPS.

    Proxies come from the environment and a password from ~/.netrc, as ever. Redirects are followed to the same scheme, host and port alone.
    """

    def __init__(
        self,
        url: str,
        *,
        ca_file: Path | None = None,
        settings: HttpSettings | None = None,
        clock: Clock | None = None,
        certain_time: Callable[[], datetime.datetime] | None = None,
        jitter: Callable[[], float] = random.random,  # noqa: S311 - no secret
    ) -> None:
        """Prepare a transport; nothing is contacted yet.

        Args:
            url: The address that paths are relative to.
            ca_file: A PEM file of CAs that replace the usual ones; None for those.
            settings: Bounds of each download; None for the defaults.
            clock: The time, and what waits; None for the machine's.
            certain_time: Gives a time that has surely passed, for certificates where the machine's clock is behind it.
            jitter: Draws a number from 0 to 1: the share of the longest wait before a retry.

        Raises:
            ConfigurationError: If the address is malformed, or the CA file isn't there.
        """
        self._base = check_url(url, where="repository", what="a repository")
        self._verify: bool | str = _check_ca(ca_file)
        self._settings = settings or HttpSettings()
        self._clock = clock or SystemClock()
        self._jitter = jitter
        self._session = open_session(self._base, certain_time=certain_time)

    def describe(self) -> str:
        """Name the URL that paths are relative to."""
        return self._base

    def close(self) -> None:
        """Drop the connections that are kept open."""
        self._session.close()

    @contextlib.contextmanager
    def open(self, path: str, offset: int = 0, *, max_bytes: int | None = None) -> Iterator[Iterator[bytes]]:
        """Open a file; see `Transport.open`. Resumes by ranges (RFC 9110, section 14).

        A connection that breaks on the way is taken up again where it broke, within the same number of attempts.

        Args:
            path: The file's path, relative, with ``/`` between its segments.
            offset: The byte to begin with.
            max_bytes: The most bytes that the whole file may have; None for any number.

        Yields:
            The bytes from ``offset`` on, in chunks.

        Raises:
            NotFoundError: If there is no such file.
            TransportError: If it can't be fetched; also while the chunks are read.
            OversizedError: If the server says that the whole file is larger than ``max_bytes``.
        """
        url = f"{self._base}/{'/'.join(urllib.parse.quote(segment, safe='') for segment in split_path(path))}"
        chunks = self._chunks(url, offset, max_bytes)
        first = next(chunks)  # the answer's head: what can't be opened fails here, not while reading
        try:
            yield _after(first, chunks)
        finally:
            chunks.close()

    def _chunks(self, url: str, offset: int, max_bytes: int | None) -> Generator[bytes, None, None]:
        """First an empty chunk once the answer is there, then the body, over as many attempts as are allowed."""
        monitor = RateMonitor(self._settings.rate, self._clock.monotonic())
        at, announced, attempt = offset, False, 0
        while True:
            attempt += 1
            try:
                with self._request(url, at) as response:
                    check_size(_announced(response), max_bytes, url)
                    if not announced:
                        announced = True
                        yield b""
                    for chunk in self._body(response, url, at, monitor):
                        at += len(chunk)
                        yield chunk
            except _RetryableError as error:
                if attempt >= self._settings.attempts:
                    raise TransportError(f"{error.message}, after {attempt} attempts", where=url, advice=error.advice) from error
                _LOG.info("%s: attempt %d of %d failed: %s", url, attempt, self._settings.attempts, error.message)
                self._wait(attempt)
            else:
                return

    def _wait(self, attempt: int) -> None:
        bound = min(self._settings.backoff_s * 2 ** (attempt - 1), self._settings.max_backoff_s)
        self._clock.sleep(bound * self._jitter())

    def _request(self, url: str, offset: int) -> requests.Response:
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        timeout = (self._settings.connect_timeout_s, self._settings.read_timeout_s)
        target, redirects = url, 0
        while True:
            _LOG.debug("GET %s%s", redacted(target), f" from byte {offset}" if offset else "")
            with _translate(url), self._session.within(self._settings.head_timeout_s):
                response = self._session.get(target, headers=headers, timeout=timeout, verify=self._verify, stream=True, allow_redirects=False)
            try:
                if not response.is_redirect:
                    _check_response(response, url, offset)
                    return response
                target, redirects = follow(target, response, redirects), redirects + 1
            except BaseException:
                response.close()
                raise
            response.close()

    def _body(self, response: requests.Response, url: str, offset: int, monitor: RateMonitor) -> Iterator[bytes]:
        """The bytes from ``offset`` on, whatever of the file the server chose to send."""
        if response.status_code == requests.codes.requested_range_not_satisfiable:
            return
        skip = offset if response.status_code == requests.codes.ok else 0
        chunked = "chunked" in response.headers.get("Transfer-Encoding", "").lower()
        while True:
            # One read is one packet, within the timeout; a chunk's head may be many, each in time.
            with _translate(url), self._session.within(self._settings.read_timeout_s) if chunked else contextlib.nullcontext():
                chunk: bytes = response.raw.read1(CHUNK_BYTES)
            rate = monitor.too_slow(len(chunk), self._clock.monotonic())
            if rate is not None:
                least = f"at least {self._settings.rate.minimum_bytes_per_s:.0f} bytes/s"
                raise TransportError("the download is too slow and was given up", where=url, expected=least, found=f"{rate:.0f} bytes/s")
            if not chunk:
                return
            dropped = min(skip, len(chunk))
            skip -= dropped
            if dropped < len(chunk):
                yield chunk[dropped:]


def _after(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    if first:
        yield first
    yield from rest


def _check_ca(ca_file: Path | None) -> bool | str:
    if ca_file is not None and not ca_file.is_file():
        raise ConfigurationError("no such CA file", where=str(ca_file))
    return str(ca_file) if ca_file else True


def _check_response(response: requests.Response, url: str, offset: int) -> None:
    """Raise unless the answer carries the bytes from ``offset`` on, or the whole file."""
    status = response.status_code
    if status in (404, 410):
        raise NotFoundError("no such file", where=url, found=f"HTTP {status}")
    if status in RETRIED:
        raise _RetryableError(f"the server answered HTTP {status} {response.reason}", where=url)
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise TransportError(
            "the server compresses files",
            where=url,
            found=response.headers["Content-Encoding"],
            advice="Configure the server to send files uncompressed.",
        )
    if status == 206 and offset:
        _check_range(response.headers.get("Content-Range", ""), url, offset)
    elif status == 416 and offset:
        _check_end(response.headers.get("Content-Range", ""), url, offset)
    elif status != 200:
        raise TransportError("the server refused the request", where=url, expected="HTTP 200", found=f"HTTP {status} {response.reason}")


def _announced(response: requests.Response) -> int:
    """The size of the whole file, as the answer says it; 0 if it doesn't."""
    text = response.headers.get("Content-Range", "").rpartition("/")[2] or response.headers.get("Content-Length", "")
    return int(text) if re.fullmatch(r"[0-9]{1,19}", text) else 0


def _check_range(content_range: str, url: str, offset: int) -> None:
    """The server honoured the range: it sends from ``offset`` to the very end."""
    match = re.fullmatch(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19}|\*)", content_range)
    if not match or int(match[1]) != offset or (match[3] != "*" and int(match[2]) + 1 != int(match[3])):
        raise TransportError(
            "the server sent another range than requested", where=url, expected=f"bytes {offset}- …", found=repr(content_range[:100])
        )


def _check_end(content_range: str, url: str, offset: int) -> None:
    """Nothing is left to send: ``offset`` is the file's size."""
    match = re.fullmatch(r"bytes \*/(\d{1,19})", content_range)
    if not match or int(match[1]) != offset:
        raise TransportError(
            "the file is shorter than what was already read", where=url, expected=f"{offset} bytes or more", found=repr(content_range[:100])
        )


@contextlib.contextmanager
def _translate(url: str) -> Iterator[None]:
    """Turn the errors of requests and urllib3 into `TransportError`."""
    try:
        yield
    except requests.exceptions.SSLError as error:
        message, advice = certificate_trouble(error, SystemClock().now())
        raise TransportError(message, where=url, advice=advice or _CA_ADVICE) from error
    except requests.exceptions.ProxyError as error:
        raise _RetryableError(f"the proxy can't be reached ({reason(error)})", where=url) from error
    except (requests.exceptions.ConnectTimeout, requests.exceptions.ReadTimeout, urllib3.exceptions.ReadTimeoutError) as error:
        raise _RetryableError("the server doesn't answer in time", where=url) from error
    except requests.exceptions.ConnectionError as error:
        raise _RetryableError(
            f"the server can't be reached ({reason(error)})", where=url, advice="Check that the host is up and the address is right."
        ) from error
    except requests.exceptions.RequestException as error:
        raise TransportError(f"the request failed ({reason(error)})", where=url) from error
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise _RetryableError(f"the connection broke ({reason(error)})", where=url) from error
