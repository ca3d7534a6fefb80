"""kit.json: what a site kit carries of its repository. It lies beside the repository's metadata, whose releases the kit need not have all.

It isn't signed: whoever could change it could also take blobs away. It only says whether what is missing was left out on purpose.
"""

from __future__ import annotations

import dataclasses
from typing import Final

from sealift_core.bundle.manifest import MAX_VERSION_CHARACTERS, MODEL_NAME, VERSION
from sealift_core.schema.documents import Document, canonical_json

SCHEMA: Final = "sealift.kit"
#: Its name in the kit's repository.
KIT_FILE: Final = "kit.json"
MAX_BYTES: Final = 4 * 2**20


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class KitContents:
    """What a kit carries.

    Attributes:
        channels: The channels that it was built for; a machine at the site follows the first.
        releases: The name and version of every release whose blobs it has.
    """

    channels: tuple[str, ...]
    releases: tuple[tuple[str, str], ...]

    @classmethod
    def parse(cls, data: bytes, *, where: str) -> KitContents:
        """Read kit.json.

        Args:
            data: Its bytes.
            where: What errors call it.

        Returns:
            What it says.

        Raises:
            DocumentError: If it can't be read, or a name or version is malformed; `UnsupportedSchemaError` if it is of another major version.
            LimitError: If it or a name is larger than its bound.
        """
        document = Document.parse_json(data, where=where, max_bytes=MAX_BYTES)
        document.schema(SCHEMA, 1)
        releases = tuple((release.text("name", pattern=MODEL_NAME), _version(release)) for release in document.documents("releases"))
        return cls(channels=document.texts("channels"), releases=releases)

    def to_bytes(self) -> bytes:
        """Write the document; `parse` gives an equal value back."""
        releases = [{"name": name, "version": version} for name, version in self.releases]
        return canonical_json({"schema": f"{SCHEMA}/1", "channels": list(self.channels), "releases": releases})


def _version(release: Document) -> str:
    return release.text("version", pattern=VERSION, max_characters=MAX_VERSION_CHARACTERS)
