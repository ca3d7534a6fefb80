"""Requests go where they were sent: no redirect elsewhere, no password to a stranger. Against real servers."""

from __future__ import annotations

import base64
import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sealift_core.errors import TransportError
from sealift_core.http.http_session import open_session
from sealift_runtime.transport.base import read_bounded
from sealift_runtime.transport.http import HttpTransport


class Site(ThreadingHTTPServer):
    """Answers with ``content``, or redirects to ``location``; keeps the paths and the passwords that it was given."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.location = ""
        self.endless = False
        self.requests: list[tuple[str, str | None]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Site
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.requests.append((self.path, self.headers.get("Authorization")))
        moved = bool(self.server.location) and self.path != "/there"
        self.send_response(302 if moved else 200)
        if moved:
            self.send_header("Location", self.server.location)
        if moved and self.server.endless:
            self.end_headers()
            with contextlib.suppress(OSError):
                while True:
                    self.wfile.write(b"x" * 2**16)
            return
        body = b"" if moved else b"content"
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def serving() -> Iterator[Site]:
    with Site() as site:
        thread = threading.Thread(target=site.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield site
        finally:
            site.shutdown()
            thread.join()


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as server:
        yield server


@pytest.fixture
def other() -> Iterator[Site]:
    with serving() as server:
        yield server


def read(url: str) -> bytes:
    with contextlib.closing(HttpTransport(url)) as transport:
        return read_bounded(transport, "file", 1000)


def test_a_redirect_to_the_same_server_is_followed(site: Site) -> None:
    for location in ("/there", f"{site.url}/there", "there"):
        site.location = location
        assert read(site.url) == b"content"


def test_a_redirect_to_another_server_is_refused_and_that_server_never_contacted(site: Site, other: Site) -> None:
    site.location = f"{other.url}/there?signature=s3cret"
    with pytest.raises(
        TransportError, match=r"the server redirects elsewhere: expected the same scheme, host and port, found 'http.*/there\?…'|elsewhere"
    ) as caught:
        read(site.url)
    assert "s3cret" not in str(caught.value)
    assert "If the new address is right, configure it instead." in str(caught.value)
    assert other.requests == []


@pytest.mark.parametrize(
    "location", ["https://127.0.0.1/there", "//localhost/there", "ftp://127.0.0.1/there", "http://[", "http://127.0.0.1@localhost/there"]
)
def test_a_redirect_to_another_scheme_or_host_is_refused(site: Site, location: str) -> None:
    site.location = location
    with pytest.raises(TransportError, match="redirects"):
        read(site.url)


def test_the_body_of_a_redirect_is_not_read(site: Site, other: Site) -> None:
    site.location, site.endless = f"{other.url}/there", True
    with pytest.raises(TransportError, match="elsewhere"):
        read(site.url)


def netrc(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "netrc").write_text(text)
    (folder / "netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(folder / "netrc"))


def test_the_password_of_a_host_goes_to_that_host(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc(tmp_path, "machine 127.0.0.1 login me password s3cret\n", monkeypatch)
    assert read(site.url) == b"content"
    assert site.requests == [("/file", "Basic " + base64.b64encode(b"me:s3cret").decode())]


def test_the_password_for_any_host_goes_nowhere(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc(tmp_path, "machine elsewhere login me password s3cret\ndefault login me password s3cret\n", monkeypatch)
    assert read(site.url) == b"content"
    assert site.requests == [("/file", None)]


def test_a_session_without_passwords_looks_into_no_netrc(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc(tmp_path, "machine 127.0.0.1 login me password s3cret\n", monkeypatch)
    with open_session(site.url, password=False) as session:
        assert session.get(site.url, timeout=10).content == b"content"
    assert site.requests == [("/", None)]
