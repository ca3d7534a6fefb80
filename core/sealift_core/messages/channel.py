"""channels/NAME.json: which version of each model a channel points to. Signed through TUF's role ``channels``."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Final

from sealift_core.bundle.manifest import MAX_VERSION_CHARACTERS, MODEL_NAME, VERSION
from sealift_core.schema.documents import Document, canonical_json

SCHEMA: Final = "sealift.channel"
CHANNEL_NAME: Final = r"[a-z0-9][a-z0-9-]{0,63}"
MAX_BYTES: Final = 4 * 2**20


def channel_target(channel: str) -> str:
    """Name the TUF target of a channel.

    Args:
        channel: The channel's name, matching `CHANNEL_NAME`.

    Returns:
        The target's path.
    """
    return f"channels/{channel}.json"


def release_target(name: str, version: str) -> str:
    """Name the TUF target of a release; its hash and length are those of the release's OCI index.

    Args:
        name: The model's name.
        version: Its version.

    Returns:
        The target's path.
    """
    return f"releases/{name}/{version}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """What a channel points to.

    Attributes:
        models: The version of each model, by the model's name.
    """

    models: Mapping[str, str]

    @classmethod
    def parse(cls, data: bytes, *, where: str) -> Channel:
        """Read a channel document.

        Args:
            data: Its bytes.
            where: What errors call it.

        Returns:
            The channel.

        Raises:
            DocumentError: If it can't be read, or a name or version is malformed; `UnsupportedSchemaError` if it is of another major version.
            LimitError: If it or a name is larger than its bound.
        """
        document = Document.parse_json(data, where=where, max_bytes=MAX_BYTES)
        document.schema(SCHEMA, 1)
        models = document.document("models")
        return cls(models={_name(name, where): _version(models.document(name)) for name in models.names()})

    def to_bytes(self) -> bytes:
        """Write the document; `parse` gives an equal channel back."""
        models = {name: {"version": version} for name, version in sorted(self.models.items())}
        return canonical_json({"schema": f"{SCHEMA}/1", "models": models})


def _version(model: Document) -> str:
    return model.text("version", pattern=VERSION, max_characters=MAX_VERSION_CHARACTERS)


def _name(name: str, where: str) -> str:
    return Document({"model name": name}, where).text("model name", pattern=MODEL_NAME)
