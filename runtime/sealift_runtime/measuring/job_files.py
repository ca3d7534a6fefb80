"""The files of one job, received piece by piece."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from sealift_core.bundle.digest import Digest
from sealift_core.durable import translate_disk_errors
from sealift_core.errors import IntegrityError, LimitError, NotFoundError


class JobFiles:
    """A folder that takes the ``expected`` files, by digest, with their sizes in bytes; nothing in it outlives the job."""

    def __init__(self, folder: Path, expected: Mapping[Digest, int]) -> None:
        self._folder = folder
        self._expected = expected
        self._sizes = dict.fromkeys(expected, 0)
        with translate_disk_errors(folder):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True, mode=0o700)

    def receive(self, digest: Digest, offset: int, data: bytes) -> None:
        """Add a piece, which begins where the one before ended. The last one proves the whole.

        Raises `NotFoundError` for a file that isn't the job's, `IntegrityError` for a gap or another content, `LimitError` for a byte too much.
        """
        if digest not in self._expected:
            raise NotFoundError("the job has no such file", where=str(digest))
        size, expected = self._sizes[digest], self._expected[digest]
        if offset != size:
            raise IntegrityError(
                "a piece of the file is missing or was sent twice",
                where=str(digest),
                expected=f"the piece at byte {size}",
                found=f"the one at byte {offset}",
            )
        if size + len(data) > expected:
            raise LimitError("the file is larger than announced", where=str(digest), expected=f"{expected} bytes")
        path = self._path(digest)
        with translate_disk_errors(path), path.open("ab") as file:
            file.write(data)
        self._sizes[digest] = size + len(data)
        if self._sizes[digest] == expected and Digest.of_file(path) != digest:
            path.unlink()
            self._sizes[digest] = 0
            raise IntegrityError("the content differs from what was signed", where=str(digest))

    def get(self, digest: Digest) -> Path:
        """A file that is here whole; else `NotFoundError`."""
        if digest not in self._expected or self._sizes[digest] != self._expected[digest]:
            raise NotFoundError("the file wasn't sent completely", where=str(digest))
        return self._path(digest)

    def add(self, name: str, data: bytes) -> Path:
        """Write a file of our own beside them, which goes with them."""
        path = self._folder / name
        with translate_disk_errors(path):
            path.write_bytes(data)
        return path

    def clear(self) -> None:
        """Delete everything."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _path(self, digest: Digest) -> Path:
        return self._folder / digest.hex
