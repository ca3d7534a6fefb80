"""desired.json on disk: written by whoever holds the home's lock, read by the data plane when it starts."""

from __future__ import annotations

from pathlib import Path

from sealift_core import beneath, durable
from sealift_core.errors import StoreError
from sealift_runtime.update.desired import MAX_BYTES, DesiredState


class DesiredFile:
    """desired.json of a home; whoever reads it sees the old document or the new one, whole."""

    def __init__(self, home: Path) -> None:
        self.path = home / "desired.json"
        self._bundles = home / "bundles"

    def read(self) -> DesiredState | None:
        """The document that was written last, None if none was.

        Raises `DocumentError`, `IntegrityError`, `LimitError` or `StoreError` if it can't be read.
        """
        try:
            data = beneath.read_own(self.path, MAX_BYTES)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(f"can't be read ({error.strerror})", where=str(self.path)) from error
        return DesiredState.parse(data, where=str(self.path), bundles=self._bundles)

    def write(self, desired: DesiredState) -> None:
        """Keep a document, durably; `DiskFullError` or `StoreError`. What a crash left of an earlier one is removed."""
        for left in self.path.parent.glob(f".{self.path.name}.*.partial"):
            left.unlink(missing_ok=True)
        durable.write_bytes(self.path, desired.to_bytes(), mode=durable.PRIVATE_MODE)
