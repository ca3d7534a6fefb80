"""Which onnxruntime this machine has."""

from __future__ import annotations

import importlib.metadata
from typing import Final

from sealift_core.errors import EngineError
from sealift_core.session_entries import CPU_PROVIDER
from sealift_runtime.engine import plugin_providers

#: The distributions that bring the module, of which one can be installed at a time.
FLAVOURS: Final = ("onnxruntime", "onnxruntime-gpu")
CPU: Final = CPU_PROVIDER


def onnxruntime_version() -> str:
    """The version of the installed onnxruntime, like ``1.20.1``."""
    return _installed()[1]


def _installed() -> tuple[str, str]:
    for flavour in FLAVOURS:
        try:
            return flavour, importlib.metadata.version(flavour)
        except importlib.metadata.PackageNotFoundError:
            continue
    advice = "Install it with pip install onnxruntime (or onnxruntime-gpu)."
    raise EngineError("onnxruntime is not installed", expected=" or ".join(FLAVOURS), advice=advice)


def providers() -> tuple[str, ...]:
    """The execution providers that the installed onnxruntime has, best first: plug-ins, then those that it was built with.

    Raises `EngineError` if onnxruntime or a plug-in can't be loaded.
    """
    try:
        import onnxruntime  # a process that only asks for the version shouldn't carry it
    except ImportError as error:
        advice = "Install the library that it lacks, or reinstall onnxruntime."
        raise EngineError(f"onnxruntime can't be imported, caused by: {error}", advice=advice) from error

    return (*plugin_providers.usable(), *onnxruntime.get_available_providers())


def machine_providers() -> tuple[str, ...]:
    """What profiles are matched against: `providers`, but plain onnxruntime without a plug-in has the CPU's alone, and isn't imported to say so."""
    return (CPU,) if _installed()[0] == FLAVOURS[0] and not plugin_providers.installed() else providers()
