"""From what a person wrote to a transport."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path

from sealift_core.http.urls import check_location
from sealift_runtime.transport.base import Transport
from sealift_runtime.transport.directory import DirectoryTransport
from sealift_runtime.transport.http import HttpTransport


def open_transport(location: str, *, ca_file: Path | None = None, certain_time: Callable[[], datetime.datetime] | None = None) -> Transport:
    """Choose a transport for what a person wrote; nothing is contacted yet.

    Args:
        location: ``http://…``, ``https://…`` or a directory.
        ca_file: A PEM file of CAs that replace the usual ones; None for those.
        certain_time: Gives a time that has surely passed, for certificates where the machine's clock is behind it.

    Returns:
        The transport.

    Raises:
        ConfigurationError: If the scheme is another, the address malformed, or the CA file isn't there.
    """
    if "://" not in location:
        return DirectoryTransport(Path(location))
    check_location(location, where="repository")
    return HttpTransport(location, ca_file=ca_file, certain_time=certain_time)
