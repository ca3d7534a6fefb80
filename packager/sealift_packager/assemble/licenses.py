"""How CycloneDX wants a license: SPDX identifiers as ``id``, everything else as ``name``. Pure."""

from __future__ import annotations

from typing import Final

from sealift_core.schema.documents import Json

#: The identifiers that models are published under most; another one is given as a name, which is valid too. https://spdx.org/licenses/
SPDX: Final = frozenset(
    {
        "0BSD", "AGPL-3.0-only", "AGPL-3.0-or-later", "Apache-2.0", "Artistic-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC-BY-4.0",
        "CC-BY-NC-4.0", "CC-BY-NC-ND-4.0", "CC-BY-NC-SA-4.0", "CC-BY-SA-4.0", "CC0-1.0", "ECL-2.0", "EPL-2.0", "EUPL-1.2", "GPL-2.0-only",
        "GPL-2.0-or-later", "GPL-3.0-only", "GPL-3.0-or-later", "ISC", "LGPL-2.1-only", "LGPL-2.1-or-later", "LGPL-3.0-only",
        "LGPL-3.0-or-later", "MIT", "MIT-0", "MPL-2.0", "MS-PL", "Unlicense", "Zlib",
    }
)  # fmt: skip


def licenses(name: str) -> list[Json]:
    """The ``licenses`` of a component; empty if none was stated."""
    if not name:
        return []
    return [{"license": {"id": name} if name in SPDX else {"name": name}}]
