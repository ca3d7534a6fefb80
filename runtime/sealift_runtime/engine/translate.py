"""Turns onnxruntime's exceptions into `EngineError`; nothing else does."""

from __future__ import annotations

import contextlib
import errno
import re
from collections.abc import Iterator
from typing import Any, Final

from onnxruntime.capi import onnxruntime_pybind11_state as state

from sealift_core.errors import EngineError, MemoryShortageError

_NATIVE: Final[Any] = state
#: Everything that onnxruntime's native part raises, and what its Python part and its binding layer raise beside. Versions of onnxruntime differ
#: in what they raise (1.20 has no DeviceReset), so the classes are those that the installed one has.
FOREIGN: Final[tuple[type[Exception], ...]] = (
    *(value for _, value in sorted(vars(_NATIVE).items()) if isinstance(value, type) and issubclass(value, Exception)),
    RuntimeError,
    ValueError,
    TypeError,
    MemoryError,
)
_CODE = re.compile(r"^\[ONNXRuntimeError\] : \d+ : (\w+) : ")
_REFUSED = re.compile(r"^Non-zero status code returned while running \w+ node")
_NO_MEMORY = re.compile(r"bad_alloc|bad allocation|failed to allocate memory|available memory|bfc_arena|out of memory|ALLOC_FAILED", re.IGNORECASE)


@contextlib.contextmanager
def translating(where: str, message: str) -> Iterator[None]:
    """Turn what onnxruntime raises inside the block into an `EngineError` that begins with ``message``."""
    try:
        yield
    except FOREIGN as error:
        raise translate(error, where, message) from error


def translate(error: Exception, where: str, message: str) -> EngineError:
    """An `EngineError` for what onnxruntime raised; `MemoryShortageError` if memory ran out."""
    if is_out_of_memory(error):
        return MemoryShortageError(f"{message}: out of memory", where=where, found=_words(error), advice="Free memory or use a smaller batch.")
    return EngineError(message, where=where, found=_words(error))


def is_out_of_memory(error: BaseException | None) -> bool:
    """Whether an error, or the one it was translated from, says that memory ran out."""
    while error is not None:
        if isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM or _NO_MEMORY.search(str(error)):
            return True
        error = error.__cause__
    return False


def refuses_values(error: EngineError) -> bool:
    """Whether a node of the graph refused what a request holds (an index beyond a table, sizes that don't fit each other), and memory was no cause.

    What onnxruntime raises then has changed its class over its versions, but not how its text begins.
    """
    return _REFUSED.search(str(error.found)) is not None and not is_out_of_memory(error)


def _words(error: Exception) -> str:
    text = " ".join(_CODE.sub("", str(error)).split())
    return text[:1000] or type(error).__name__
