"""What the hub answers to reports: up to which number it has them, signed by the hub, so a device can let those go.

A receipt is a DSSE envelope with payload type `PAYLOAD_TYPE` in a document that also has the hub's public key, by which a device checks it if it
pinned that key. What stands beside the envelope is for agents of before, which read nothing else; today's read only what is signed.
"""

from __future__ import annotations

import dataclasses
from typing import Final

from sealift_core.errors import KeyFileError, SignatureError
from sealift_core.messages.report import DEVICE_ID
from sealift_core.schema.documents import Document, Json, canonical_json
from sealift_core.signing.dsse import Envelope
from sealift_core.signing.keys import PublicKey, Signer

SCHEMA: Final = "sealift.receipt"
PAYLOAD_TYPE: Final = "application/vnd.sealift.receipt.v1+json"
MAX_BYTES: Final = 64 * 1024
#: What ``sealift-hub init`` prints and devices pin: the SHA-256 of the hub's public key in PEM form, in hex.
FINGERPRINT: Final = r"[0-9a-f]{64}"
_UNSIGNED_ADVICE: Final = "Update the hub: hubs sign their receipts now. No report was dropped."
_FOREIGN_ADVICE: Final = (
    "If the hub has a new key, or this device reports to another hub now, compare the fingerprint with the one that sealift-hub init prints there, "
    "and pass it to sealift-agent init --hub-key. If not, somebody forged the receipt. No report was dropped."
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """How far the hub has a device's reports.

    Attributes:
        device: The device's id.
        acknowledged: The hub has every report up to and including this number; 0 for none yet.
    """

    device: str
    acknowledged: int

    @classmethod
    def parse(cls, data: bytes, *, where: str) -> Receipt:
        """Read a receipt, signed or not.

        Args:
            data: Its bytes.
            where: What errors call it.

        Returns:
            The receipt.

        Raises:
            DocumentError: If it can't be read; `UnsupportedSchemaError` if it is of another major version.
            LimitError: If it is larger than its bound.
        """
        document = Document.parse_json(data, where=where, max_bytes=MAX_BYTES)
        document.schema(SCHEMA, 1)
        return cls(device=document.text("device", pattern=DEVICE_ID), acknowledged=document.integer("acknowledged", minimum=0))

    def json(self) -> dict[str, Json]:
        """Write the receipt as a JSON value."""
        return {"schema": f"{SCHEMA}/1", "device": self.device, "acknowledged": self.acknowledged}

    def to_bytes(self) -> bytes:
        """Write the document that is signed; `parse` gives an equal receipt back."""
        return canonical_json(self.json())


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SignedReceipt:
    """A receipt whose signature holds.

    Attributes:
        receipt: What the hub signed.
        key: The hub's key, which signed it.
    """

    receipt: Receipt
    key: PublicKey


def seal_receipt(receipt: Receipt, signer: Signer) -> bytes:
    """Sign a receipt.

    Args:
        receipt: The receipt.
        signer: The hub's key.

    Returns:
        The document: what the hub answers over HTTP, and what it leaves on a medium.
    """
    envelope = Envelope.sign(PAYLOAD_TYPE, receipt.to_bytes(), signer)
    return canonical_json(receipt.json() | {"key": signer.public_key.pem().decode(), "signed": envelope.json()})


def open_receipt(data: bytes, pinned: str | None, *, where: str) -> SignedReceipt:
    """Check a signed receipt, and read what was signed.

    1. It is a receipt's document.
    2. It has an envelope, and the key that is said to have signed it.
    3. The key is the one that the device pinned, if it did.
    4. The envelope is signed by that key as a receipt.

    Args:
        data: The document's bytes.
        pinned: The fingerprint of the hub's key; None if no key is pinned yet.
        where: What errors call it.

    Returns:
        The receipt and the key. What stands outside the envelope doesn't count.

    Raises:
        DocumentError: If it can't be read (rule 1); `UnsupportedSchemaError` if it is of another major version.
        SignatureError: If it isn't signed, or not by the pinned key (rules 2 to 4).
        LimitError: If it is larger than its bound.
    """
    Receipt.parse(data, where=where)  # 1
    document = Document.parse_json(data, where=where, max_bytes=MAX_BYTES)
    if not document.has("signed") or not document.has("key"):  # 2
        raise SignatureError("the receipt isn't signed", where=where, expected="a receipt signed by the hub's key", advice=_UNSIGNED_ADVICE)
    try:
        key = PublicKey.from_pem(document.text("key", max_characters=MAX_BYTES).encode(), where=f"{where}: key")
    except KeyFileError as error:
        raise SignatureError("the receipt's key can't be read", where=where, advice="No report was dropped.") from error
    if pinned is not None and key.fingerprint != pinned:  # 3
        raise SignatureError(
            "the receipt is signed by another key than the hub's", where=where, expected=pinned, found=key.fingerprint, advice=_FOREIGN_ADVICE
        )
    envelope = Envelope.parse(document.document("signed"))
    receipt = Receipt.parse(envelope.open(key, PAYLOAD_TYPE, where=where), where=where)  # 4
    return SignedReceipt(receipt=receipt, key=key)
