"""Arrays by name as an ``.npz`` file."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import IO

import numpy as np

from sealift_packager.model.source import Arrays


def write_npz(place: Path | IO[bytes], arrays: Arrays) -> None:
    """Text as fixed-width unicode, so that reading needs no pickle. Any name will do: ``numpy.savez`` takes none called ``file``."""
    with zipfile.ZipFile(place, "w") as archive:
        for name, value in arrays.items():
            plain = value.astype(np.str_) if value.dtype.kind == "O" else value
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asanyarray(plain), allow_pickle=False)
