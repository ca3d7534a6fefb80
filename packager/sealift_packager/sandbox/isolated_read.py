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

from sealift_core.errors import DocumentError, LimitError
from sealift_core.process.child import MAX_RESULT_BYTES, ChildOutcome
from sealift_core.process.confined import run_confined
from sealift_core.process.sandbox import Confinement
from sealift_core.schema.documents import Document
from sealift_packager.errors import ConversionError, PackagerError, SourceModelError
from sealift_packager.sandbox.activity import DAMAGED, monitored
from sealift_packager.sandbox.failures import decode_failure, encode_failure

TIMEOUT_S: Final = 300
#: The most that a library may write while it reads.
MAX_FILE_BYTES: Final = 4 * 2**30


def try_reading(model_format: str, path: Path, *, reader: str, expected: str = "a complete file", advice: str = DAMAGED) -> None:
    """Read the model once in another process.

    Args:
        model_format: What the file is; messages name it.
        path: The file.
        reader: The name of the module that reads it: its ``read_once(model_format, path)`` is called there.
        expected: What an error about a process that broke says was expected.
        advice: What that error advises.

    Raises:
        SourceModelError: If reading raised it, or the process broke or took too long.
        ConversionError: If reading raised it.
    """
    if monitored():
        return
    file = path.absolute()
    with tempfile.TemporaryDirectory(prefix="sealift.") as folder:  # CatBoost writes a model anew to tell what is in it
        walls = Confinement(readable=(file,), writable=(Path(folder),), file_bytes=MAX_FILE_BYTES)
        outcome = run_confined(__name__, [reader, model_format, str(file), folder], walls, timeout_s=TIMEOUT_S).outcome
    if outcome.timed_out:
        raise SourceModelError(f"{model_format} could not read the file within {TIMEOUT_S} s", where=str(path), advice=advice)
    fields = _fields(outcome)
    if fields == {}:
        return
    failure = None if fields is None else decode_failure(fields)
    if not isinstance(failure, PackagerError):
        message = f"{model_format} crashes when it reads the file ({_how(outcome)})"
        raise SourceModelError(message, where=str(path), expected=expected, advice=advice)
    failure.where = failure.where and failure.where.replace(str(file), str(path), 1)  # as the user calls it
    raise failure


def _fields(outcome: ChildOutcome) -> dict[str, Any] | None:
    """The error that the process met, empty if it met none; None if it broke before it could say."""
    try:
        return Document.parse_json(outcome.result, where="reading", max_bytes=MAX_RESULT_BYTES).raw()
    except (DocumentError, LimitError):
        return None


def _how(outcome: ChildOutcome) -> str:
    if outcome.status < 0:
        return signal.Signals(-outcome.status).name
    lines = outcome.output.splitlines()
    return lines[-1][:200] if lines else f"exit status {outcome.status}"


def main(arguments: Sequence[str], descriptor: int) -> None:
    """Do what the process is for: read the file, and write which error that raised, or an empty document."""
    reader, model_format, path, tempfile.tempdir = arguments[0], arguments[1], Path(arguments[2]), arguments[3]
    fields: dict[str, Any] = {}
    try:
        importlib.import_module(reader).read_once(model_format, path)
    except (SourceModelError, ConversionError) as error:
        fields = encode_failure(error)
    os.write(descriptor, json.dumps(fields).encode())
