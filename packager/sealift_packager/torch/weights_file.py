"""Reading a file of weights: a checkpoint of torch.save, or safetensors."""

from __future__ import annotations

import argparse
import contextlib
import pathlib
import pickle
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from sealift_core.errors import first_few
from sealift_packager.errors import SourceModelError, UntrustedPickleError, first_line
from sealift_packager.plugins.functions import current_directory_first

_COMPLETE: Final = "a complete state dict: torch.save(model.state_dict(), …) or safetensors"
#: Classes that trainers leave in checkpoints, and that hold values alone: options, paths, numbers of numpy.
_PLAIN: Final = (
    argparse.Namespace,
    pathlib.PosixPath,
    np.dtype,
    np.ndarray,
    *(type(np.dtype(name)) for name in ("bool", "int32", "int64", "float16", "float32", "float64")),
)
_SHOWN: Final = 3
#: How torch names the first class that it refuses; before 2.6 it has no list of all of them.
_UNSUPPORTED: Final = re.compile(r"Unsupported global: GLOBAL (\S+)")


def read_weights(torch: Any, path: Path, *, trusted: bool) -> Any:
    """What the file holds. Objects of other classes than tensors and plain values are made only where the file is ``trusted``.

    Raises:
        SourceModelError: If it can't be read.
        UntrustedPickleError: If it holds such objects and isn't trusted.
    """
    try:
        with path.open("rb") as file:
            safetensors = file.read(9)[8:] == b"{"
        if safetensors:
            from safetensors.torch import load_file

            return dict(load_file(path))
        foreign = _foreign(torch, path)
        if foreign and not trusted:
            raise _untrusted(foreign, path)
        return _load(torch, path, trusted=trusted)
    except SourceModelError:
        raise
    except Exception as error:  # torch and safetensors raise anything for a damaged file
        reason = first_line(error).partition("\x1b")[0]
        raise SourceModelError(
            f"can't be read as weights (caused by: {type(error).__name__}: {reason:.300})",
            where=str(path),
            expected=_COMPLETE,
            advice="Save model.state_dict() instead of the module, or make the classes that the file names importable.",
        ) from error


def _load(torch: Any, path: Path, *, trusted: bool) -> Any:
    """Without running code where that is enough."""
    try:
        with _plain_allowed(torch):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if not trusted:
            named = _UNSUPPORTED.search(str(error))
            raise (_untrusted([named[1]], path) if named else error) from error
    with current_directory_first():
        return torch.load(path, map_location="cpu", weights_only=False)


def _foreign(torch: Any, path: Path) -> list[str]:
    """The classes and functions in the file that reading it would call, beside plain ones; nothing for a file that isn't torch's."""
    listing = getattr(torch.serialization, "get_unsafe_globals_in_checkpoint", None)
    if listing is None:
        return []
    with _plain_allowed(torch):
        try:
            return sorted(listing(str(path)), key=lambda name: name.startswith("torch."))  # one's own first
        except Exception:  # noqa: BLE001  # a damaged file, or the format before zip archives: reading it says so
            return []


@contextlib.contextmanager
def _plain_allowed(torch: Any) -> Iterator[None]:
    allowed = getattr(torch.serialization, "safe_globals", None)
    named = hasattr(torch.serialization, "get_unsafe_globals_in_checkpoint")  # torch 2.5 doesn't take other names of a function
    with allowed([*_PLAIN, *_numpy_functions(named=named)]) if allowed else contextlib.nullcontext():
        yield


def _numpy_functions(*, named: bool) -> list[Any]:
    """What numpy's pickled numbers and arrays are made by: functions that make nothing else."""
    scalar: Any = np.float64(0).__reduce__()[0]
    reconstruct: Any = np.zeros(0).__reduce__()[0]
    old = [(function, f"numpy.core.multiarray.{function.__name__}") for function in (scalar, reconstruct)]  # as numpy 1 wrote it
    return [scalar, reconstruct, *(old if named else ())]


def _untrusted(foreign: list[str], path: Path) -> UntrustedPickleError:
    return UntrustedPickleError(
        "the checkpoint holds objects beside tensors, such as a whole nn.Module, and reading them runs code",
        where=str(path),
        expected=_COMPLETE,
        found=first_few(foreign, _SHOWN),
        advice="For a module, save its state_dict() instead. If you trust the file's source, pass --trust-pickle.",
    )
