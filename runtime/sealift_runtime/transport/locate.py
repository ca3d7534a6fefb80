"""From what a person wrote to a transport."""

from __future__ import annotations

from pathlib import Path

from sealift_runtime.documents import nearest
from sealift_runtime.errors import ConfigurationError
from sealift_runtime.transport.base import Transport
from sealift_runtime.transport.directory import DirectoryTransport
from sealift_runtime.transport.http import HttpTransport


def open_transport(location: str, *, ca_file: Path | None = None) -> Transport:
    """A transport for ``http://…``, ``https://…`` or a directory; nothing is contacted yet.

    Raises `ConfigurationError` for another scheme, a malformed address, or a CA file that isn't there.
    """
    scheme, separator, _ = location.partition("://")
    if not separator:
        return DirectoryTransport(Path(location))
    if scheme in ("http", "https"):
        return HttpTransport(location, ca_file=ca_file)
    raise ConfigurationError(
        "not a kind of place that Sealift reads from",
        where=repr(location),
        expected="http://…, https://… or a directory",
        advice=nearest(scheme, ("http", "https")),
    )
