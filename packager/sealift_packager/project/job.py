"""One model to pack, and what became of it: values that travel as JSON."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PackJob:
    """One release to build. ``folder`` is the project file's: all relative paths start there.

    The other fields are `PackRequest`'s, with profiles by name or path and ``key`` the path of the signing key.
    """

    name: str
    folder: str
    model: str
    version: str
    profiles: tuple[str, ...]
    out: str
    lock: str
    objective: tuple[str, ...] = ()
    data: str | None = None
    target: str = "target"
    metric: str | None = None
    output: str | None = None
    max_drop: float | None = None
    key: str | None = None
    trust_pickle: bool = False
    format: str | None = None
    golden_from: str | None = None
    factory: str | None = None
    state_key: str | None = None
    allow_extra: bool = False
    dynamic: tuple[str, ...] = ()
    shape: tuple[str, ...] = ()
    example: tuple[str, ...] = ()
    inputs: str | None = None
    image_mean: tuple[float, ...] = ()
    image_std: tuple[float, ...] = ()
    description: str = ""
    license: str = ""
    seed: int = 0
    measure_seconds: float = 4.0
    model_timeout: float = 120.0
    no_sandbox: bool = False
    locked: bool = False
    force: bool = False
    cache: bool = True
    measure_on: tuple[str, ...] = ()

    @property
    def key_path(self) -> Path | None:
        """Where the signing key is, from anywhere."""
        return Path(self.folder, self.key) if self.key else None

    def to_json(self) -> str:
        """One line of ASCII: paths needn't be UTF-8."""
        import msgspec

        return json.dumps(msgspec.to_builtins(self))

    @classmethod
    def from_json(cls, text: str) -> PackJob:
        """What `to_json` wrote."""
        import msgspec

        return msgspec.convert(json.loads(text), cls)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class JobOutcome:
    """What became of a job: the release's digest and the chosen candidate by profile, or the error in words.

    ``bundles`` are the bundles' digests by profile; ``attempts`` says how many workers it took.
    """

    name: str
    seconds: float
    digest: str | None = None
    bundles: dict[str, str] = dataclasses.field(default_factory=dict)
    chosen: dict[str, str] = dataclasses.field(default_factory=dict)
    error: str | None = None
    attempts: int = 1

    @property
    def done(self) -> bool:
        """Whether the release stands."""
        return self.error is None

    def to_json(self) -> str:
        """One line of ASCII: an error may name a path that isn't UTF-8."""
        return json.dumps(self.fields())

    def fields(self) -> dict[str, Any]:
        """By name, for a command's ``--json``."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, text: str) -> JobOutcome:
        """What `to_json` wrote."""
        import msgspec

        return msgspec.convert(json.loads(text), cls)
