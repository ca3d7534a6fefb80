"""Execution providers that come as a library of their own beside plain onnxruntime, as OpenVINO's does.

onnxruntime is told of the library once a process; then it names the devices that the provider can use on this machine. A
library that finds none, as OpenVINO's on a processor that isn't Intel's, is as good as absent.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
from collections.abc import Mapping
from typing import Any, Final

from sealift_core.errors import EngineError

#: Provider to the module that has its library. The modules' functions are those of onnxruntime's plug-in packages: `get_library_path`.
MODULES: Final[Mapping[str, str]] = {"OpenVINOExecutionProvider": "onnxruntime_ep_openvino"}
#: Where OpenVINO's library says which of its own devices one is; the graph's profile is for the processor.
_OPENVINO_DEVICE: Final = ("ov_device", "CPU")


def installed() -> tuple[str, ...]:
    """The providers whose module is installed; nothing is imported to say so."""
    return tuple(name for name, module in MODULES.items() if importlib.util.find_spec(module) is not None)


def usable() -> tuple[str, ...]:
    """The installed providers that have a device on this machine.

    Raises `EngineError` if a library can't be loaded, or if onnxruntime is older than plug-ins.
    """
    return tuple(name for name in installed() if devices(name))


@functools.cache
def devices(name: str) -> tuple[Any, ...]:
    """The processor's device of a plug-in provider, as `onnxruntime.SessionOptions.add_provider_for_devices` takes it; empty if there is none."""
    import onnxruntime  # a process that only asks for the version shouldn't carry it

    try:
        onnxruntime.register_execution_provider_library(name, importlib.import_module(MODULES[name]).get_library_path())
    except AttributeError as error:
        advice = "Install onnxruntime 1.23 or newer, or uninstall the provider's package."
        raise EngineError(f"the installed onnxruntime can't load a plug-in for {name}", found=onnxruntime.__version__, advice=advice) from error
    except Exception as error:  # onnxruntime's errors have no common base
        raise EngineError(f"the library of {name} can't be loaded", advice=f"Reinstall the package of {MODULES[name]}.") from error
    key, value = _OPENVINO_DEVICE
    fitting = [device for device in onnxruntime.get_ep_devices() if device.ep_name == name and device.ep_metadata.get(key) == value]
    return tuple(fitting[:1])
