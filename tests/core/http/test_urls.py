"""Addresses from configuration hold no secrets, and none is shown."""

from __future__ import annotations

import pytest

from sealift_core.errors import ConfigurationError
from sealift_core.http.urls import check_location, check_url, redacted, same_origin


@pytest.mark.parametrize(
    "url", ["https://me:s3cret@hub.example/", "http://s3cret@hub.example", "https://:s3cret@hub.example/x", "https://me:s3cret@[::1]:8/"]
)
def test_a_password_in_an_address_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        check_url(url, where="hub.url", what="a hub")
    assert "must not hold a password" in str(caught.value)
    assert "netrc" in str(caught.value)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "https://hub.example/?token=s3cret",
        "https://hub.example/#s3cret",
        "ftp://hub.example/?s3cret",
        "https://hub.example:99999/?s3cret",
        "https://hub.example/\n?s3cret",
        "https://hub.example\\@evil.example/?s3cret",
        "me:s3cret@hub.example",
        "https://?s3cret",
        "https://[::1/?s3cret",
        "http://" + "a" * 3000 + "?s3cret",
        "https://me:s3cret/s3cret@hub.example/",
        "https://me:s3cret?s3cret@hub.example/",
        "https://me:s3cret#s3cret@hub.example/",
    ],
)
def test_what_is_no_plain_address_is_refused_and_its_secrets_are_not_shown(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        check_url(url, where="hub.url", what="a hub")
    assert "s3cret" not in str(caught.value)


def test_a_plain_address_loses_the_slashes_at_its_end() -> None:
    assert check_url("https://hub.example:8443/fleet//", where="hub.url", what="a hub") == "https://hub.example:8443/fleet"
    assert check_url("http://[::1]:8480", where="hub.url", what="a hub") == "http://[::1]:8480"


def test_another_scheme_is_answered_with_the_nearest() -> None:
    with pytest.raises(ConfigurationError, match="Did you mean 'https'") as caught:
        check_location("htps://me:s3cret@host/x?s3cret", where="source.repository")
    assert "s3cret" not in str(caught.value)


def test_a_shown_address_has_no_secrets() -> None:
    assert redacted("https://me:pw@host:1/a/b?token=1#x") == "https://host:1/a/b?…"
    assert redacted("https://host/a#x") == "https://host/a?…"
    assert redacted("https://host/a@b") == "https://host/a@b"
    assert redacted("/relative?x") == "/relative?…"
    assert redacted("/relative?next=http://host/x") == "/relative?…"
    assert redacted("https://host:port/a?b") == "https://host:port/a?…"
    assert redacted("https://me:p/w@host/a") == "https://host/a"


def test_an_origin_is_scheme_host_and_port() -> None:
    assert same_origin("http://Host/a", "http://host:80/b")
    assert same_origin("https://host", "https://host:443/b")
    assert not same_origin("http://host", "https://host")
    assert not same_origin("http://host:8080", "http://host")
    assert not same_origin("http://host", "http://host.example")
