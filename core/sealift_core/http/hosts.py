"""The names under which a server is asked: an allow-list against DNS rebinding.

A web page from elsewhere can let its own host name resolve to this server's address, and then read the answers as if they were its own.
The browser still sends that name in ``Host``, so a server that answers only under its own names is out of reach. An IP address can't be
made to lead elsewhere, so any is answered. Source: RFC 9110, section 7.2; RFC 9112, section 3.2.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterable
from typing import Final

from sealift_core.errors import ConfigurationError

#: Every name.
ANY: Final = "*"
MAX_NAMES: Final = 100
NAME: Final = r"[a-z0-9_]([a-z0-9_-]{0,62})?(\.[a-z0-9_]([a-z0-9_-]{0,62})?){0,20}"
#: Names that nobody can register: they lead to this link, or this organisation.
_PRIVATE: Final = (".local", ".internal", ".home.arpa")
_MAX_REMEMBERED: Final = 256
_PORT: Final = re.compile(rb":[0-9]{0,5}")


class AllowedHosts:
    """The names that a server answers under. ``b"example.org:8080" in hosts`` judges the ``Host`` of a request.

    1. An IP address is answered, and ``localhost`` with the names below it, and this machine's own name.
    2. So are the names that the operator gave; ``*`` stands for every name.
    3. So are names without a dot (an entry of /etc/hosts, a container's name): no page of the public web has such a name.
    4. A server that others reach (it doesn't listen on a loopback address) is also answered under names that end in .local, .internal or
       .home.arpa, which nobody can register.
    """

    def __init__(self, address: str, names: Iterable[str] = ()) -> None:
        """Prepare the names that a server answers under.

        Args:
            address: The IP address or name that the server listens on.
            names: The names that the operator gave; ``*`` stands for every name.
        """
        self._configured = {name.lower().rstrip(".") for name in names}
        hostname = socket.gethostname().lower()
        self._names = {"localhost", hostname, f"{hostname.partition('.')[0]}.local", address.lower(), *self._configured}
        self._any = ANY in self._names
        self._private = not is_loopback(address)
        #: Hosts that were accepted before: one look-up instead of a judgement.
        self.accepted: set[bytes] = set()

    def __contains__(self, host: bytes) -> bool:
        """Whether a ``Host`` (``NAME``, ``NAME:PORT``, any case) is answered; what was is looked up from then on."""
        if host in self.accepted:
            return True
        if not self._judge(host):
            return False
        if len(self.accepted) < _MAX_REMEMBERED:
            self.accepted.add(host)
        return True

    def is_configured(self, authority: bytes) -> bool:
        """Whether the operator gave a name.

        Args:
            authority: ``NAME`` or ``NAME:PORT``, in any case.

        Returns:
            True if it is one of the names, or if these stand for every name.
        """
        name = _split(authority)[0].decode("latin-1").lower().removesuffix(".")
        return self._any or name in self._configured

    def _judge(self, host: bytes) -> bool:
        if self._any:  # 2
            return True
        name, port = _split(host.strip())
        if not name or len(name) > 253 or (port and not _PORT.fullmatch(port)):
            return False
        text = name.decode("latin-1").lower().removesuffix(".")
        if text in self._names or text.endswith(".localhost") or _is_address(text):  # 1, 2
            return True
        private = "." not in text or (self._private and text.endswith(_PRIVATE))  # 3, 4
        return private and re.fullmatch(NAME, text) is not None


def check_names(names: Iterable[str], *, where: str) -> None:
    """Check names that a person configured for `AllowedHosts`.

    Args:
        names: Host names or IP addresses, without scheme and port, or ``*``.
        where: What errors call the setting.

    Raises:
        ConfigurationError: If one of them is no such name.
    """
    for name in names:
        if name != ANY and not _is_address(name) and not re.fullmatch(NAME, name.lower().rstrip(".")):
            raise ConfigurationError(
                "not the name of a host", where=where, expected="like models.example.org, or * for every name", found=repr(name[:100])
            )


def _split(host: bytes) -> tuple[bytes, bytes]:
    if host.startswith(b"["):
        name, bracket, port = host[1:].partition(b"]")
        return (name, port) if bracket else (b"", b"")
    name, colon, port = host.partition(b":")
    return name, colon + port


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def is_loopback(address: str) -> bool:
    """Tell whether an address or name is this machine's own.

    Args:
        address: An IP address or a host name.

    Returns:
        True for a loopback address and for ``localhost``.
    """
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address.lower() == "localhost"
