"""How much an archive from outside may hold, whatever it says of itself."""

from __future__ import annotations

from typing import Final

MAX_MEMBERS: Final = 100_000
MAX_DIRECTORY_BYTES: Final = 32 * 2**20
MAX_BYTES: Final = 64 * 2**30
#: A member, or a whole archive, that unpacks to more than this is refused if it is packed tighter than `MAX_RATIO`: real weights and rows don't
#: shrink so.
SMALL_BYTES: Final = 64 * 2**20
MAX_RATIO: Final = 200
CHUNK_BYTES: Final = 2**20
