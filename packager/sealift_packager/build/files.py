"""What a build may read beside Python and its libraries: the model's own files, the data, and the code of a metric. And whether it may at all.

An ONNX file names the files of its weights. They are looked for in its bytes, for reading it properly is what the walls are for: whoever names more
files than are weights can only name such as lie in the model's own folder, where ONNX lets it look anyway; hidden ones are left out.
"""

from __future__ import annotations

import importlib.util
import itertools
import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sealift_packager.build.request import PackRequest
from sealift_packager.model import detect

#: Beyond so many files of weights, all of their folders is readable: each path is passed on by itself.
MAX_WEIGHT_FILES: Final = 500
MAX_NAMES: Final = 100_000
_MAX_NAME_BYTES: Final = 4096
#: ``StringStringEntryProto`` with the key "location", up to its value: field 1 of 8 bytes, then field 2.
_LOCATION: Final = b"\x0a\x08location\x12"
#: How files begin that hold no code, whatever is trusted: ONNX, CatBoost, LightGBM, XGBoost.
_NO_CODE: Final = (b"\x08", b"CBM1", b"tree\n", b"tree\r\n", b"{")
_NO_CODE_KINDS: Final = (detect.ONNX, detect.CATBOOST, detect.LIGHTGBM, detect.XGBOOST)


def runs_own_code(request: PackRequest) -> bool:
    """Whether building runs a person's own code, which may need anything: it is trusted, and no walls are around it.

    That is a factory, and a model whose reading runs code where that is allowed. Trusting a file that holds none changes nothing.
    """
    return request.factory is not None or (request.trust_pickle and not _holds_no_code(request.model, request.format))


def _holds_no_code(model: Path, model_format: str | None) -> bool:
    if model_format is not None:
        return model_format in _NO_CODE_KINDS
    try:
        with model.open("rb") as file:
            return file.read(8).startswith(_NO_CODE)
    except OSError:  # reading it will say so
        return True


def model_files(model: Path) -> tuple[Path, ...]:
    """The model's own files: itself, and beside an ONNX graph those of its weights, or the folder of very many."""
    try:
        weights = _weights(model)
    except (OSError, ValueError):  # reading it will say what is wrong
        weights = []
    folder = model.parent.resolve()
    if len(weights) > MAX_WEIGHT_FILES and not _holds_home(folder):
        weights = [folder]
    return (model.absolute(), *weights[:MAX_WEIGHT_FILES])


def _weights(model: Path) -> list[Path]:
    with model.open("rb") as file:
        if file.read(1) != b"\x08":  # see `load.detect`
            return []
        folder = model.parent.resolve()
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            names = dict.fromkeys(itertools.islice(_locations(data), MAX_NAMES))
    return list(dict.fromkeys(path for name in names if (path := _file_inside(folder, name)) is not None))


def _file_inside(folder: Path, name: str) -> Path | None:
    """The file of that name in the folder, links followed; None if there is none, or a hidden one."""
    try:
        path = (folder / name).resolve()
        inside = path.is_relative_to(folder) and path.is_file()
    except (OSError, RuntimeError):  # a name too long, a loop of links
        return None
    return path if inside and not any(part.startswith(".") for part in path.relative_to(folder).parts) else None


def _holds_home(folder: Path) -> bool:
    """Whether a folder is one in which a person has everything else too."""
    return Path.home().absolute().is_relative_to(folder)


def _locations(data: mmap.mmap) -> Iterator[str]:
    at = data.find(_LOCATION)
    while at >= 0:
        start = at + len(_LOCATION)
        length, used = _varint(data[start : start + 4])
        text = data[start + used : start + used + min(length, _MAX_NAME_BYTES)]
        if used and b"\0" not in text:
            yield text.decode(errors="surrogateescape")
        at = data.find(_LOCATION, start)


def _varint(data: bytes) -> tuple[int, int]:
    """A protobuf number and how many bytes it takes; 0 bytes if there is none."""
    value = 0
    for at, byte in enumerate(data):
        value |= (byte & 0x7F) << (7 * at)
        if byte < 0x80:
            return value, at + 1
    return 0, 0


def readable(request: PackRequest) -> tuple[Path, ...]:
    """Everything that a build of a request reads."""
    given = [path.absolute() for path in (request.data, request.golden_from, *request.example) if path is not None]
    return (*model_files(request.model), *given, *_code(request.metric))


def _code(reference: str | None) -> Iterator[Path]:
    """Where a metric's own module is, and what it may import beside it."""
    if reference is None or ":" not in reference:
        return
    module = reference.rpartition(":")[0]
    yield from _python_of(Path(module).absolute().parent if module.endswith(".py") else Path.cwd())
    if module.endswith(".py"):
        return
    try:
        spec = importlib.util.find_spec(module.partition(".")[0])
    except (ImportError, ValueError):
        return
    places = [*(spec.submodule_search_locations or ()), spec.origin] if spec else []
    yield from (Path(place) for place in places if place)


def _python_of(folder: Path) -> Iterator[Path]:
    """A folder of code; of one in which a person has everything else too, only modules and packages."""
    if not _holds_home(folder):
        yield folder
        return
    yield from folder.glob("*.py")
    yield from (path.parent for path in folder.glob("*/__init__.py"))
