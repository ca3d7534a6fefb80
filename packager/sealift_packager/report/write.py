"""report.html and report.json in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from sealift_core import durable
from sealift_core.schema.documents import canonical_json
from sealift_packager.report.facts import report_facts
from sealift_packager.report.page import page

if TYPE_CHECKING:
    from sealift_packager.build.packed import Packed

HTML: Final = "report.html"
JSON: Final = "report.json"


def write_report(packed: Packed, directory: Path) -> None:
    """Write both files, making the folder; `StoreError` if it can't be written."""
    facts = report_facts(packed)
    durable.write_bytes(directory / JSON, canonical_json(facts))
    durable.write_bytes(directory / HTML, page(facts).encode())
