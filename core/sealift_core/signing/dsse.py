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
    """Encode what is signed: ``DSSEv1 LEN(type) type LEN(payload) payload``. Source: DSSE 1.0, ``protocol.md``.

    Args:
        payload_type: The payload's media type.
        payload: The payload.

    Returns:
        The bytes that a signature is over.
    """
    encoded_type = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(encoded_type), encoded_type, len(payload), payload)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A payload with signatures; nothing of the payload is parsed yet.

    Attributes:
        payload_type: The payload's media type.
        payload: Its bytes.
        signatures: DER-encoded ECDSA signatures, unchecked.
    """

    payload_type: str
    payload: bytes
    signatures: tuple[bytes, ...]

    @classmethod
    def sign(cls, payload_type: str, payload: bytes, signer: Signer) -> Envelope:
        """Wrap and sign a payload.

        Args:
            payload_type: Its media type, which is signed too.
            payload: Its bytes.
            signer: Who signs.

        Returns:
            An envelope with one signature.
        """
        message = pre_authentication_encoding(payload_type, payload)
        return cls(payload_type=payload_type, payload=payload, signatures=(signer.sign(message),))

    @classmethod
    def parse(cls, document: Document) -> Envelope:
        """Read an envelope.

        Args:
            document: Its table.

        Returns:
            The envelope; its signatures aren't checked (`open` does that).

        Raises:
            DocumentError: If a field is missing, of another type, or not base64.
            LimitError: If the payload or the list of signatures is larger than its bound.
        """
        tables = document.documents("signatures", max_items=MAX_SIGNATURES)
        return cls(
            payload_type=document.text("payloadType", max_characters=200),
            payload=_decode(document, "payload"),
            signatures=tuple(_decode(table, "sig") for table in tables),
        )

    def json(self) -> dict[str, Json]:
        """Write the envelope as a JSON value."""
        return {
            "payloadType": self.payload_type,
            "payload": base64.b64encode(self.payload).decode(),
            "signatures": [{"sig": base64.b64encode(signature).decode(), "keyid": ""} for signature in self.signatures],
        }

    def open(self, key: PublicKey, payload_type: str, *, where: str) -> bytes:
        """Check the signature, then give the payload out.

        Args:
            key: Who must have signed it; one of several signatures is enough.
            payload_type: The media type that it must have.
            where: What errors call the thing that carries the envelope.

        Returns:
            The payload.

        Raises:
            SignatureError: If it is of another type, isn't signed, or not by ``key``.
        """
        if self.payload_type != payload_type:
            raise SignatureError("the signed content is of another type", where=where, expected=payload_type, found=self.payload_type)
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
