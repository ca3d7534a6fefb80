"""Verified metadata on disk: one file per role, and ``state.json``, which names them and is written last.

So a crash leaves the old set or the new one. What the disk damages is mended from what is left, and nothing older is accepted for it:

1. A role's file that is damaged is dropped and fetched anew; its version floor stays.
2. A root that is damaged is proven again, from the ``root.json`` that the device was set up with through every root that followed (``chain.N.json``).
   Roots that are damaged, too, come from the repository; until the newest is back, nothing else is accepted.
3. A ``state.json`` that is damaged is made anew from the verified files beside it, if that is possible to timestamp at least: without it, older
   metadata could be accepted.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from tuf.api.metadata import Root

from sealift_core import beneath, durable
from sealift_core.bundle.digest import Digest
from sealift_core.clock import format_time
from sealift_core.errors import ConfigurationError, DocumentError, IntegrityError, LimitError, TrustError, UnsupportedSchemaError
from sealift_core.messages.roles import ROOT, TIMESTAMP
from sealift_core.schema.documents import Document, Json, canonical_json
from sealift_runtime.trust.metadata import MAX_BYTES
from sealift_runtime.trust.state import ROLES, TrustState
from sealift_runtime.trust.workflow import ACCEPT, restore, start, trusted

SCHEMA: Final = "sealift.trust"
STATE: Final = "state.json"
#: The root that the device was set up with, in its home.
GIVEN: Final = "root.json"
MAX_STATE_BYTES: Final = 64 * 1024
_FILE: Final = re.compile(r"[a-z]+\.[0-9a-f]{1,16}\.json")
_CHAIN: Final = re.compile(r"chain\.([0-9]{1,9})\.json")
_ADVICE: Final = "Set the device up again in an empty home. Installed models keep serving."


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
        """Whether a root of trust is there, damaged or not."""
        return self._directory.is_dir() and any(name == STATE or _FILE.fullmatch(name) for name in _names(self._directory))

    def load(self) -> LoadedTrust:
        """The state; `ConfigurationError` if the device isn't enrolled, `IntegrityError` if more is damaged than can be mended."""
        path = self._directory / STATE
        if not self.enrolled():
            raise ConfigurationError(
                "this device has no root of trust", where=str(path), advice="Run sealift-agent init with --root and the repository's root.json."
            )
        try:
            return self._load(path)
        except UnsupportedSchemaError:
            raise
        except (FileNotFoundError, DocumentError, IntegrityError, LimitError) as error:
            return LoadedTrust(state=self._made_anew(path, error), damaged=(path,))

    def _load(self, path: Path) -> LoadedTrust:
        document = Document.parse_json(beneath.read_own(path, MAX_STATE_BYTES), where=str(path), max_bytes=MAX_STATE_BYTES)
        document.schema(SCHEMA, 1)
        files, damaged = self._read_files(document.document("files"))
        versions = document.document("versions")
        state = TrustState(
            files=files,
            versions={role: versions.integer(role, minimum=1) for role in versions.names()},
            signed_time=document.time("signed_time"),
            seen_time=document.time("seen_time"),
        )
        return LoadedTrust(state=state if ROOT in files else self._with_root(state, damaged), damaged=damaged)

    def _with_root(self, lost: TrustState, damaged: Iterable[Path]) -> TrustState:
        """Rule 2."""
        given = self._directory.parent / GIVEN
        first = _read(given, MAX_BYTES[ROOT])
        try:
            return restore(lost, first or b"", self._chain())
        except (TrustError, LimitError) as error:
            places = ", ".join(map(str, [*damaged, given]))
            raise IntegrityError("the trusted root is damaged, and so is the one to restore it from", where=places, advice=_ADVICE) from error

    def _chain(self) -> list[bytes]:
        """The roots that followed the first, in order, as far as they are there."""
        numbered = {int(match[1]): name for name in _names(self._directory) if (match := _CHAIN.fullmatch(name))}
        names = [numbered[number] for number in sorted(numbered)] + [name for name in _names(self._directory) if name.startswith(f"{ROOT}.")]
        files = (_read(self._directory / name, MAX_BYTES[ROOT]) for name in names)
        return [data for data in files if data is not None]

    def _made_anew(self, path: Path, error: Exception) -> TrustState:
        """Rule 3."""
        state = self._with_root(TrustState(files={}, versions={}), [path])
        for role, accept in ACCEPT.items():
            for name in _names(self._directory):
                data = _read(self._directory / name, MAX_BYTES[role]) if name.startswith(f"{role}.") else None
                with contextlib.suppress(TrustError, LimitError):
                    state = accept(state, data) if data is not None else state
        if TIMESTAMP not in state.files:
            raise IntegrityError("the record of what this device trusts is damaged", where=str(path), advice=_ADVICE) from error
        return state

    def save(self, state: TrustState) -> None:
        """Make the state durable, all of it or nothing; files that it no longer names are removed."""
        entries: dict[str, Json] = {}
        self._keep_in_chain(state)
        for role, data in state.files.items():
            digest = Digest.of(data)
            name = f"{role}.{digest.hex[:16]}.json"
            if _read(self._directory / name, MAX_BYTES[role]) != data:
                durable.write_bytes(self._directory / name, data, mode=durable.PRIVATE_MODE)
            entries[role] = {"file": name, "digest": str(digest)}
        times = {"signed_time": format_time(state.signed_time), "seen_time": format_time(state.seen_time)}
        fields: dict[str, Json] = {"schema": f"{SCHEMA}/1", "files": entries, "versions": dict(state.versions), **times}
        durable.write_bytes(self._directory / STATE, canonical_json(fields), mode=durable.PRIVATE_MODE)
        kept = {STATE, *(f"{role}.{Digest.of(data).hex[:16]}.json" for role, data in state.files.items())}
        for path in self._directory.iterdir():
            if path.name not in kept and not _CHAIN.fullmatch(path.name):
                path.unlink()

    def _keep_in_chain(self, state: TrustState) -> None:
        data = state.files[ROOT]
        path = self._directory / f"chain.{trusted(Root, ROOT, state).signed.version}.json"
        if _read(path, MAX_BYTES[ROOT]) != data:
            durable.write_bytes(path, data, mode=durable.PRIVATE_MODE)

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


def _names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def _read(path: Path, max_bytes: int) -> bytes | None:
    """A file of the folder, None if it isn't there, is no regular file, or is too large to be one."""
    try:
        return beneath.read_own(path, max_bytes)
    except (FileNotFoundError, IntegrityError, LimitError):
        return None
