"""The file sealift.lock, and whether it fits a build."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from sealift_core import beneath, durable
from sealift_core.clock import format_time
from sealift_core.errors import DocumentError
from sealift_core.schema.documents import Document, Json, canonical_json
from sealift_packager.errors import LockError, OutputError
from sealift_packager.lock.measurement_log import ADVICE

SUFFIX: Final = ".lock"
SCHEMA: Final = "sealift.lock"
MAJOR: Final = 1
MAX_BYTES: Final = 64 * 2**20
_ELSEWHERE: Final = "Name another file with --lock."


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ProfileLock:
    """One profile's: its digest, the candidate that was chosen, and what was measured, by name."""

    digest: str
    chosen: str
    measured: Mapping[str, Json]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """What a build rests on beside its inputs.

    ``inputs`` identify what the build was made from: source and data by digest, the options that decide, tool versions under ``tools``.
    ``created`` is the time that the bundles bear.
    """

    name: str
    created: datetime.datetime
    inputs: Mapping[str, Json]
    tools: Mapping[str, str]
    profiles: Mapping[str, ProfileLock]

    def to_bytes(self) -> bytes:
        """The file's bytes; `parse` gives an equal lock back."""
        return canonical_json(
            {
                "schema": f"{SCHEMA}/{MAJOR}",
                "name": self.name,
                "created": format_time(self.created),
                "inputs": dict(self.inputs),
                "tools": dict(self.tools),
                "profiles": {name: dataclasses.asdict(profile) for name, profile in self.profiles.items()},
            }
        )

    @classmethod
    def parse(cls, data: bytes, *, where: str) -> Lock:
        """Read a lock; `DocumentError` names the field."""
        document = Document.parse_json(data, where=where, max_bytes=MAX_BYTES)
        document.schema(SCHEMA, MAJOR)
        profiles, tools = document.document("profiles"), document.document("tools")
        lock = cls(
            name=document.text("name"),
            created=document.time("created"),
            inputs=document.document("inputs").raw(),
            tools={name: tools.text(name) for name in tools.names()},
            profiles={name: _profile(profiles.document(name)) for name in profiles.names()},
        )
        document.refuse_unknown()
        return lock


def _profile(document: Document) -> ProfileLock:
    profile_lock = ProfileLock(digest=document.text("digest"), chosen=document.text("chosen"), measured=document.document("measured").raw())
    document.refuse_unknown()
    return profile_lock


def default_place(out: Path, config: Path | None) -> Path:
    """Where a lock stands unless somebody says: with the sealift.toml, as sealift.lock; without one beside the release, named after it. Pure.

    What a file describes then has one lock wherever its release goes, and releases in one folder have a lock each.
    """
    return config.with_suffix(SUFFIX) if config is not None else out.with_name(out.name + SUFFIX)


def read_lock(path: Path) -> Lock:
    """Read a lock file; `LockError` if there is none, `DocumentError` if it can't be parsed."""
    try:
        data = beneath.read_bounded(path, MAX_BYTES)
    except OSError as error:
        raise LockError(
            f"the lock can't be read ({error.strerror})", where=str(path), advice="Build once without --locked, or name the file with --lock."
        ) from error
    return Lock.parse(data, where=str(path))


def write_lock(lock: Lock, path: Path) -> None:
    """Write a lock file, durably."""
    durable.write_bytes(path, lock.to_bytes())


def check_writable(path: Path, name: str) -> None:
    """Raise `OutputError` if another model's lock (or something else) stands at ``path``: somebody's build rests on it."""
    if not path.exists():
        return
    try:
        owner = read_lock(path).name
    except (LockError, DocumentError) as error:
        raise OutputError("the file at the lock's path is not a lock", where=str(path), advice=_ELSEWHERE) from error
    if owner != name:
        raise OutputError("the file at the lock's path is the lock of another model", where=str(path), expected=name, found=owner, advice=_ELSEWHERE)


def check_inputs(lock: Lock, inputs: Mapping[str, Json], tools: Mapping[str, str], *, where: str = "lock") -> None:
    """Raise `LockError` naming the first field in which the lock is not for this build. Pure."""
    for title, locked, current in (("inputs", lock.inputs, inputs), ("tools", lock.tools, tools)):
        for key in sorted({*locked, *current}):
            _same(locked.get(key), current.get(key), f"{where}: {title}.{key}")


def check_profile(lock: Lock, name: str, digest: str, *, where: str = "lock") -> ProfileLock:
    """The lock's part for a profile; `LockError` if there is none, or the profile is another one now. Pure."""
    if name not in lock.profiles:
        raise LockError(
            "the lock has no such profile", where=f"{where}: profiles.{name}", expected=f"one of {', '.join(lock.profiles)}", advice=ADVICE
        )
    _same(lock.profiles[name].digest, digest, f"{where}: profiles.{name}.digest")
    return lock.profiles[name]


def check_choice(profile_lock: ProfileLock, profile: str, chosen: str, *, where: str = "lock") -> None:
    """Raise `LockError` if the measurements led to another candidate than the lock says. Pure."""
    _same(profile_lock.chosen, chosen, f"{where}: profiles.{profile}.chosen")


def check_arithmetic(locked: Mapping[str, str], current: Mapping[str, str], profile: str, *, where: str = "lock") -> None:
    """Raise `LockError` if a candidate's accuracy is known in another way here: a processor was emulated there, or is here. Pure."""
    for name in sorted({*locked, *current}):
        if locked.get(name) != current.get(name):
            raise LockError(
                "this machine would compute the accuracy differently",
                where=f"{where}: profiles.{profile}.measured.arithmetic.{name}",
                expected=f"{locked.get(name) or 'no emulator'} (locked)",
                found=current.get(name) or "no emulator",
                advice="Provide the emulator that the lock was made with (or none, if it was made with none), or build without --locked.",
            )


def _same(locked: Any, current: Any, where: str) -> None:
    if locked != current:
        raise LockError(
            "the lock was made for another build", where=where, expected=f"{_short(locked)} (locked)", found=_short(current), advice=ADVICE
        )


def _short(value: Any) -> str:
    return "nothing" if value is None else str(value)[:100]
