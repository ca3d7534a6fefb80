"""The hub's key as this device knows it: receipts signed by any other key let nothing go.

1. A key that the operator named (``hub.key`` in agent.toml, from ``init --hub-key`` or a site kit) is the one, from the first receipt on.
2. Without one, the first receipt that comes over the network pins its key (trust on first use), and from then on no other is taken.
3. A medium pins nothing: whoever carries it could be the first.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

from sealift_core import durable
from sealift_core.errors import SignatureError
from sealift_core.messages.receipt import Receipt, open_receipt
from sealift_core.signing.keys import PublicKey


class HubKey:
    """The pin of one device.

    ``path`` is where a key that was pinned on first use is kept; ``configured`` is the fingerprint that the operator named, empty for none;
    ``on_first_use`` is told of a key that is pinned now.
    """

    def __init__(self, path: Path, configured: str = "", on_first_use: Callable[[PublicKey], None] | None = None) -> None:
        self._path = path
        self._configured = configured
        self._on_first_use = on_first_use

    @functools.cached_property
    def fingerprint(self) -> str | None:
        """The pinned key's; None as long as there is none. `KeyFileError` if the file was damaged."""
        if self._configured:
            return self._configured
        return PublicKey.load(self._path).fingerprint if self._path.is_file() else None

    @property
    def first_use(self) -> bool:
        """Whether nobody named the key: it was pinned, or will be, by the first receipt."""
        return not self._configured

    def open_answer(self, data: bytes, *, where: str) -> Receipt:
        """Check a receipt that the hub answered with; the first one pins its key.

        Raises `SignatureError` for one that isn't signed or is by another key, `DocumentError`, `LimitError`, `StoreError` if the pin can't be kept.
        """
        opened = open_receipt(data, self.fingerprint, where=where)
        if self.fingerprint is None:
            durable.write_bytes(self._path, opened.key.pem(), mode=durable.PRIVATE_MODE)
            self.__dict__["fingerprint"] = opened.key.fingerprint
            if self._on_first_use:
                self._on_first_use(opened.key)
        return opened.receipt

    def open_carried(self, data: bytes, *, where: str) -> Receipt:
        """Check a receipt that came on a medium; as `open_answer`, but it can't be the first."""
        if self.fingerprint is None:
            raise SignatureError(
                "this device doesn't know the hub's key, so it can't check the receipt",
                where=where,
                advice="Pass the fingerprint that sealift-hub init prints to sealift-agent init --hub-key, or use a site kit that was built with "
                "--hub-key. No report was dropped.",
            )
        return open_receipt(data, self.fingerprint, where=where).receipt
