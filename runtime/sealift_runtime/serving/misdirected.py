"""Whether a request is meant for this server, by the name that it is asked under; `sealift_core.http.hosts` says why that matters."""

from __future__ import annotations

from typing import Final

from sealift_core.http.hosts import AllowedHosts
from sealift_runtime.serving.http import HttpResponse, error_response

_ADVICE: Final = "if that is one of its names, add it to serving.hosts in agent.toml"


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
