"""TUF metadata read from JSON that says one thing only: python-tuf's own reader takes the last of two fields of one name."""

from __future__ import annotations

from typing import Any

from tuf.api.metadata import Metadata
from tuf.api.serialization import DeserializationError, MetadataDeserializer

from sealift_core.errors import LimitError
from sealift_core.schema import strict_json


class StrictDeserializer(MetadataDeserializer):
    """A reader to be given to ``Metadata.from_bytes``."""

    def deserialize(self, raw_data: bytes) -> Metadata[Any]:
        """Read metadata; its signatures aren't checked.

        Args:
            raw_data: The document's bytes.

        Returns:
            The metadata.

        Raises:
            DeserializationError: If it isn't TUF metadata in JSON, has a field twice, or is nested too deep.
        """
        try:
            return Metadata.from_dict(strict_json.parse(raw_data, where="metadata"))
        except (KeyError, TypeError, AttributeError) as error:
            raise DeserializationError("a field is missing or unknown") from error
        except (ValueError, LimitError) as error:
            raise DeserializationError(str(error)) from error
