"""From what a person wrote to a transport."""

from __future__ import annotations

from pathlib import Path

from sealift_core.http.urls import check_location
from sealift_runtime.transport.base import Transport
from sealift_runtime.transport.directory import DirectoryTransport
from sealift_runtime.transport.http import HttpTransport


def open_transport(location: str, *, ca_file: Path | None = None) -> Transport:
    """A transport for ``http://…``, ``https://…`` or a directory; nothing is contacted yet.

    Raises `ConfigurationError` for another scheme, a malformed address, or a CA file that isn't there.
    """
    if "://" not in location:
        return DirectoryTransport(Path(location))
    check_location(location, where="repository")
    return HttpTransport(location, ca_file=ca_file)
