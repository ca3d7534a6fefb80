"""What only HTTP can do wrong, against a real server."""

from __future__ import annotations

import contextlib
import datetime
import re
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import urllib3

from sealift_core.clock import SystemClock
from sealift_core.errors import ConfigurationError, NotFoundError, TransportError
from sealift_runtime.transport import http
from sealift_runtime.transport.base import read_bounded
from sealift_runtime.transport.directory import DirectoryTransport
from sealift_runtime.transport.http import HttpSettings, HttpTransport
from sealift_runtime.transport.locate import open_transport
from sealift_runtime.transport.rate import RateLimits, RateMonitor
from support.certificates import self_signed
from support.clocks import ManualClock
from support.static_server import StaticServer, serve_directory
from support.trickling import trickling

CONTENT = bytes(range(256)) * 4000
LIMIT = len(CONTENT)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[StaticServer]:
    (tmp_path / "file").write_bytes(CONTENT)
    with serve_directory(tmp_path) as server:
        yield server


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def transport(server: StaticServer, clock: ManualClock) -> Iterator[HttpTransport]:
    transport = HttpTransport(server.url, clock=clock, jitter=lambda: 0.5)
    yield transport
    transport.close()


def test_a_cut_connection_is_taken_up_where_it_broke(server: StaticServer, transport: HttpTransport) -> None:
    server.faults.cut_after_bytes = [1000, 5000]
    assert read_bounded(transport, "file", LIMIT) == CONTENT
    assert server.faults.requests == [("/file", ""), ("/file", "bytes=1000-"), ("/file", "bytes=6000-")]


def test_a_server_without_ranges_still_gives_the_rest(server: StaticServer, transport: HttpTransport) -> None:
    server.faults.ignore_range = True
    with transport.open("file", 500_000) as chunks:
        assert b"".join(chunks) == CONTENT[500_000:]


def test_a_server_that_sends_another_range_is_refused(server: StaticServer, transport: HttpTransport) -> None:
    server.faults.wrong_range = True
    with pytest.raises(TransportError, match="another range than requested"), transport.open("file", 500):
        pass


def test_a_busy_server_is_asked_again_with_growing_random_pauses(server: StaticServer, transport: HttpTransport, clock: ManualClock) -> None:
    server.faults.statuses = [503, 502, 429]
    assert read_bounded(transport, "file", LIMIT) == CONTENT
    assert clock.slept == [0.25, 0.5, 1.0]


def test_a_server_that_stays_busy_is_given_up(server: StaticServer, transport: HttpTransport) -> None:
    server.faults.statuses = [503] * 10
    with pytest.raises(TransportError, match="HTTP 503 .*after 4 attempts"):
        read_bounded(transport, "file", LIMIT)
    assert len(server.faults.requests) == 4


def test_a_connection_that_always_breaks_is_given_up(server: StaticServer, transport: HttpTransport) -> None:
    server.faults.cut_after_bytes = [10] * 10
    with pytest.raises(TransportError, match="the connection broke.*after 4 attempts"):
        read_bounded(transport, "file", LIMIT)


def test_a_missing_file_is_asked_for_once(server: StaticServer, transport: HttpTransport) -> None:
    with pytest.raises(NotFoundError):
        read_bounded(transport, "missing", LIMIT)
    assert server.faults.count("/missing") == 1


def test_a_forbidden_file_is_an_error_and_asked_for_once(server: StaticServer, transport: HttpTransport) -> None:
    server.faults.statuses = [403]
    with pytest.raises(TransportError, match="expected HTTP 200, found HTTP 403"):
        read_bounded(transport, "file", LIMIT)
    assert server.faults.count("/file") == 1


def test_compressed_files_are_refused(server: StaticServer, transport: HttpTransport) -> None:
    server.faults.compress = True
    with pytest.raises(TransportError, match="compresses"):
        read_bounded(transport, "file", LIMIT)


def test_redirects_in_a_circle_end(server: StaticServer, transport: HttpTransport) -> None:
    server.faults.redirect_to = server.url
    with pytest.raises(TransportError, match="redirects"):
        read_bounded(transport, "file", LIMIT)
    assert len(server.faults.requests) < 10


def test_a_host_that_is_down_is_named(clock: ManualClock) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    transport = HttpTransport(f"http://127.0.0.1:{port}/repository", clock=clock)
    with pytest.raises(TransportError, match=rf"http://127.0.0.1:{port}/repository/file: the server can't be reached.*Check that the host is up"):
        read_bounded(transport, "file", LIMIT)


def test_a_silent_server_runs_into_the_timeout(clock: ManualClock) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        transport = HttpTransport(url, clock=clock, settings=HttpSettings(read_timeout_s=0.05, attempts=2))
        with pytest.raises(TransportError, match="doesn't answer in time, after 2 attempts"):
            read_bounded(transport, "file", LIMIT)
        transport.close()


@pytest.mark.parametrize("answer", ["status line", "headers", "size of a chunk"])
def test_an_answer_whose_head_comes_byte_by_byte_is_given_up(answer: str, clock: ManualClock) -> None:
    settings = HttpSettings(head_timeout_s=0.2, read_timeout_s=0.2, attempts=2)
    with (
        trickling(answer) as url,
        contextlib.closing(HttpTransport(url, clock=clock, settings=settings)) as transport,
        pytest.raises(TransportError, match="doesn't answer in time, after 2 attempts"),
    ):
        read_bounded(transport, "file", LIMIT)


def test_a_trickle_is_given_up(server: StaticServer) -> None:
    server.faults.trickle_s = 0.01
    settings = HttpSettings(rate=RateLimits(minimum_bytes_per_s=10_000, window_s=0.2))
    transport = HttpTransport(server.url, clock=SystemClock(), settings=settings)
    with pytest.raises(TransportError, match="too slow.*at least 10000 bytes/s"):
        read_bounded(transport, "file", LIMIT)
    transport.close()


def test_the_rate_is_judged_window_by_window() -> None:
    monitor = RateMonitor(RateLimits(minimum_bytes_per_s=100, window_s=10), start=0)
    assert monitor.too_slow(5000, now=5) is None
    assert monitor.too_slow(0, now=10) is None, "500 bytes/s in the first window"
    assert monitor.too_slow(10, now=19) is None, "the second window is still open"
    assert monitor.too_slow(0, now=20) == 1.0


@pytest.mark.parametrize(
    ("raised", "retried"),
    [
        (requests.exceptions.SSLError("bad certificate"), False),
        (requests.exceptions.ProxyError("no proxy"), True),
        (requests.exceptions.ConnectTimeout(), True),
        (requests.exceptions.ConnectionError("refused"), True),
        (requests.exceptions.TooManyRedirects("30"), False),
        (urllib3.exceptions.ProtocolError("broken"), True),
        (ConnectionResetError("reset"), True),
    ],
)
def test_every_foreign_error_becomes_ours(raised: Exception, retried: bool) -> None:
    with pytest.raises(TransportError) as caught, http._translate("http://host/file"):
        raise raised
    assert isinstance(caught.value, http._RetryableError) == retried


def test_no_error_of_requests_or_urllib3_escapes() -> None:
    error_types = [value for value in vars(requests.exceptions).values() if isinstance(value, type) and issubclass(value, requests.RequestException)]
    assert len(error_types) > 15
    for error_type in error_types:
        with pytest.raises(TransportError), http._translate("http://host/file"):
            raise error_type.__new__(error_type)


@pytest.mark.parametrize(
    ("location", "message"),
    [
        ("htps://host/x", "Did you mean 'https'"),
        ("s3://bucket", "https://… or a directory"),
        ("http://", "not the address of a repository"),
        ("http://host/?a=b", "not the address of a repository"),
        ("https://me:secret@host/", "must not hold a password"),
    ],
)
def test_a_place_that_is_none_is_refused(location: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        open_transport(location)
    assert message in str(caught.value)
    assert "secret@" not in str(caught.value)


def test_a_ca_file_that_is_missing_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no such CA file"):
        open_transport("https://host/", ca_file=tmp_path / "ca.pem")


def test_a_place_without_scheme_is_a_directory() -> None:
    transport = open_transport("/media/stick")
    assert isinstance(transport, DirectoryTransport)
    assert transport.describe() == "/media/stick"


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A self-signed certificate for 127.0.0.1, with its key, in one file."""
    now = datetime.datetime.now(datetime.UTC)
    return self_signed(tmp_path / "certificate.pem", begins=now, ends=now + datetime.timedelta(days=1))


def test_a_site_with_its_own_ca_is_trusted_only_with_it(tmp_path: Path, certificate: Path, clock: ManualClock) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "file").write_bytes(CONTENT)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with serve_directory(tmp_path / "root", tls=context) as server:
        trusting, default = HttpTransport(server.url, ca_file=certificate), HttpTransport(server.url, clock=clock)
        assert read_bounded(trusting, "file", LIMIT) == CONTENT
        with pytest.raises(TransportError, match="the TLS certificate isn't trusted.*set source.ca_file"):
            read_bounded(default, "file", LIMIT)
        trusting.close()
        default.close()
    assert clock.slept == []


def test_a_redirect_from_https_to_http_is_refused(server: StaticServer, tmp_path: Path, certificate: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with serve_directory(tmp_path, tls=context) as secure:
        secure.faults.redirect_to = server.url
        transport = HttpTransport(secure.url, ca_file=certificate)
        with pytest.raises(TransportError, match="redirects from HTTPS to HTTP"):
            read_bounded(transport, "file", LIMIT)
        transport.close()


def read_over_tls(tmp_path: Path, certificate: Path, **options: Any) -> bytes:
    (tmp_path / "root").mkdir(exist_ok=True)
    (tmp_path / "root" / "file").write_bytes(CONTENT)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with serve_directory(tmp_path / "root", tls=context) as server:
        transport = HttpTransport(options.pop("url", server.url).replace("PORT", server.url.rpartition(":")[2]), ca_file=certificate, **options)
        try:
            return read_bounded(transport, "file", LIMIT)
        finally:
            transport.close()


DAY = datetime.timedelta(days=1)
REAL = datetime.datetime.now(datetime.UTC)
UNIX = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


@pytest.fixture
def clockless(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's clock says 1970; OpenSSL's own clock can't be set, so certificates begin and end in the future."""
    monkeypatch.setattr(SystemClock, "now", lambda _: UNIX)


@pytest.mark.usefixtures("clockless")
def test_a_device_without_a_clock_takes_a_certificate_that_is_not_over_by_the_time_that_surely_passed(tmp_path: Path) -> None:
    certificate = self_signed(tmp_path / "certificate.pem", begins=REAL + 100 * DAY, ends=REAL + 200 * DAY)
    for floor in (REAL, REAL + 150 * DAY):
        assert read_over_tls(tmp_path, certificate, certain_time=lambda floor=floor: floor) == CONTENT


@pytest.mark.usefixtures("clockless")
def test_a_device_without_a_clock_refuses_what_is_surely_over_of_another_host_or_of_nobody(tmp_path: Path, certificate: Path) -> None:
    with pytest.raises(TransportError, match="the server's certificate can't be judged by this machine's clock, which says 1970-01-01T00:00:00Z"):
        read_over_tls(tmp_path, certificate, certain_time=lambda: REAL + 2 * DAY)
    with pytest.raises(TransportError, match="the server's certificate is for another host"):
        read_over_tls(tmp_path, certificate, certain_time=lambda: REAL, url="https://localhost:PORT")
    (tmp_path / "other").mkdir()
    other = self_signed(tmp_path / "other" / "certificate.pem", begins=REAL, ends=REAL + DAY)
    with pytest.raises(TransportError, match="the TLS certificate isn't trusted"):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(other)
        with serve_directory(tmp_path, tls=context) as server:
            read_bounded(HttpTransport(server.url, ca_file=certificate, certain_time=lambda: REAL), "file", LIMIT)


@pytest.mark.parametrize(
    ("begins", "ends", "message"),
    [
        (5, 9, "the server's certificate isn't valid yet, judged by this machine's clock, which says 20.*Set this machine's clock"),
        (-9, -5, "the server's certificate has expired, judged by this machine's clock, which says 20.*If the clock is right"),
    ],
)
def test_a_certificate_that_is_not_valid_now_names_the_clock_and_no_library(tmp_path: Path, begins: int, ends: int, message: str) -> None:
    certificate = self_signed(tmp_path / "certificate.pem", begins=REAL + begins * DAY, ends=REAL + ends * DAY)
    with pytest.raises(TransportError, match=message) as caught:
        read_over_tls(tmp_path, certificate, certain_time=lambda: REAL - DAY)
    assert not re.search("ssl|SSL|urllib3|Pool|Error", str(caught.value).partition("127.0.0.1")[2])


def test_a_server_without_tls_is_called_that_in_words(server: StaticServer) -> None:
    transport = HttpTransport(server.url.replace("http:", "https:"))
    with pytest.raises(TransportError, match="agree on no encrypted connection .*Check that the address is that of an https server") as caught:
        read_bounded(transport, "file", LIMIT)
    transport.close()
    assert not re.search("SSL|urllib3|Pool", str(caught.value))
