"""Compute a stage, or take what was computed before from the same content."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, Generic, TypeVar

from sealift_core.schema.documents import Json
from sealift_packager.cache.entry import pack_entry, unpack_entry
from sealift_packager.cache.keys import entry_key
from sealift_packager.cache.serialization import NotSelfContainedError, SerializationError, decode, encode
from sealift_packager.cache.store import Store
from sealift_packager.plugins.user_code import changed, imported
from sealift_packager.progress.progress import Progress

T = TypeVar("T")
_LOG: Final = logging.getLogger("sealift.cache")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Stage(Generic[T]):
    """A step of a build whose result is kept: its title, the type of its result (see `serialization`), and all that the result is made from.

    An ``outermost`` stage is made of others, which show themselves.
    """

    title: str
    result: Any
    inputs: Mapping[str, Json] = dataclasses.field(default_factory=dict)
    outermost: bool = False


class Stages:
    """The stages of one build; without a store (or with a ``base`` of None, which nothing identifies) all of them are computed.

    ``base`` is what every stage of the build depends on; each stage adds its own ``inputs``. ``code`` are modules that are in the stages' keys, with
    digests; other modules of a person's own are told when they have been imported, and stand in the entry.
    """

    def __init__(
        self, store: Store | None, progress: Progress, base: Mapping[str, Json] | None, code: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        self.code = code
        self._imported: dict[str, str] = {}
        self._store = store if base is not None else None
        self._progress = progress
        self._base = dict(base or {})

    @property
    def inputs(self) -> Mapping[str, Json]:
        """Digests and options that the build is known by; empty where nothing identifies it."""
        inputs = self._base.get("inputs")
        return inputs if isinstance(inputs, dict) else {}

    def run(self, stage: Stage[T], compute: Callable[[], T]) -> T:
        """The result of a stage, cached by all that it depends on; shown in the progress either way."""
        title = stage.title
        key = entry_key(title, stage.result, stage.inputs, self._base)
        cached = self._read(key, stage.result)
        _LOG.debug("%s: entry %s is %s", title, key[:16], "there" if cached is not None else "missing")
        if cached is not None:
            self._progress.cached(title)
            value: T = cached[0]
            return value
        imported()  # now, as near to their import as can be
        with contextlib.nullcontext() if stage.outermost else self._progress.stage(title):
            value = compute()
        if self._store is not None:
            self._imported |= {name: digest for name, digest in imported().items() if self.code.get(name) != digest}
            with contextlib.suppress(
                NotSelfContainedError, UnicodeEncodeError
            ):  # gigabytes of weights in files aren't kept, nor text that isn't UTF-8
                self._store.write(key, pack_entry(encode(value), self._imported))
        return value

    def _read(self, key: str, result: Any) -> tuple[Any] | None:
        """The value in a tuple (it may be None itself), or None for a miss."""
        data = self._store.read(key) if self._store else None
        if self._store is None or data is None:
            return None
        entry = unpack_entry(data)
        with contextlib.suppress(SerializationError):  # its checksum holds, but other code wrote it
            if entry is not None and not changed(entry[1]):
                value = decode(result, entry[0])
                self._imported |= entry[1]  # what is made from it depends on them too
                return (value,)
        self._store.discard(key)
        return None
