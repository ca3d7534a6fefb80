"""Addresses that people configure: what they must not hold, and how they are shown."""

from __future__ import annotations

import re
import urllib.parse
from typing import Final

from sealift_core.errors import ConfigurationError, nearest

MAX_URL_CHARACTERS: Final = 2000
SCHEMES: Final = ("http", "https")
_NETRC: Final = "Put it into ~/.netrc of the user who runs the agent: machine HOST login NAME password PASSWORD."
#: A query or fragment (it may be a secret), and what is in no address.
_FOREIGN: Final = re.compile(r"[\x00-\x20\x7f?#\\]")
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")
#: A host with or without a port. What comes before the first slash and is none may be a user and the beginning of a password.
_HOST: Final = re.compile(r"([^:@]*|\[[^\]]*\])(:[0-9]*)?")


def check_url(url: str, *, where: str, what: str, advice: str = _NETRC) -> str:
    """Check an address that a person configured: ``http(s)://HOST[:PORT][/PATH]`` and nothing else.

    Args:
        url: The address.
        where: What errors call the setting.
        what: What the address is of, for errors.
        advice: What to do with a password instead.

    Returns:
        The address without slashes at its end.

    Raises:
        ConfigurationError: If it has another form, or a name or password in it: an address is shown in logs, reports and errors.
    """
    expected = "http://HOST/PATH or https://HOST/PATH"
    problem = ConfigurationError(f"not the address of {what}", where=where, expected=expected, found=repr(redacted(url)))
    try:
        parts = urllib.parse.urlsplit(url)
        parts.port  # noqa: B018 - reading it checks it
    except ValueError:
        raise problem from None
    if parts.username is not None or parts.password is not None:
        raise ConfigurationError("an address must not hold a password", where=f"{where}: {redacted(url)}", advice=advice)
    if parts.scheme not in SCHEMES or not parts.hostname or _FOREIGN.search(url) or len(url) > MAX_URL_CHARACTERS:
        raise problem
    return url.rstrip("/")


def check_location(location: str, *, where: str) -> None:
    """Check an address with a scheme that Sealift is to read a repository from.

    Args:
        location: The address.
        where: What errors call the setting.

    Raises:
        ConfigurationError: If its scheme isn't HTTP or HTTPS, or `check_url` refuses it.
    """
    scheme = location.partition("://")[0]
    if scheme in SCHEMES:
        check_url(location, where=where, what="a repository")
        return
    raise ConfigurationError(
        "not a kind of address that Sealift reads from",
        where=f"{where}: {redacted(location)}",
        expected="http://…, https://… or a directory",
        advice=nearest(scheme, SCHEMES),
    )


def redacted(url: str) -> str:
    """Shorten an address for people to read: without user, password, query and fragment, which may be secrets.

    Args:
        url: The address, valid or not.

    Returns:
        At most 200 characters of it, and ``?…`` where a query or fragment was left out.
    """
    scheme, separator, rest = url.partition("://")
    if not separator or not _SCHEME.fullmatch(scheme):
        scheme, separator, rest = "", "", url
    authority, *_ = re.split(r"[/?#]", rest, maxsplit=1)
    if not separator or not _HOST.fullmatch(authority.rpartition("@")[2]):
        rest = rest.rpartition("@")[2]  # the password may hold a slash, a question mark or a number sign
    place, *hidden = re.split(r"[?#]", rest, maxsplit=1)
    authority, slash, path = place.partition("/")
    if separator:
        authority = authority.rpartition("@")[2]
    return f"{scheme}{separator}{authority}{slash}{path}"[:200] + ("?…" if hidden else "")


def same_origin(first: str, second: str) -> bool:
    """Tell whether two addresses have the same scheme, host and port. Source: RFC 6454, section 5.

    Args:
        first: An address.
        second: Another.

    Returns:
        True if they do.

    Raises:
        ValueError: If one of them can't be read.
    """
    return _origin(first) == _origin(second)


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urllib.parse.urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)
