"""Why a request failed, in words: what lies below the layers that requests and urllib3 put around it, without their names."""

from __future__ import annotations

import datetime
import ssl
from collections.abc import Iterator
from typing import Final

import requests

from sealift_core.clock import BUILD_TIME, format_time

#: X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED of OpenSSL's x509_vfy.h.
_NOT_YET_VALID, _EXPIRED, _OTHER_HOST, _OTHER_ADDRESS = 9, 10, 62, 64
_CLOCK: Final = "Set this machine's clock."


def reason(error: BaseException) -> str:
    """Say what the operating system or the other side made fail.

    Args:
        error: What requests or urllib3 raised.

    Returns:
        The words of the innermost error.
    """
    if isinstance(error, requests.ReadTimeout) and error.args and isinstance(error.args[0], str):
        return error.args[0]  # ours, see `HttpSession.within`
    below = list(_chain(error))[-1]
    return (below.strerror if isinstance(below, OSError) else None) or str(below) or type(below).__name__


def certificate_trouble(error: BaseException, now: datetime.datetime) -> tuple[str, str | None]:
    """Say what is wrong with a server's certificate, or with the clock that it is judged by.

    Args:
        error: What requests raised.
        now: What the machine's clock says.

    Returns:
        What is wrong, and what to do; None where that depends on what trusts the server.
    """
    failures = [each for each in _chain(error) if isinstance(each, ssl.SSLError)]
    code = next((each.verify_code for each in failures if isinstance(each, ssl.SSLCertVerificationError)), None)
    clock = f"this machine's clock, which says {format_time(now)}"
    if code == _NOT_YET_VALID:
        return f"the server's certificate isn't valid yet, judged by {clock}", f"{_CLOCK} Certificates begin in the past, so it is behind."
    if code == _EXPIRED and now < BUILD_TIME:
        return f"the server's certificate can't be judged by {clock}", f"{_CLOCK} It can't be right."
    if code == _EXPIRED:
        return (
            f"the server's certificate has expired, judged by {clock}",
            "If the clock is right, the server needs a new certificate. Otherwise set it.",
        )
    if code in (_OTHER_HOST, _OTHER_ADDRESS):
        return "the server's certificate is for another host", "Check the address, or give the server a certificate for this one."
    if code is not None:
        return "the TLS certificate isn't trusted", None
    words = next((each.reason for each in failures if each.reason), "") or ""
    return f"the server and this machine agree on no encrypted connection ({words.replace('_', ' ').lower() or reason(error)})", (
        "Check that the address is that of an https server."
    )


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error, and what is below it: what raised it, or what its library kept of that."""
    seen: set[int] = set()
    below: BaseException | None = error
    while below is not None and id(below) not in seen:
        seen.add(id(below))
        yield below
        kept = [each for each in (getattr(below, "reason", None), *below.args) if isinstance(each, BaseException)]
        below = below.__cause__ or below.__context__ or next(iter(kept), None)
