"""How a child of the supervisor notices that the supervisor is gone."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable


def leave_with_parent(leave: Callable[[], object]) -> None:
    """In a child: call ``leave`` once the supervisor is gone (its end of our standard input closes)."""

    def wait_for_end() -> None:
        while os.read(0, 1):  # not sys.stdin: its lock, held by this thread, would spoil the interpreter's end
            continue
        leave()

    threading.Thread(target=wait_for_end, name="parent-monitor", daemon=True).start()
