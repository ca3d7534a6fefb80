"""Imports of large libraries, in as little time as they can be had."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def importing() -> Iterator[None]:
    """Look for no garbage while a block imports.

    Libraries make some hundred thousand objects that stay as long as the process. Python would look through them for garbage dozens of times
    meanwhile, which takes a tenth of the time of the import, and through all of them again each time that it looks for garbage later.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.freeze()
            gc.enable()
