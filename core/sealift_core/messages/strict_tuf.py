"""TUF metadata read from JSON that says one thing only: python-tuf's own reader takes the last of two fields of one name."""

from __future__ import annotations

import re
from typing import Any, Final

from tuf.api.metadata import Metadata
from tuf.api.serialization import DeserializationError, MetadataDeserializer

from sealift_core.errors import LimitError
from sealift_core.schema import strict_json

#: python-tuf reads other ways to write a time, too, and checks signatures over the one that it writes itself.
EXPIRES: Final = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z"


class StrictDeserializer(MetadataDeserializer):
    """A reader to be given to ``Metadata.from_bytes``."""

    def deserialize(self, raw_data: bytes) -> Metadata[Any]:
        """Read metadata; its signatures aren't checked.

        Args:
            raw_data: The document's bytes.

        Returns:
            The metadata.

        Raises:
            DeserializationError: If it isn't TUF metadata in JSON, has a field twice or a time in another form, or is nested too deep.
        """  # noqa: DOC501  (ValueError is caught)
        try:
            document = strict_json.parse(raw_data, where="metadata")
            expires = document["signed"]["expires"]
            if not re.fullmatch(EXPIRES, expires):
                raise ValueError(f"expires is written as {expires[:40]!r} and not like 2026-01-31T12:00:00Z")
            return Metadata.from_dict(document)
        except (KeyError, TypeError, AttributeError) as error:
            raise DeserializationError("a field is missing or unknown") from error
        except (ValueError, LimitError) as error:
            raise DeserializationError(str(error)) from error
