"""Whether a request is meant for this server, by the name that it is asked under, and by the page that asks; see `sealift_core.http.hosts`."""

from __future__ import annotations

from typing import Final

from sealift_core.http.hosts import AllowedHosts
from sealift_runtime.serving.http import HttpResponse, error_response

_ADVICE: Final = "if that is one of its names, add it to serving.hosts in agent.toml"
_ORIGIN_ADVICE: Final = "to allow it, add the page's host to serving.hosts in agent.toml"


def judge_host(host: bytes | None, target: bytes, hosts: AllowedHosts, *, http10: bool) -> HttpResponse | None:
    """The refusal of a request for another server, or of one that doesn't say for which (RFC 9112, section 3.2); None if all is well.

    A target in absolute form names a host of its own, which counts, too.
    """
    if host is None:
        return None if http10 else error_response(400, "the request has no Host header, which HTTP/1.1 requires", close=True)
    names = [host]
    if not target.startswith(b"/") and b"://" in target:
        names.append(target.split(b"://", 1)[1].partition(b"/")[0].partition(b"?")[0])
    for name in names:
        if name not in hosts:
            shown = name[:100].decode("latin-1")
            return error_response(421, f"this server isn't known as {shown!r}: {_ADVICE}", close=True)
    return None


def judge_origin(origin: bytes, host: bytes, hosts: AllowedHosts) -> HttpResponse | None:
    """The refusal of a request that a browser sends for another site's page; None if all is well.

    Such a page can't read the answer, but could have models work, and have what it sends counted in monitoring. A browser says whose page it is
    in ``Origin`` (RFC 6454, section 7): this server's own, by its ``Host``, or one of the names that the operator gave.
    """
    authority = origin.partition(b"://")[2]
    if authority and (authority.lower() == host.lower() or hosts.is_configured(authority)):
        return None
    shown = origin[:100].decode("latin-1")
    return error_response(403, f"a page of {shown!r} may not send requests to this server: {_ORIGIN_ADVICE}", close=True)
