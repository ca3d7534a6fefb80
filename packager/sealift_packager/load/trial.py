"""A file is read in a process of its own first, where the library that reads it may crash, hang, or fill the memory.

XGBoost, LightGBM and CatBoost are C++ that believes its files: a child that isn't there is followed, a length is allocated. ONNX's inference of
shapes believes that it knows every type, which behind an operator of another domain it doesn't (onnx 1.23.2: LabelEncoder, TreeEnsemble,
RegexFullMatch, DictVectorizer). Started as ``python -m sealift_packager.load.trial KIND PATH``; prints a JSON object, empty or with an error's parts.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from sealift_packager.errors import ConversionError, PackagerError, SourceModelError
from sealift_packager.load.memory import bounded_memory
from sealift_runtime.printing import say_json

TIMEOUT_S: Final = 300
_DAMAGED: Final = "Is it cut off or damaged? Save the model again."
_PARTS: Final = ("message", "where", "expected", "found", "advice")
_KINDS: Final[dict[str, type[PackagerError]]] = {kind.__name__: kind for kind in (SourceModelError, ConversionError)}


def try_reading(kind: str, path: Path, *, expected: str = "a whole file", advice: str = _DAMAGED) -> None:
    """Read the model once in another process; raises the error that reading gave, or `SourceModelError` if it gave none and broke."""
    command = [sys.executable, "-P", "-m", "sealift_packager.load.trial", kind, str(path)]  # -P: no module from the current folder
    try:
        done = subprocess.run(command, capture_output=True, timeout=TIMEOUT_S, check=False, text=True)
    except subprocess.TimeoutExpired as error:
        raise SourceModelError(f"{kind} could not read it within {TIMEOUT_S} s", where=str(path), advice=advice) from error
    try:
        said = json.loads(done.stdout)
    except ValueError as error:
        raise SourceModelError(f"{kind} breaks when it reads it ({_how(done)})", where=str(path), expected=expected, advice=advice) from error
    if said:
        raise _KINDS[said["kind"]](said["message"], **{part: said[part] for part in _PARTS[1:]})


def _how(done: subprocess.CompletedProcess[str]) -> str:
    if done.returncode < 0:
        return signal.Signals(-done.returncode).name
    lines = done.stderr.strip().splitlines()
    return lines[-1][:200] if lines else f"exit status {done.returncode}"


def main(kind: str, path: Path) -> None:
    """The process's own side."""
    from sealift_packager.load import detect

    try:
        _infer(path) if kind == detect.ONNX else _ask(kind, path)
    except (SourceModelError, ConversionError) as error:
        said: dict[str, Any] = {part: getattr(error, part) for part in _PARTS}
        say_json(said | {"kind": type(error).__name__})
    else:
        say_json({})


def _infer(path: Path) -> None:
    import onnx

    from sealift_packager.convert.graph import infer_shapes

    with bounded_memory(path):
        infer_shapes(onnx.load(path, load_external_data=False))


def _ask(kind: str, path: Path) -> None:
    import numpy as np

    from sealift_packager.load import boosters, detect

    library = boosters.import_library(kind, str(path))  # what a library takes to be there doesn't count
    if kind == detect.CATBOOST:
        library.Pool([[0.0], [1.0]])  # its allocator sets 1 GiB aside for the first object
    with bounded_memory(path):
        source = boosters.READERS[kind](path)
        spec = source.inputs[0]
        source.predict({spec.name: np.zeros((2, int(spec.shape[1])), np.float32)})


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
