"""Every session entry that the installed onnxruntime knows, read out of the library's own strings."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Final

import onnxruntime

_ENTRY: Final = re.compile(rb"(?<![\w.])(?:session|ep|optimization|memory|mlas|ep_factory|model)\.[a-z][a-z0-9_]*(?:\.[a-z0-9_]+)*", re.IGNORECASE)
#: The compiler keeps the beginning of some names as numbers in its code, where they can't be read.
_HIDDEN: Final = frozenset(
    {"session.model_external_initializers_file_folder_path", "session.gqa_value_layout", "ep.cuda.gqa_workspace_max_total_sequence_length"}
)
_FILES: Final = re.compile(r"\.(cc|h|onnx|so|bin|json)$")


@functools.cache
def native_entries() -> frozenset[str]:
    """Names like ``session.intra_op.allow_spinning``, and what only looks like one."""
    folder = Path(onnxruntime.__file__).parent / "capi"
    library = next(folder.glob("onnxruntime_pybind11_state*.so"))
    names = {match.group().decode() for match in _ENTRY.finditer(library.read_bytes())}
    return frozenset({name for name in names if not _FILES.search(name)} | _HIDDEN)
