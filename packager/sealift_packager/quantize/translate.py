"""The one place where what onnxruntime's quantizers raise and print becomes ours."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Final

import onnxruntime

from sealift_packager.errors import QuantizationError
from sealift_packager.graph.session import FATAL
from sealift_packager.progress.quiet import quiet

_WARNING: Final = 2


@contextlib.contextmanager
def translating() -> Iterator[None]:
    """Quiet inside; whatever is raised comes out as a `QuantizationError`."""
    try:
        with quiet(), _native_quiet():
            yield
    except Exception as error:  # the quantizers raise anything, and so do the sessions that they open
        lines = str(error).splitlines() or ["no message"]
        raise QuantizationError(f"onnxruntime's quantizer failed (caused by: {type(error).__name__}: {lines[0]})") from error


@contextlib.contextmanager
def _native_quiet() -> Iterator[None]:
    """The sessions that the quantizer opens take no options of ours: only the process-wide logger can be told."""
    onnxruntime.set_default_logger_severity(FATAL)
    try:
        yield
    finally:
        onnxruntime.set_default_logger_severity(_WARNING)
