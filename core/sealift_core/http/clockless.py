"""TLS certificates on a machine whose clock is certainly behind, such as one that starts in 1970 because it has no battery.

Such a clock can't say whether a certificate is valid yet, and would refuse every one. All else is checked as ever; of the dates, the end alone, by
the newest time that has surely passed: a certificate may have been made since then, so its beginning says nothing.
"""

from __future__ import annotations

import datetime
import ssl
from collections.abc import Callable
from typing import Any, Final

from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.util.ssl_ import create_urllib3_context

from sealift_core.clock import SystemClock

#: X509_V_FLAG_NO_CHECK_TIME of OpenSSL's x509_vfy.h, which Python doesn't name.
_NO_CHECK_TIME: Final = 0x200000
_EXPIRED: Final = 10


def time_instead_of_clock(certain_time: Callable[[], datetime.datetime] | None) -> datetime.datetime | None:
    """Tell whether the clock is behind a time that has surely passed.

    Args:
        certain_time: Gives that time; None if there is none.

    Returns:
        The time to judge by; None where the clock may be right.
    """
    if certain_time is None:
        return None
    floor = certain_time()
    return floor if SystemClock().now() < floor else None


def context_without_time(*, default_authorities: bool) -> ssl.SSLContext:
    """Make a TLS context that checks everything of a certificate but its dates.

    Args:
        default_authorities: Whether it trusts the usual certificate authorities; otherwise its user names some.

    Returns:
        The context.
    """
    context = create_urllib3_context()
    context.verify_flags |= _NO_CHECK_TIME
    if default_authorities:
        context.load_verify_locations(DEFAULT_CA_BUNDLE_PATH)
    return context


def check_not_expired(connected: Any, floor: datetime.datetime) -> None:
    """Check when the certificate of a connected TLS socket ends.

    Args:
        connected: The socket.
        floor: A time that has surely passed.

    Raises:
        ssl.SSLCertVerificationError: If it ended before that, as OpenSSL says it.
    """
    ends = (connected.getpeercert() or {}).get("notAfter")
    if ends is not None and ssl.cert_time_to_seconds(ends) < floor.timestamp():
        error = ssl.SSLCertVerificationError(1, "certificate has expired")
        error.verify_code = _EXPIRED
        raise error
