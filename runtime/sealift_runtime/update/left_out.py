"""Which releases a site kit was built without, on purpose."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sealift_core.errors import DocumentError, IntegrityError, LimitError, TransportError
from sealift_core.messages.kit import KIT_FILE, MAX_BYTES, KitContents
from sealift_runtime.transport.base import Transport, read_bounded


def left_out(transport: Callable[[], Transport], releases: Iterable[tuple[str, str]]) -> frozenset[tuple[str, str]]:
    """Of some releases, those that the place to read from, a kit, doesn't have and needn't have.

    Args:
        transport: Opens the place; asked only if there are any.
        releases: Their names and versions.

    Returns:
        The names and versions of those that were left out. None where there is no readable kit.json, as in a whole repository: what it says only
        spares an attempt that would fail.
    """
    wanted = frozenset(releases)
    if not wanted:
        return wanted
    try:
        contents = KitContents.parse(read_bounded(transport(), KIT_FILE, MAX_BYTES), where=KIT_FILE)
    except (TransportError, DocumentError, IntegrityError, LimitError):
        return frozenset()
    return wanted - frozenset(contents.releases)
