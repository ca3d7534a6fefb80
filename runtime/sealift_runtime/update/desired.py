"""desired.json: all that the data plane needs of the control plane, as one document. Pure.

It says which bundle of each model is to serve and which one serves if that can't be loaded, which updates are under way, and
the settings by which the data plane works. It is written by the control plane and by commands, and read by the data plane,
which opens neither the database nor agent.toml. Bundles are named by digest and lie where the store has them, so no document
leads the data plane to another folder.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from sealift_core.bundle.digest import Digest
from sealift_core.bundle.manifest import MAX_VERSION_CHARACTERS, MODEL_NAME, VERSION
from sealift_core.errors import ConfigurationError, DocumentError
from sealift_core.http.hosts import MAX_NAMES, check_names
from sealift_core.schema.documents import Document, Json, canonical_json
from sealift_runtime.measuring.policy import MeasuringPolicy
from sealift_runtime.update.client_limits import ClientLimits, read_client_limits
from sealift_runtime.update.records import Deployment, InstalledBundle, Update

SCHEMA: Final = "sealift.desired-state"
MAJOR: Final = 1
MAX_BYTES: Final = 4 * 2**20
MAX_TRUSTED_KEYS: Final = 100
#: Ten years. Times much above can't be added to a date, or waited for.
MAX_TIME_S: Final = 10 * 365 * 86400
FINGERPRINT: Final = r"[0-9a-f]{64}"
NO_MEASURING: Final = MeasuringPolicy(enabled=False, trusted_keys=(), max_bytes=1, max_s=1.0, memory_bytes=1, reserve_bytes=0)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DataPlaneSettings:
    """How the data plane works, whatever it serves.

    ``window_s`` is the length of a monitoring window in seconds, ``window_rows`` how many rows a drift verdict needs, ``hosts`` the names that
    it is asked under beside its own (`sealift_core.http.hosts`), ``clients`` how much they may ask, ``measuring`` who may have candidates measured
    here.
    """

    window_s: float = 3600.0
    window_rows: int = 200
    hosts: tuple[str, ...] = ()
    clients: ClientLimits = dataclasses.field(default_factory=ClientLimits)
    measuring: MeasuringPolicy = NO_MEASURING


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DesiredState:
    """What the data plane is to do.

    ``generation`` grows with every change, so that an older document is told from a newer one; 0 is that of no document at all. ``models`` are by
    name and each has a current bundle. ``updates`` names the updates under way, for whoever has to wait for them.
    """

    generation: int = 0
    models: tuple[Deployment, ...] = ()
    updates: tuple[str, ...] = ()
    settings: DataPlaneSettings = dataclasses.field(default_factory=DataPlaneSettings)

    def model(self, name: str) -> Deployment | None:
        """One model, or None."""
        return next((model for model in self.models if model.name == name), None)

    def is_on_trial(self, model: Deployment) -> bool:
        """Whether the current version of a model came by an update that is under way."""
        return model.current is not None and update_name(model.current) in self.updates

    @classmethod
    def parse(cls, data: bytes, *, where: str, bundles: Path) -> DesiredState:
        """Read a document; ``bundles`` is the folder of the bundles' directories. `DocumentError`, `UnsupportedSchemaError` or `LimitError`."""
        return cls.from_document(Document.parse_json(data, where=where, max_bytes=MAX_BYTES), bundles=bundles)

    @classmethod
    def from_document(cls, document: Document, *, bundles: Path) -> DesiredState:
        """Read a document that is part of another one."""
        document.schema(SCHEMA, MAJOR)
        models = document.document("models")
        return cls(
            generation=document.integer("generation", minimum=1),
            models=tuple(_model(_name(name, models.where), models.document(name), bundles) for name in sorted(models.names())),
            updates=document.texts("updates"),
            settings=_settings(document.document("settings")),
        )

    def json(self) -> dict[str, Json]:
        """The document."""
        return {
            "schema": f"{SCHEMA}/{MAJOR}",
            "generation": self.generation,
            "models": {model.name: _model_json(model) for model in self.models},
            "updates": list(self.updates),
            "settings": _settings_json(self.settings),
        }

    def to_bytes(self) -> bytes:
        """The document's bytes."""
        return canonical_json(self.json())


def update_name(version: InstalledBundle | Update) -> str:
    """How an update is named among those under way."""
    return f"{version.name} {version.version}"


def _name(name: str, where: str) -> str:
    return Document({"model name": name}, where).text("model name", pattern=MODEL_NAME)


def _model(name: str, document: Document, bundles: Path) -> Deployment:
    current = _bundle(name, document.document("current"), bundles)
    previous = _bundle(name, document.document("previous"), bundles) if document.has("previous") else None
    return Deployment(name=name, current=current, previous=previous)


def _bundle(name: str, document: Document, bundles: Path) -> InstalledBundle:
    digest = Digest.parse(document.text("digest"), where=f"{document.where}.digest")
    return InstalledBundle(
        name=name,
        version=document.text("version", pattern=VERSION, max_characters=MAX_VERSION_CHARACTERS),
        digest=digest,
        profile=document.text("profile"),
        release=Digest.parse(document.text("release"), where=f"{document.where}.release"),
        release_size=document.integer("release_size_bytes", minimum=0),
        directory=bundles / digest.hex,
    )


def _settings(document: Document) -> DataPlaneSettings:
    monitoring, serving, measuring = document.document("monitoring"), document.document("serving"), document.document("measuring")
    hosts = serving.texts("hosts", max_items=MAX_NAMES)
    try:
        check_names(hosts, where=f"{serving.where}.hosts")
    except ConfigurationError as error:
        raise DocumentError(error.message, where=error.where, expected=error.expected, found=error.found) from error
    return DataPlaneSettings(
        window_s=monitoring.number("window_s", minimum=0.05, maximum=MAX_TIME_S),
        window_rows=monitoring.integer("window_rows", minimum=1),
        hosts=hosts,
        clients=read_client_limits(serving.document("limits", {})),  # earlier versions don't write them
        measuring=_measuring(measuring),
    )


def _measuring(document: Document) -> MeasuringPolicy:
    keys = document.texts("trusted_keys", max_items=MAX_TRUSTED_KEYS)
    return MeasuringPolicy(
        enabled=document.boolean("enabled"),
        trusted_keys=tuple(Document({"trusted_keys": key}, document.where).text("trusted_keys", pattern=FINGERPRINT) for key in keys),
        max_bytes=document.integer("max_bytes", minimum=1),
        max_s=document.number("max_s", minimum=1),
        memory_bytes=document.integer("memory_bytes", minimum=1),
        reserve_bytes=document.integer("reserve_bytes", minimum=0),
        sandbox=document.boolean("sandbox"),
    )


def _model_json(model: Deployment) -> dict[str, Json]:
    slots: Mapping[str, InstalledBundle | None] = {"current": model.current, "previous": model.previous}
    return {slot: _bundle_json(bundle) for slot, bundle in slots.items() if bundle}


def _bundle_json(bundle: InstalledBundle) -> dict[str, Json]:
    return {
        "version": bundle.version,
        "digest": str(bundle.digest),
        "profile": bundle.profile,
        "release": str(bundle.release),
        "release_size_bytes": bundle.release_size,
    }


def _settings_json(settings: DataPlaneSettings) -> dict[str, Json]:
    measuring: dict[str, Any] = dataclasses.asdict(settings.measuring)
    return {
        "monitoring": {"window_s": settings.window_s, "window_rows": settings.window_rows},
        "serving": {"hosts": list(settings.hosts), "limits": dataclasses.asdict(settings.clients)},
        "measuring": measuring | {"trusted_keys": list(settings.measuring.trusted_keys)},
    }
