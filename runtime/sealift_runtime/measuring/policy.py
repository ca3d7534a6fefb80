"""What a device measures for others. Pure."""

from __future__ import annotations

import dataclasses

from sealift_core.errors import ConfigurationError, SignatureError
from sealift_core.messages.measuring import MAX_DOCUMENT_BYTES
from sealift_core.schema.documents import Document
from sealift_core.schema.strict_json import ENVELOPE_BUDGET
from sealift_core.signing.dsse import Envelope
from sealift_core.signing.keys import PublicKey


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MeasuringPolicy:
    """Who may ask (``trusted_keys`` are fingerprints), and for how much.

    ``max_bytes`` is all that a job may send, ``max_s`` how long it may take from its beginning to its end, ``memory_bytes`` what a candidate
    may allocate, ``reserve_bytes`` what stays free on the disk; without ``sandbox`` what is measured has limits, but no walls.
    """

    enabled: bool
    trusted_keys: tuple[str, ...]
    max_bytes: int
    max_s: float
    memory_bytes: int
    reserve_bytes: int
    sandbox: bool = True

    def require(self) -> None:
        """Raise `ConfigurationError` unless this device measures at all."""
        if not self.enabled:
            raise ConfigurationError(
                "this device doesn't accept measuring jobs",
                advice="To allow them, its operator sets measuring.enabled = true in agent.toml, and adds your key's fingerprint to "
                "measuring.trusted_keys.",
            )

    def open(self, request: bytes, payload_type: str) -> bytes:
        """The payload of a signed request, ``{"key": PEM, "envelope": DSSE}``.

        1. This device measures for others.
        2. The key is one that it trusts for that.
        3. The key signed the payload, as this type.

        Raises `ConfigurationError`, `DocumentError` or `SignatureError`.
        """
        self.require()  # 1
        document = Document.parse_json(request, where="measuring request", max_bytes=2 * MAX_DOCUMENT_BYTES, budget=ENVELOPE_BUDGET)
        key = PublicKey.from_pem(document.text("key", max_characters=10_000).encode(), where="measuring request: key")
        if key.fingerprint not in self.trusted_keys:  # 2
            raise SignatureError(
                "this device doesn't accept measuring jobs from this key",
                where="measuring request",
                found=key.fingerprint,
                advice="If the key is yours, ask the device's operator to add this fingerprint to measuring.trusted_keys in agent.toml.",
            )
        return Envelope.parse(document.document("envelope")).open(key, payload_type, where="measuring request")  # 3
