"""sha256 digests, written ``sha256:HEX`` as OCI does."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import re
from pathlib import Path

from sealift_core import beneath
from sealift_core.errors import DocumentError, IntegrityError

_PATTERN = re.compile(r"sha256:([0-9a-f]{64})")


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Digest:
    """A sha256 digest.

    Attributes:
        hex: Its 64 lower-case hex digits.

    Raises:
        DocumentError: If ``hex`` is anything else.
    """

    hex: str

    def __post_init__(self) -> None:
        if not _PATTERN.fullmatch(f"sha256:{self.hex}"):
            raise DocumentError("not a digest", expected="64 lower-case hex digits", found=repr(self.hex[:80]))

    @classmethod
    def parse(cls, text: str, *, where: str = "digest") -> Digest:
        """Read ``sha256:HEX``, as OCI writes digests.

        Args:
            text: What is written.
            where: What errors call the place where it is written.

        Returns:
            The digest.

        Raises:
            DocumentError: If it isn't ``sha256:`` and 64 lower-case hex digits.
        """
        match = _PATTERN.fullmatch(text)
        if match is None:
            raise DocumentError("not a digest", where=where, expected="sha256: and 64 lower-case hex digits", found=repr(text[:80]))
        return cls(match[1])

    @classmethod
    def of(cls, data: bytes) -> Digest:
        """Compute the digest of some bytes.

        Args:
            data: The bytes.

        Returns:
            Their digest.
        """
        return cls(hashlib.sha256(data).hexdigest())

    @classmethod
    def of_file(cls, path: Path) -> Digest:
        """Compute the digest of a whole file that a person named; what should have a certain size is checked by ``beneath.hash_open``.

        Args:
            path: The file; links are followed.

        Returns:
            The digest of its content.

        Raises:
            OSError: If it can't be read.
        """
        with path.open("rb") as file:
            return cls.of_stream(file)

    @classmethod
    def of_stream(cls, file: io.BufferedReader) -> Digest:
        """Compute the digest of what is left to read of a binary file.

        Args:
            file: The open file, which is then at its end.

        Returns:
            The digest.

        Raises:
            OSError: If it can't be read.
        """
        return cls(beneath.hash_rest(file)[0])

    def check(self, data: bytes, *, where: str) -> bytes:
        """Check that bytes are the ones that the digest stands for.

        Args:
            data: The bytes.
            where: What errors call them.

        Returns:
            ``data`` itself.

        Raises:
            IntegrityError: If they have another digest.
        """
        digest = Digest.of(data)
        if digest != self:
            raise IntegrityError("the content was changed", where=where, expected=str(self), found=str(digest))
        return data

    def __str__(self) -> str:
        return f"sha256:{self.hex}"
