"""A file is read in a process of its own first, where the library that reads it may crash, hang, or fill the memory.

XGBoost, LightGBM and CatBoost are C++ that believes its files: a child that isn't there is followed, a length is allocated. ONNX's inference of
shapes believes that it knows every type, which behind an operator of another domain it doesn't (onnx 1.23.2: LabelEncoder, TreeEnsemble,
RegexFullMatch, DictVectorizer). The process is confined (`sealift_core.process`). A build that runs in a process of its own already
(`sealift_packager.sandbox`) needs no other one.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from sealift_core.errors import DocumentError
from sealift_core.process.child import MAX_RESULT_BYTES, ChildOutcome
from sealift_core.process.confined import run_confined
from sealift_core.process.sandbox import Confinement
from sealift_core.schema.documents import Document
from sealift_packager.errors import ConversionError, PackagerError, SourceModelError
from sealift_packager.sandbox.activity import monitored

TIMEOUT_S: Final = 300
#: The most that a library may write while it reads.
MAX_FILE_BYTES: Final = 4 * 2**30
_DAMAGED: Final = "The file may be cut off or damaged: save the model again."
_PARTS: Final = ("message", "where", "expected", "found", "advice")
_KINDS: Final[dict[str, type[PackagerError]]] = {kind.__name__: kind for kind in (SourceModelError, ConversionError)}


def try_reading(kind: str, path: Path, *, reader: str, expected: str = "a complete file", advice: str = _DAMAGED) -> None:
    """Read the model once in another process; raises the error that reading gave, or `SourceModelError` if it gave none and broke.

    ``reader`` is the name of the module that reads it: its ``read_once(kind, path)`` is called there.
    """
    if monitored():
        return
    file = path.absolute()
    with tempfile.TemporaryDirectory(prefix="sealift.") as folder:  # CatBoost writes a model anew to tell what is in it
        walls = Confinement(readable=(file,), writable=(Path(folder),), file_bytes=MAX_FILE_BYTES)
        done = run_confined(__name__, [reader, kind, str(file), folder], walls, timeout_s=TIMEOUT_S).outcome
    if done.timed_out:
        raise SourceModelError(f"{kind} could not read the file within {TIMEOUT_S} s", where=str(path), advice=advice)
    try:
        said = Document.parse_json(done.result, where="reading", max_bytes=MAX_RESULT_BYTES)
        if said.names():
            raise _said(said, file, path)
    except DocumentError as error:
        raise SourceModelError(f"{kind} crashes when it reads the file ({_how(done)})", where=str(path), expected=expected, advice=advice) from error


def _said(said: Document, file: Path, path: Path) -> PackagerError:
    """The error that the process met, the file called as the user calls it."""
    parts = {part: said.text(part, max_characters=MAX_RESULT_BYTES) if said.has(part) else None for part in _PARTS}
    parts["where"] = parts["where"] and parts["where"].replace(str(file), str(path), 1)
    return _KINDS[said.text("kind", one_of=tuple(_KINDS))](parts.pop("message") or "", **parts)


def _how(done: ChildOutcome) -> str:
    if done.status < 0:
        return signal.Signals(-done.status).name
    lines = done.output.splitlines()
    return lines[-1][:200] if lines else f"exit status {done.status}"


def main(arguments: Sequence[str], descriptor: int) -> None:
    """The process's own side."""
    reader, kind, path, tempfile.tempdir = arguments[0], arguments[1], Path(arguments[2]), arguments[3]
    said: dict[str, Any] = {}
    try:
        importlib.import_module(reader).read_once(kind, path)
    except (SourceModelError, ConversionError) as error:
        said = {part: getattr(error, part) for part in _PARTS} | {"kind": type(error).__name__}
    os.write(descriptor, json.dumps(said).encode())
