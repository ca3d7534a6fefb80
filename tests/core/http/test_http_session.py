"""A session's limit of time holds for every connection, and a netrc that can't be read is as if it weren't there."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import requests

from sealift_core.http.http_session import HostPassword, HttpSession
from support.trickling import trickling


def test_a_connection_made_after_the_time_is_up_is_cut_too() -> None:
    with trickling("body") as url, HttpSession() as session:
        start = time.monotonic()
        with pytest.raises(requests.ReadTimeout, match="wasn't complete"), session.within(0.2):
            time.sleep(0.4)  # as a name that resolves slowly, or a server that lets a client wait
            session.get(url, timeout=5)
        assert time.monotonic() - start < 5


def test_the_next_block_has_its_own_time() -> None:
    with trickling("body") as url, HttpSession() as session:
        with pytest.raises(requests.ReadTimeout), session.within(0.1):
            session.get(url, timeout=5)
        with session.within(5), session.get(url, timeout=5, stream=True) as answer:
            assert next(answer.iter_content(1)) == b" "


@pytest.mark.parametrize("content", [b"machine h\xfcb.example login me password pw\n", b"password pw hub.example\n"])
def test_a_netrc_that_is_none_has_no_password(content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_bytes(content)
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    request = requests.Request("GET", "http://hub.example/").prepare()
    HostPassword("http://hub.example/")(request)
    assert "Authorization" not in request.headers


def test_a_user_without_a_home_has_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "NETRC"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.getuid", lambda: 2**31)  # in no /etc/passwd, as many containers run their programs
    request = requests.Request("GET", "http://hub.example/").prepare()
    HostPassword("http://hub.example/")(request)
    assert "Authorization" not in request.headers
