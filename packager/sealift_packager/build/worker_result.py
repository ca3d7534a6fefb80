"""What a worker gives for a build, as it crosses to the process that started it: both sides of that in one place.

The folders aren't in it: whoever gave the worker its folder knows them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sealift_core.schema.documents import Json
from sealift_packager.build.packed import NodeErrors, Unsigned
from sealift_packager.cache.structure import decode, encode
from sealift_packager.lock.lockfile import Lock
from sealift_packager.quantize.node_error import NodeError


def encode_result(unsigned: Unsigned) -> dict[str, Json]:
    """All but the directories, as JSON."""
    return {"lock": unsigned.lock.to_bytes().decode(), "node_errors": encode(unsigned.node_errors), "notes": list(unsigned.notes)}


def decode_result(fields: Mapping[str, Json], directories: Mapping[str, Path]) -> Unsigned:
    """The result, each part checked. Raises `SealiftError`, `ValueError`, `KeyError` or `TypeError` where it makes no sense."""
    errors: NodeErrors = decode(dict[str, dict[str, dict[str, NodeError]]], fields["node_errors"])
    notes, lock = fields["notes"], Lock.parse(str(fields["lock"]).encode(), where="lock")
    if not isinstance(notes, list):
        raise TypeError("the notes are no list")
    return Unsigned(directories=directories, lock=lock, node_errors=errors, notes=tuple(str(note) for note in notes))
