"""Verified metadata on disk: one file per role, and ``state.json``, which names them and is written last.

So a crash leaves the old set or the new one. A role's file that is damaged is dropped and fetched anew, but its
version floor stays; only root and ``state.json`` itself can't be done without.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Final

from sealift_core import beneath, durable
from sealift_core.bundle.digest import Digest
from sealift_core.clock import format_time
from sealift_core.errors import ConfigurationError, IntegrityError, LimitError
from sealift_core.messages.roles import ROOT
from sealift_core.schema.documents import Document, Json, canonical_json
from sealift_runtime.trust.metadata import MAX_BYTES
from sealift_runtime.trust.state import ROLES, TrustState
from sealift_runtime.trust.workflow import start

SCHEMA: Final = "sealift.trust"
STATE: Final = "state.json"
MAX_STATE_BYTES: Final = 64 * 1024


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LoadedTrust:
    """The state on disk, and the files of it that were damaged."""

    state: TrustState
    damaged: tuple[Path, ...] = ()


class TrustFolder:
    """The folder ``trust`` of a device's home."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def enrol(self, root: bytes) -> TrustState:
        """Trust in a first root, given by hand; `ConfigurationError` if the device already trusts in one."""
        if self.enrolled():
            raise ConfigurationError("this device already has a root of trust", where=str(self._directory), advice="To start over, move it away.")
        state = start(root)
        self.save(state)
        return state

    def enrolled(self) -> bool:
        """Whether a root of trust is there."""
        return (self._directory / STATE).is_file()

    def load(self) -> LoadedTrust:
        """The state; `ConfigurationError` if the device isn't enrolled, `IntegrityError` if its root is damaged."""
        path = self._directory / STATE
        if not path.is_file():
            raise ConfigurationError(
                "this device has no root of trust", where=str(path), advice="Run sealift-agent init with --root and the repository's root.json."
            )
        document = Document.parse_json(beneath.read_own(path, MAX_STATE_BYTES), where=str(path), max_bytes=MAX_STATE_BYTES)
        document.schema(SCHEMA, 1)
        files, damaged = self._read_files(document.document("files"))
        if ROOT not in files:
            advice = "Set the device up again in an empty home. Installed models keep serving."
            raise IntegrityError("the trusted root is damaged", where=", ".join(map(str, damaged)) or str(path), advice=advice)
        versions = document.document("versions")
        state = TrustState(
            files=files,
            versions={role: versions.integer(role, minimum=1) for role in versions.names()},
            signed_time=document.time("signed_time"),
            seen_time=document.time("seen_time"),
        )
        return LoadedTrust(state=state, damaged=damaged)

    def save(self, state: TrustState) -> None:
        """Make the state durable, all of it or nothing; files that it no longer names are removed."""
        entries: dict[str, Json] = {}
        for role, data in state.files.items():
            digest = Digest.of(data)
            name = f"{role}.{digest.hex[:16]}.json"
            if _read(self._directory / name, MAX_BYTES[role]) != data:
                durable.write_bytes(self._directory / name, data)
            entries[role] = {"file": name, "digest": str(digest)}
        times = {"signed_time": format_time(state.signed_time), "seen_time": format_time(state.seen_time)}
        fields: dict[str, Json] = {"schema": f"{SCHEMA}/1", "files": entries, "versions": dict(state.versions), **times}
        durable.write_bytes(self._directory / STATE, canonical_json(fields))
        kept = {STATE, *(f"{role}.{Digest.of(data).hex[:16]}.json" for role, data in state.files.items())}
        for path in self._directory.iterdir():
            if path.name not in kept:
                path.unlink()

    def _read_files(self, entries: Document) -> tuple[dict[str, bytes], tuple[Path, ...]]:
        files: dict[str, bytes] = {}
        damaged = []
        for role in filter(entries.has, ROLES):
            entry = entries.document(role)
            path = self._directory / entry.text("file", pattern=r"[a-z]+\.[0-9a-f]{16}\.json")
            digest = Digest.parse(entry.text("digest"), where=entry.where)
            data = _read(path, MAX_BYTES[role])
            if data is not None and Digest.of(data) == digest:
                files[role] = data
            else:
                damaged.append(path)
        return files, tuple(damaged)


def _read(path: Path, max_bytes: int) -> bytes | None:
    """A file of the folder, None if it isn't there, is no regular file, or is too large to be one."""
    try:
        return beneath.read_own(path, max_bytes)
    except (FileNotFoundError, IntegrityError, LimitError):
        return None
