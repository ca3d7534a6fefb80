"""Files that are packed whole (zlib, gzip, bzip2, xz), as joblib writes them: what they unpack to is bounded before it is used."""

from __future__ import annotations

import bz2
import contextlib
import lzma
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, Final

from sealift_packager.archives.limits import MAX_RATIO, SMALL_BYTES
from sealift_packager.errors import PackagerError, SourceModelError

#: How packed files begin, and what unpacks them. joblib's other packer, lz4, is no part of Python.
_UNPACKERS: Final[dict[bytes, Callable[[], Any]]] = {
    **dict.fromkeys((b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda"), zlib.decompressobj),
    b"\x1f\x8b": lambda: zlib.decompressobj(wbits=31),
    b"BZh": bz2.BZ2Decompressor,
    b"\xfd7zXZ": lzma.LZMADecompressor,
    b"\x5d\x00\x00": lzma.LZMADecompressor,
}
#: Little at a time: bzip2 makes 45,000 bytes of one.
_READ_BYTES: Final = 4096
_DAMAGED: Final = (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError)


def check_packed(path: Path) -> None:
    """Unpack a packed file without keeping anything; `SourceModelError` once it is far more than it was.

    One that is damaged is left to its reader.
    """
    with path.open("rb") as file:
        make = _unpacker(file)
        if make is None:
            return
        read, total = 0, 0
        try:
            for packed_bytes, unpacked in _unpack(file, make):
                read, total = read + packed_bytes, total + len(unpacked)
                if total > SMALL_BYTES and total > MAX_RATIO * read:
                    raise SourceModelError(
                        "the compressed file unpacks to far more than its own size",
                        where=str(path),
                        expected=f"at most {MAX_RATIO} times its packed size",
                        found=f"{read:,} bytes that unpack to {total:,} and more",
                    )
        except _DAMAGED:
            return


def unpacked_head(path: Path, most: int) -> bytes:
    """The first bytes of what is in a file, packed or not, about as many as ``most``; fewer if it is damaged."""
    with path.open("rb") as file:
        make = _unpacker(file)
        if make is None:
            return file.read(most)
        head = bytearray()
        with contextlib.suppress(*_DAMAGED):
            for _, unpacked in _unpack(file, make):
                head += unpacked
                if len(head) >= most:
                    break
        return bytes(head)


def unpack_in_place(path: Path, most: int, error: type[PackagerError]) -> None:
    """Put what is in a packed file of ours in its place; ``error`` if it isn't packed whole, is damaged, or unpacks to more than ``most`` bytes."""
    target = path.with_name(f"{path.name}.unpacked")
    with path.open("rb") as file, target.open("xb") as out:
        make = _unpacker(file)
        if make is None:
            raise error("the file is not compressed, though its name says so", where=str(path), expected="gzip, bzip2 or xz", advice="Rename it.")
        read, total = 0, 0
        try:
            for packed_bytes, unpacked in _unpack(file, make):
                read, total = read + packed_bytes, total + len(unpacked)
                bound = min(most, max(SMALL_BYTES, MAX_RATIO * read))
                if total > bound:
                    found = f"{read:,} bytes that unpack to {total:,} and more"
                    raise error("too much data", where=str(path), expected=f"at most {bound:,} bytes", found=found)
                out.write(unpacked)
        except _DAMAGED as reason:
            if isinstance(reason, OSError) and reason.errno is not None:
                raise
            raise error("the compressed file is damaged or cut off", where=str(path), advice="Compress it again.") from reason
    target.replace(path)


def _unpacker(file: IO[bytes]) -> Callable[[], Any] | None:
    """What unpacks a file that is at its beginning, and stays there; None if it isn't packed."""
    head = file.read(8)
    file.seek(0)
    return next((make for magic, make in _UNPACKERS.items() if head.startswith(magic)), None)


def _unpack(file: IO[bytes], make: Callable[[], Any]) -> Iterator[tuple[int, bytes]]:
    """How many bytes were read, and what these unpack to, a little at a time.

    Behind one packed stream may follow zeros and another one, which readers unpack too. Raises ``EOFError`` at the end of a file that is cut off.
    """
    unpacker = make()
    while data := file.read(_READ_BYTES):
        yield len(data), b""
        while data:
            if unpacker.eof:
                data = data.lstrip(b"\0")
                if not data:
                    break
                unpacker = make()
            yield 0, unpacker.decompress(data)
            data = unpacker.unused_data
    if not unpacker.eof:
        raise EOFError
