"""Lets go, beside the requests, what is older than hub.toml wants: at the start, and every few hours."""

from __future__ import annotations

import contextlib
import datetime
import logging
import threading
from collections.abc import Iterator
from typing import Final

from sealift_hub.errors import DatabaseError
from sealift_hub.storage.database import Database
from sealift_hub.storage.upkeep import prune

EVERY_S: Final = 6 * 3600.0
_log = logging.getLogger("sealift.hub")


@contextlib.contextmanager
def pruning(database: Database, days: float) -> Iterator[None]:
    """Prune what came more than ``days`` ago for the length of a block; 0 keeps everything."""
    if not days:
        yield
        return
    stop = threading.Event()
    thread = threading.Thread(target=_prune_again_and_again, args=(database, datetime.timedelta(days=days), stop), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=5)


def _prune_again_and_again(database: Database, kept: datetime.timedelta, stop: threading.Event) -> None:
    while not stop.is_set():
        try:
            if number := prune(database, datetime.datetime.now(datetime.UTC) - kept):
                _log.info("let go of the text of %d reports that came more than %s ago", number, kept)
        except DatabaseError as error:  # a full disk or a long lock: the next time may go well
            _log.warning("what is too old couldn't be removed: %s", error)
        stop.wait(EVERY_S)
