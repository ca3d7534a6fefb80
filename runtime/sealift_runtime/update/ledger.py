"""The ledger's hash chain: an event's hash covers the event and the hash before it, so nothing is changed unnoticed."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable
from typing import Final

from sealift_core.clock import format_time
from sealift_core.errors import IntegrityError
from sealift_core.messages.report import Event
from sealift_core.schema.documents import canonical_json

#: What the first event is chained to.
START: Final = "0" * 64


def chain(event: Event, previous: str) -> str:
    """The event's hash, 64 hex digits."""
    fields = dataclasses.asdict(event) | {"time": format_time(event.time), "previous": previous}
    return hashlib.sha256(canonical_json(fields)).hexdigest()


def verify(events: Iterable[tuple[Event, str]], *, where: str) -> None:
    """Check events with their stored hashes, from number 1 on: numbers without gaps, each hash right.

    What was cut off at the end doesn't show here; it shows at the hub, which has the events of earlier reports.
    Raises `IntegrityError` naming the event.
    """
    previous = START
    for number, (event, stored) in enumerate(events, 1):
        if event.number != number:
            raise IntegrityError("the ledger has a gap", where=where, expected=f"event {number}", found=f"event {event.number}")
        previous = chain(event, previous)
        if stored != previous:
            raise IntegrityError("the ledger was changed", where=f"{where}: event {number}", expected=previous, found=stored)
