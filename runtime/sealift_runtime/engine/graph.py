"""A graph that is in no bundle, loaded to be measured: no manifest, no golden cases, nothing promised of its answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import onnxruntime

from sealift_runtime.bundle.golden import Array
from sealift_runtime.bundle.manifest import SessionSettings
from sealift_runtime.engine.boundary import translating
from sealift_runtime.engine.session import session_options


def open_graph(path: Path, settings: SessionSettings) -> Callable[[Mapping[str, Array]], object]:
    """Load a graph; what is given back runs it once on some inputs. Both raise `EngineError`."""
    with translating(path.name, "the model does not load"):
        session = onnxruntime.InferenceSession(str(path), session_options(settings), providers=list(settings.providers), enable_fallback=0)

    def run(inputs: Mapping[str, Array]) -> object:
        with translating(path.name, "the model does not run"):
            return session.run(None, inputs)

    return run
