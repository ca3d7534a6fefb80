"""Which onnxruntime this machine has."""

from __future__ import annotations

import onnxruntime


def onnxruntime_version() -> str:
    """The version of the installed onnxruntime, like ``1.20.1``."""
    return str(onnxruntime.__version__)


def providers() -> tuple[str, ...]:
    """The execution providers that the installed onnxruntime was built with, best first."""
    return tuple(onnxruntime.get_available_providers())
