"""Arrays by name from an ``.npz`` archive of ours (`own_copy`): each is as long as its header says before any memory is taken for it."""

from __future__ import annotations

import math
import zipfile
from typing import IO, Any

import numpy as np

from sealift_packager.archives.own_copy import OwnCopy
from sealift_packager.archives.refusals import ARRAYS, Refusals

_SUFFIX = ".npy"
_MAGIC_BYTES = 6
#: Of an array that takes no bytes.
_SMALL_ITEMS = 2**20


def read_arrays(copy: OwnCopy, refusals: Refusals) -> dict[str, np.ndarray[Any, np.dtype[Any]]]:
    """Every array by its name, which is that of its member without ``.npy``; a member that is no array is its bytes, as numpy has it.

    Objects (which are pickles) are never read. Raises the error of ``refusals``, or ``ValueError`` for a header that numpy can't read.
    """
    if not copy.archive:
        raise refusals.of("can't be read as .npz", expected=ARRAYS, found="a file that begins differently")
    arrays: dict[str, np.ndarray[Any, np.dtype[Any]]] = {}
    with zipfile.ZipFile(copy.path) as archive:
        for info in archive.infolist():
            name = info.filename.removesuffix(_SUFFIX)
            if name in arrays:
                raise refusals.of("two arrays have the same name", member=info.filename, found=repr(name))
            with archive.open(info) as member:
                arrays[name] = _read_array(member, info, refusals)
    return arrays


def _read_array(member: IO[bytes], info: zipfile.ZipInfo, refusals: Refusals) -> np.ndarray[Any, np.dtype[Any]]:
    if member.read(_MAGIC_BYTES) != np.lib.format.MAGIC_PREFIX:
        member.seek(0)
        return np.asarray(member.read())
    member.seek(0)
    version = np.lib.format.read_magic(member)
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read_header(member)
    if dtype.hasobject:
        raise refusals.of("an array holds objects", member=info.filename, expected=ARRAYS, advice="Convert it to numbers or text.")
    stored, needed = info.file_size - member.tell(), math.prod(shape) * dtype.itemsize
    positions = math.prod(max(size, 1) for size in shape)  # 2^40 rows of nothing are none either
    if any(size < 0 for size in shape) or stored != needed or positions > max(stored, _SMALL_ITEMS):
        expected = f"{needed:,} bytes for {dtype} {list(shape)}"
        raise refusals.of("an array isn't as long as its header says", member=info.filename, expected=expected[:200], found=f"{stored:,} bytes")
    member.seek(0)
    return np.asarray(np.lib.format.read_array(member, allow_pickle=False))
