"""A machine as one tells another: as JSON and back. Pure."""

from __future__ import annotations

import dataclasses
from typing import Final

from sealift_core.hardware.machine import Machine
from sealift_core.schema.documents import Document, Json

_MAX_WORDS: Final = 2000


def machine_json(machine: Machine) -> dict[str, Json]:
    """Write a machine as a JSON value.

    Args:
        machine: The machine.

    Returns:
        Every field by its name; sets as sorted lists.
    """
    fields = dataclasses.asdict(machine)
    return {name: sorted(value) if isinstance(value, frozenset) else value for name, value in fields.items()}


def parse_machine(document: Document) -> Machine:
    """Read what `machine_json` wrote.

    Args:
        document: Its table.

    Returns:
        The machine.

    Raises:
        DocumentError: If a field is missing, of another type, or out of range.
        LimitError: If a list or a text is too long.
    """
    return Machine(
        arch=document.text("arch", max_characters=200),
        cpu_model=document.text("cpu_model", max_characters=500),
        os=document.text("os", max_characters=500),
        cores=document.integer("cores", minimum=1),
        memory_bytes=document.integer("memory_bytes", minimum=0),
        cpu_flags=frozenset(document.texts("cpu_flags", max_items=_MAX_WORDS)),
        accelerators=frozenset(document.texts("accelerators", max_items=_MAX_WORDS)),
        providers=frozenset(document.texts("providers", max_items=_MAX_WORDS)),
    )
