"""Nonces that need no memory until one is used: a stranger who asks for many pushes nobody else's out."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Final

from sealift_core.errors import BusyError, SignatureError

#: How long a nonce waits for its job.
NONCE_S: Final = 60
#: Only jobs signed by a trusted key are remembered, and only while their nonce would hold.
MAX_USED: Final = 1024
_TIME_BYTES: Final = 4
_RANDOM_BYTES: Final = 4
_TAG_BYTES: Final = 8


class Nonces:
    """Gives and takes nonces: 16 bytes in hex, of which 4 are the second, 4 random, and 8 prove that this process gave it.

    A process that starts anew has another secret, so what was given before holds no more. Not safe to use from several threads at once.
    """

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(32)
        self._used: dict[str, float] = {}

    def give(self, now: float) -> str:
        """A nonce that holds for `NONCE_S` from ``now`` (monotonic seconds)."""
        body = int(now).to_bytes(_TIME_BYTES, "big") + secrets.token_bytes(_RANDOM_BYTES)
        return (body + self._tag(body)).hex()

    def take(self, nonce: str, now: float) -> None:
        """Use a nonce, once.

        1. This process gave it.
        2. That wasn't too long ago.
        3. It wasn't used before.

        Raises `SignatureError`, or `BusyError` if too many were used in the last minute.
        """
        body, tag = bytes.fromhex(nonce)[:-_TAG_BYTES], bytes.fromhex(nonce)[-_TAG_BYTES:]
        age = int(now) - int.from_bytes(body[:_TIME_BYTES], "big")
        given = hmac.compare_digest(tag, self._tag(body))  # 1
        if not given or not 0 <= age < NONCE_S or nonce in self._used:  # 2, 3
            raise SignatureError("the job's nonce was already used, or has expired", where="measuring job", advice="Request a new one.")
        self._used = {name: until for name, until in self._used.items() if until > now}
        if len(self._used) >= MAX_USED:
            raise BusyError("too many jobs in a minute", where="measuring job", advice="Try again in a minute.")
        self._used[nonce] = now + NONCE_S

    def _tag(self, body: bytes) -> bytes:
        return hmac.new(self._secret, body, hashlib.sha256).digest()[:_TAG_BYTES]
