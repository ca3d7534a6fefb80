"""hub.toml, beside the hub's database: what its operator decides."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Final

from sealift_core import beneath, durable
from sealift_core.schema.documents import Document
from sealift_hub.limits import DEFAULT_LIMITS, Limits

FILE_NAME: Final = "hub.toml"
MAX_CONFIG_BYTES: Final = 64 * 1024
MAX_DEVICES: Final = 1_000_000
MAX_DAYS: Final = 36_500


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class HubConfig:
    """hub.toml as a value.

    ``devices`` is how many may enrol. ``retention_days`` is how long windows, events and the text of reports are kept after they came, 0 for ever.
    """

    devices: int = DEFAULT_LIMITS.devices
    retention_days: float = 0.0

    @property
    def limits(self) -> Limits:
        """The bounds of what comes from outside, as configured."""
        return dataclasses.replace(DEFAULT_LIMITS, devices=self.devices)

    @classmethod
    def parse(cls, data: bytes, *, where: str) -> HubConfig:
        """Read hub.toml; unknown fields are refused with the nearest spelling. `DocumentError`, `LimitError`."""
        document = Document.parse_toml(data, where=where, max_bytes=MAX_CONFIG_BYTES)
        enrolment, retention, default = document.document("enrolment", {}), document.document("retention", {}), cls()
        config = cls(
            devices=enrolment.integer("devices", default.devices, minimum=0, maximum=MAX_DEVICES),
            retention_days=retention.number("days", default.retention_days, minimum=0, maximum=MAX_DAYS),
        )
        for table in (enrolment, retention, document):
            table.refuse_unknown()
        return config

    @classmethod
    def load(cls, directory: Path) -> HubConfig:
        """That of a data directory; the defaults where there is no file."""
        path = directory / FILE_NAME
        return cls.parse(beneath.read_own(path, MAX_CONFIG_BYTES), where=str(path)) if path.exists() else cls()

    def to_toml(self) -> str:
        """hub.toml's text, every field with its value, so that whoever edits it sees what there is."""
        return f"[enrolment]\ndevices = {self.devices}\n\n[retention]\ndays = {self.retention_days}\n"

    def save_new(self, directory: Path) -> None:
        """Write the file unless there is one."""
        if not (directory / FILE_NAME).exists():
            durable.write_bytes(directory / FILE_NAME, self.to_toml().encode())
