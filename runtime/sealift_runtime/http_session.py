"""One HTTP session with one server: proxies and CAs as the environment says, a password only where it belongs, redirects only to the same server."""

from __future__ import annotations

import netrc
import os
import urllib.parse
from pathlib import Path
from typing import Final

import requests
from requests.auth import AuthBase, HTTPBasicAuth

from sealift_runtime.errors import TransportError
from sealift_runtime.urls import redacted, same_origin

MAX_REDIRECTS: Final = 5


class HostPassword(AuthBase):
    """The password that ~/.netrc has for exactly this server's host, or none.

    Without it, requests would also take the file's ``default`` entry, and send it to any server at all.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._password = _netrc_entry(url)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the password to a request to this server."""
        if self._password is None or not same_origin(self._url, request.url or ""):
            return request
        HTTPBasicAuth(*self._password)(request)
        return request


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:  # noqa: ARG002 - requests' signature
        """Say that nothing is a redirect: requests would read all of its body, however long, before we decide (see `follow`)."""
        return


class _NoPassword(AuthBase):
    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Leave the request as it is; without this, requests would look into ~/.netrc."""
        return request


def open_session(url: str, *, password: bool = True) -> requests.Session:
    """A session for requests to ``url`` and below, with this host's ``password`` from ~/.netrc if wanted; it follows no redirect by itself."""
    session = _Session()
    session.auth = HostPassword(url) if password else _NoPassword()
    session.headers["Accept-Encoding"] = "identity"
    return session


def follow(url: str, response: requests.Response, redirects: int) -> str:
    """Where a redirect from ``url`` leads, if that is the same server; ``redirects`` were followed before it.

    Raises `TransportError`: whoever can redirect us must not choose where we go, whether it is encrypted, or who learns the password.
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
        advice = "If that is the right place, configure its address instead."
        expected = "the same scheme, host and port"
        raise TransportError("the server redirects elsewhere", where=url, expected=expected, found=redacted(target), advice=advice)
    return target


def _netrc_entry(url: str) -> tuple[str, str] | None:
    host = urllib.parse.urlsplit(url).hostname
    chosen = os.environ.get("NETRC")
    for path in [Path(chosen)] if chosen else [Path.home() / ".netrc", Path.home() / "_netrc"]:
        try:
            entry = netrc.netrc(path).hosts.get(host or "")
        except (OSError, netrc.NetrcParseError):
            continue
        if entry is not None:
            return entry[0] or entry[1] or "", entry[2] or ""
    return None
