"""DSSE 1.0: a payload with its type, and signatures over both.

Source: https://github.com/secure-systems-lab/dsse/blob/master/protocol.md. The signed message is the
pre-authentication encoding, whose lengths count bytes.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses

from sealift_core.errors import DocumentError, SignatureError
from sealift_core.schema.documents import Document, Json
from sealift_core.signing.keys import PublicKey, Signer

MAX_SIGNATURES = 16
MAX_ENCODED_CHARACTERS = 2**26


def pre_authentication_encoding(payload_type: str, payload: bytes) -> bytes:
    """The bytes that are signed: ``DSSEv1 LEN(type) type LEN(payload) payload``."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A payload, its media type, and DER signatures; nothing of the payload is parsed yet."""

    payload_type: str
    payload: bytes
    signatures: tuple[bytes, ...]

    @classmethod
    def sign(cls, payload_type: str, payload: bytes, signer: Signer) -> Envelope:
        """Wrap and sign a payload."""
        message = pre_authentication_encoding(payload_type, payload)
        return cls(payload_type=payload_type, payload=payload, signatures=(signer.sign(message),))

    @classmethod
    def parse(cls, document: Document) -> Envelope:
        """Read an envelope; `DocumentError` if it isn't one."""
        rows = document.documents("signatures", max_items=MAX_SIGNATURES)
        return cls(
            payload_type=document.text("payloadType", max_characters=200),
            payload=_decode(document, "payload"),
            signatures=tuple(_decode(row, "sig") for row in rows),
        )

    def json(self) -> dict[str, Json]:
        """The envelope as a JSON value."""
        return {
            "payloadType": self.payload_type,
            "payload": base64.b64encode(self.payload).decode(),
            "signatures": [{"sig": base64.b64encode(signature).decode(), "keyid": ""} for signature in self.signatures],
        }

    def open(self, key: PublicKey, payload_type: str, *, where: str) -> bytes:
        """The payload, once its type is the expected one and a signature of ``key`` covers it.

        Raises `SignatureError`; ``where`` names what carries the envelope.
        """
        if self.payload_type != payload_type:
            raise SignatureError("signed as something else", where=where, expected=payload_type, found=self.payload_type)
        if not self.signatures:
            raise SignatureError("not signed", where=where)
        message = pre_authentication_encoding(self.payload_type, self.payload)
        for signature in self.signatures[:-1]:
            try:
                key.verify(signature, message, where=where)
            except SignatureError:
                continue
            return self.payload
        key.verify(self.signatures[-1], message, where=where)
        return self.payload


def _decode(document: Document, key: str) -> bytes:
    text = document.text(key, max_characters=MAX_ENCODED_CHARACTERS)
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise DocumentError("not base64", where=f"{document.where}.{key}") from error
