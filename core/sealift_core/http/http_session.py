"""One HTTP session with one server.

Proxies and CAs are those of the environment, a password goes only to its host, redirects only to the same server, and a request can be given a
time limit that holds however slowly the server answers.
"""

from __future__ import annotations

import contextlib
import datetime
import netrc
import os
import socket
import threading
import urllib.parse
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase, HTTPBasicAuth
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from sealift_core.errors import TransportError
from sealift_core.http.clockless import check_not_expired, context_without_time, time_instead_of_clock
from sealift_core.http.urls import redacted, same_origin

MAX_REDIRECTS: Final = 5


class HostPassword(AuthBase):
    """The password that ~/.netrc has for exactly one server's host, or none.

    Without it, requests would also take the file's ``default`` entry, and send it to any server at all.
    """

    def __init__(self, url: str) -> None:
        """Look the password up.

        Args:
            url: An address of the server.
        """
        self._url = url
        self._password = _netrc_entry(url)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the password to a request to this server."""
        if self._password is None or not same_origin(self._url, request.url or ""):
            return request
        HTTPBasicAuth(*self._password)(request)
        return request


class _Connections:
    """The sockets of a session's connections. Once `late` is set they are cut, and so is each that comes after it.

    ``certain_time`` gives a time that has surely passed; a clock that is behind it judges no certificate.
    """

    def __init__(self, certain_time: Callable[[], datetime.datetime] | None = None) -> None:
        self.late: threading.Event | None = None
        self.ended = False
        self.certain_time = certain_time
        self._lock = threading.Lock()
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()

    def add(self, connected: socket.socket) -> None:
        with self._lock:
            self._sockets.add(connected)
        if self.ended or (self.late is not None and self.late.is_set()):
            _shut(connected)

    def cut(self) -> None:
        with self._lock:
            sockets = list(self._sockets)
        for each in sockets:
            _shut(each)


def _shut(connected: socket.socket) -> None:
    with contextlib.suppress(OSError):
        socket.socket.shutdown(connected, socket.SHUT_RDWR)  # not SSLSocket's, which drops the state that a reading thread uses


class HttpSession(requests.Session):
    """A session of requests that follows no redirect by itself (see `follow`) and can limit the time of all that is done `within` a block."""

    def __init__(self, certain_time: Callable[[], datetime.datetime] | None = None) -> None:
        """Make a session.

        Args:
            certain_time: Gives a time that has surely passed; a clock that is behind it judges no certificate. None to trust the clock.
        """
        super().__init__()
        self._connections = _Connections(certain_time)
        self.mount("http://", _Adapter(self._connections))
        self.mount("https://", _Adapter(self._connections))

    def get_redirect_target(self, resp: requests.Response) -> None:  # noqa: ARG002 - requests' signature
        """Say that nothing is a redirect: requests would read all of its body, however long, before we decide (see `follow`).

        Args:
            resp: The answer.
        """
        return

    @contextlib.contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Cut the session's connections if the block takes too long.

        The timeouts of requests are per packet: a server that sends one byte at a time never runs into them.

        Args:
            seconds: How long the block may take.

        Yields:
            Nothing.

        Raises:
            requests.ReadTimeout: If the block took longer. An error that the block raised then is its cause.
        """
        late = self._connections.late = threading.Event()
        if self._connections.ended:
            late.set()
        timer = threading.Timer(seconds, self._cut, [late])
        timer.daemon = True
        timer.start()
        failure: Exception | None = None
        try:
            yield
        except Exception as error:  # noqa: BLE001 - raised again below, as what it is
            failure = error
        finally:
            timer.cancel()
            self._connections.late = None
        if late.is_set():  # also without a failure: to a parser, the end of a connection may look like the end of an answer
            raise requests.ReadTimeout(f"the answer wasn't complete after {seconds:.0f} seconds") from failure
        if failure is not None:
            raise failure

    def cut(self) -> None:
        """Cut all connections for good, those to come too; any thread may call it. What is asked `within` a block raises `requests.ReadTimeout`."""
        self._connections.ended = True
        if (late := self._connections.late) is not None:
            late.set()
        self._connections.cut()

    def _cut(self, late: threading.Event) -> None:
        late.set()
        self._connections.cut()


class _Adapter(HTTPAdapter):
    """An adapter of requests that adds the socket of each connection to ``connections``."""

    def __init__(self, connections: _Connections) -> None:
        self._pools = {"http": _recording_pool(HTTPConnectionPool, connections), "https": _recording_pool(HTTPSConnectionPool, connections)}
        super().__init__()

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Make the pools of direct connections."""
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        """The pools of connections through a proxy."""
        manager = super().proxy_manager_for(proxy, **options)
        manager.pool_classes_by_scheme = self._pools
        return manager


def _recording_pool(pool: type[HTTPConnectionPool], connections: _Connections) -> type[HTTPConnectionPool]:
    class Connection(pool.ConnectionCls):  # type: ignore[name-defined, misc]
        def connect(self) -> None:
            floor = time_instead_of_clock(connections.certain_time) if hasattr(self, "ssl_context") else None
            if floor is not None:
                self.ssl_context = context_without_time(default_authorities=not (self.ca_certs or self.ca_cert_dir or self.ca_cert_data))
            super().connect()
            if floor is not None:
                check_not_expired(self.sock, floor)
            connections.add(self.sock)

    return type("Pool", (pool,), {"ConnectionCls": Connection})


class _NoPassword(AuthBase):
    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Leave the request as it is; without this, requests would look into ~/.netrc."""
        return request


def open_session(url: str, *, password: bool = True, certain_time: Callable[[], datetime.datetime] | None = None) -> HttpSession:
    """Open a session with one server; it follows no redirect by itself.

    Args:
        url: The address that requests will be for, or below.
        password: Whether this host's password from ~/.netrc is sent.
        certain_time: Gives a time that has surely passed, by which certificates are judged where the machine's clock is behind it.

    Returns:
        The session; the caller closes it.
    """
    session = HttpSession(certain_time)
    session.auth = HostPassword(url) if password else _NoPassword()
    session.headers["Accept-Encoding"] = "identity"
    return session


def follow(url: str, response: requests.Response, redirects: int) -> str:
    """Decide where a redirect leads.

    Whoever can redirect us must not choose where we go, whether it is encrypted, or who learns the password.

    Args:
        url: The address that was asked for.
        response: The redirect, with its ``Location`` (RFC 9110, section 15.4).
        redirects: How many were followed before it.

    Returns:
        The address to ask for next.

    Raises:
        TransportError: If it leads to another server, from HTTPS to HTTP, or to no address, or if it is one too many.
    """
    try:
        target = urllib.parse.urljoin(url, response.headers["Location"])
        same = same_origin(url, target)
    except ValueError as error:
        raise TransportError("the server redirects to no address", where=url, found=repr(response.headers["Location"][:200])) from error
    if redirects >= MAX_REDIRECTS:
        raise TransportError("the server redirects in a circle, or too often", where=url, expected=f"at most {MAX_REDIRECTS} redirects")
    if url.startswith("https:") and target.startswith("http:"):
        raise TransportError("the server redirects from HTTPS to HTTP", where=url, found=redacted(target))
    if not same:
        advice = "If the new address is right, configure it instead."
        expected = "the same scheme, host and port"
        raise TransportError("the server redirects elsewhere", where=url, expected=expected, found=redacted(target), advice=advice)
    return target


def _netrc_entry(url: str) -> tuple[str, str] | None:
    host = urllib.parse.urlsplit(url).hostname
    chosen = os.environ.get("NETRC")
    for name in [chosen] if chosen else ["~/.netrc", "~/_netrc"]:
        try:
            entry = netrc.netrc(Path(name).expanduser()).hosts.get(host or "")
        except (OSError, UnicodeError, RuntimeError, netrc.NetrcParseError):  # no such file or home, or no netrc in it
            continue
        if entry is not None:
            return entry[0] or entry[1] or "", entry[2] or ""
    return None
