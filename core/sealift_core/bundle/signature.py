"""model.sig: an OpenSSF Model Signing 1.0 signature over every other file of a bundle.

A Sigstore bundle with a DSSE envelope over an in-toto statement whose resources are the files with their digests.
Source: https://github.com/sigstore/model-transparency (model signing format 1.0). The public ``model_signing`` tool
verifies what `sign_directory` writes, and `sealift_core.verify.check` verifies what that tool writes with a key.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from sealift_core import beneath, durable
from sealift_core.bundle import files
from sealift_core.bundle.digest import Digest
from sealift_core.bundle.limits import LIMITS
from sealift_core.errors import DocumentError, SignatureError
from sealift_core.schema.documents import Document, Json, canonical_json
from sealift_core.schema.strict_json import ENVELOPE_BUDGET
from sealift_core.signing.dsse import Envelope
from sealift_core.signing.keys import PublicKey, Signer

BUNDLE_TYPE: Final = "application/vnd.dev.sigstore.bundle.v0.3+json"
BUNDLE_FAMILY: Final = "application/vnd.dev.sigstore.bundle"
PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE: Final = "https://model_signing/signature/v1.0"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What a signature covers.

    Attributes:
        name: The subject: the model's name, say.
        resources: Every file of the bundle with its digest, in the order listed.
    """

    name: str
    resources: Mapping[str, Digest]

    @property
    def root(self) -> str:
        """Hex SHA-256 over the files' raw digests in listed order."""
        raw = b"".join(bytes.fromhex(digest.hex) for digest in self.resources.values())
        return hashlib.sha256(raw).hexdigest()

    def to_bytes(self) -> bytes:
        """Write the in-toto statement. Source: model signing format 1.0; in-toto attestation framework, Statement v1."""
        resources: list[Json] = [{"name": name, "algorithm": "sha256", "digest": digest.hex} for name, digest in self.resources.items()]
        serialization = {"method": "files", "hash_type": "sha256", "allow_symlinks": False, "ignore_paths": [files.SIGNATURE]}
        return canonical_json(
            {
                "_type": STATEMENT_TYPE,
                "subject": [{"name": self.name, "digest": {"sha256": self.root}}],
                "predicateType": PREDICATE_TYPE,
                "predicate": {"serialization": serialization, "resources": resources},
            }
        )

    @classmethod
    def parse(cls, data: bytes, *, where: str) -> Statement:
        """Read an in-toto statement whose signature was already checked.

        Args:
            data: The payload of the envelope.
            where: What errors call it.

        Returns:
            The statement.

        Raises:
            SignatureError: If it isn't about one model, or its root isn't that of its files.
            DocumentError: If it isn't a statement of Model Signing 1.0 over files by sha256.
            LimitError: If it is larger than its bound, or lists too many files.
        """
        document = Document.parse_json(data, where=where, max_bytes=LIMITS.signature_bytes)
        document.text("_type", one_of=(STATEMENT_TYPE,))
        document.text("predicateType", one_of=(PREDICATE_TYPE,))
        subject = _only(document.documents("subject", max_items=1), where)
        predicate = document.document("predicate")
        serialization = predicate.document("serialization")
        serialization.text("method", one_of=("files",))
        serialization.text("hash_type", one_of=("sha256",))
        entries = predicate.documents("resources", max_items=LIMITS.files)
        resources = {entry.text("name", max_characters=LIMITS.path_characters): _digest(entry) for entry in entries}
        statement = cls(name=subject.text("name"), resources=resources)
        if len(resources) != len(entries) or subject.document("digest").text("sha256") != statement.root:
            raise SignatureError("the statement contradicts itself", where=where, expected=f"root {statement.root}")
        return statement


def _only(subjects: list[Document], where: str) -> Document:
    if len(subjects) != 1:
        raise SignatureError("not a statement about one model", where=where, expected="one subject", found=str(len(subjects)))
    return subjects[0]


def _digest(resource: Document) -> Digest:
    resource.text("algorithm", one_of=("sha256",))
    return Digest.parse("sha256:" + resource.text("digest", max_characters=64), where=resource.where)


def encode_signature(statement: Statement, signer: Signer) -> bytes:
    """Sign a statement.

    Args:
        statement: What to sign.
        signer: Who signs.

    Returns:
        The bytes of ``model.sig``, a Sigstore bundle 0.3.
    """
    envelope = Envelope.sign(PAYLOAD_TYPE, statement.to_bytes(), signer)
    hint = signer.public_key.fingerprint
    material = {"publicKey": {"hint": hint}, "tlogEntries": []}
    return canonical_json({"mediaType": BUNDLE_TYPE, "verificationMaterial": material, "dsseEnvelope": envelope.json()})


def decode_signature(data: bytes, key: PublicKey, *, where: str = files.SIGNATURE) -> Statement:
    """Read ``model.sig``; nothing of the statement is parsed before the signature over it holds.

    Args:
        data: The file's bytes.
        key: Who must have signed it.
        where: What errors call the file.

    Returns:
        The statement.

    Raises:
        SignatureError: If it isn't signed by ``key``, or the statement contradicts itself.
        DocumentError: If it isn't a Sigstore bundle 0.3 with such a statement.
        LimitError: If it is larger than its bound.
    """
    document = Document.parse_json(data, where=where, max_bytes=LIMITS.signature_bytes, budget=ENVELOPE_BUDGET)
    media_type = document.text("mediaType", max_characters=200)
    if not (media_type.startswith(BUNDLE_FAMILY) and "v0.3" in media_type):
        raise DocumentError(
            "not a kind of signature that this version reads", where=f"{where}: mediaType", expected=BUNDLE_TYPE, found=repr(media_type)
        )
    envelope = Envelope.parse(document.document("dsseEnvelope"))
    return Statement.parse(envelope.open(key, PAYLOAD_TYPE, where=where), where=where)


def sign_directory(directory: Path, name: str, signer: Signer) -> None:
    """Write ``model.sig`` over all files of a bundle directory, durably.

    Args:
        directory: The bundle's folder; a signature that is there is replaced.
        name: The subject of the statement.
        signer: Who signs.

    Raises:
        IntegrityError: If the directory isn't exactly a bundle's.
        LimitError: If there are too many files, or too large ones.
        StoreError: If the signature can't be written; `DiskFullError` if there is no room.
        OSError: If a file can't be read.
    """
    listed = files.list_files(directory)
    resources = {path: _hash(directory, path) for path in listed if path != files.SIGNATURE}
    durable.write_bytes(directory / files.SIGNATURE, encode_signature(Statement(name=name, resources=resources), signer))


def _hash(directory: Path, name: str) -> Digest:
    """The digest of a file that `files.list_files` listed, and whose size it found within the limits."""
    with beneath.open_file(directory, *name.split("/")) as file:
        size = beneath.size_bytes(file)
        files.check_sizes({name: size}, where=str(directory))
        return Digest(beneath.hash_open(file, size, where=str(directory / name)))
