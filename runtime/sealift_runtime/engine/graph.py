"""A graph that is in no bundle, loaded to be measured: no manifest, no golden cases, nothing promised of its answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from sealift_core.bundle.golden import Array
from sealift_core.bundle.manifest import SessionSettings
from sealift_core.verify.graph import check_graph_file
from sealift_runtime.engine.session import open_session, refusing
from sealift_runtime.engine.translate import translating


def open_graph(path: Path, settings: SessionSettings) -> Callable[[Mapping[str, Array]], object]:
    """Load a graph that has its weights inside and can only compute; what is given back runs it once on some inputs.

    Both raise `EngineError`; loading raises `DocumentError` for settings that aren't allowed.
    """
    with refusing(path.name):
        check_graph_file(path, {}, where=path.name)
    session = open_session(path, settings, list(settings.providers), [{} for _ in settings.providers], where=path.name)

    def run(inputs: Mapping[str, Array]) -> object:
        with translating(path.name, "the model does not run"):
            return session.run(None, inputs)

    return run
