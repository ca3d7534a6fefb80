"""How many connections this process can hold: each one takes a file descriptor, and there are other files."""

from __future__ import annotations

import contextlib
import sys
from typing import Final

#: Kept for everything that is no client: models, databases, libraries, listeners.
RESERVED: Final = 256


def make_room(connections: int) -> int:
    """Raise this process's limit of open files so that a number of connections fits beside all else.

    Service managers give 1,024 unless told otherwise, and let a process have more. A client that comes when there is no descriptor left can't even
    be told so, and neither can the owner of the Unix domain socket.

    Args:
        connections: How many are wanted.

    Returns:
        How many do fit, at least one.
    """
    if sys.platform == "win32":
        return connections
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = connections + RESERVED
    if soft != resource.RLIM_INFINITY and soft < needed:
        raised = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        with contextlib.suppress(OSError, ValueError):  # a container may refuse what its limits allow
            resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return connections
    return max(1, min(connections, soft - min(RESERVED, soft // 2)))
