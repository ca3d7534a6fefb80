"""The roles of a repository's TUF metadata, and what Sealift adds to it."""

from __future__ import annotations

from typing import Final

ROOT: Final = "root"
TIMESTAMP: Final = "timestamp"
SNAPSHOT: Final = "snapshot"
TARGETS: Final = "targets"
#: Delegated by targets: which version each channel points to.
CHANNELS: Final = "channels"
#: A field of ours in the signed part of any role: when it was signed, as RFC 3339. Sets the floor of a device's time.
SIGNED_AT_FIELD: Final = "dev.sealift.signed-at"
#: A field of ours in role targets: when releases were withdrawn, as RFC 3339 by ``NAME/VERSION``. They are no targets any more.
WITHDRAWN_FIELD: Final = "dev.sealift.withdrawn"
