"""What is measured: done once and written down, or taken from a lock and not done at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from sealift_core.bundle.digest import Digest
from sealift_core.schema.documents import Json, canonical_json
from sealift_packager.cache.serialization import SerializationError, from_json, to_json
from sealift_packager.errors import LockError

ADVICE: Final = "A lock is valid only for the inputs it was made from. Build without --locked to write a new one."

T = TypeVar("T")


class MeasurementLog:
    """The measurements of one profile, by name.

    With ``given`` (from a lock) nothing is measured, and a name that is not in it is a `LockError`; without, each is measured once.
    ``taken`` is everything that the build rests on, as a lock writes it.
    """

    def __init__(self, given: Mapping[str, Json] | None = None, *, where: str = "lock") -> None:
        self._given = given
        self._where = where
        self.taken: dict[str, Json] = {}

    @property
    def locked(self) -> bool:
        """Whether nothing is to be measured."""
        return self._given is not None

    @property
    def fingerprint(self) -> str:
        """What is given, as a key of a cache has it; empty where things are measured."""
        return "" if self._given is None else Digest.of(canonical_json(self._given)).hex

    def obtain(self, name: str, target: type[T], measure: Callable[[], T]) -> T:
        """The measurement ``name`` of type ``target`` (see `serialization`): from the lock, or by ``measure``."""
        if self._given is None:
            value = measure()
            self.taken[name] = to_json(value)
            return value
        if name not in self._given:
            raise LockError("the lock doesn't contain this measurement", where=f"{self._where}.{name}", advice=ADVICE)
        self.taken[name] = self._given[name]
        try:
            return from_json(target, self._given[name])
        except SerializationError as error:
            raise LockError(f"a measurement can't be read (caused by: {error})", where=f"{self._where}.{name}", advice=ADVICE) from error
