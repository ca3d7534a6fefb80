"""How a session of onnxruntime runs, said without importing onnxruntime."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Final

#: Helper threads stop spinning when a request is done, so they take nothing from whoever runs next.
MULTI_THREADED_CONFIG: Final = {"session.force_spinning_stop": "1"}
DEFAULT_LEVEL: Final = "all"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a session runs; what is chosen here is what the manifest says. ``entries`` are those that a candidate needs."""

    threads: int = 1
    graph_optimization: str = DEFAULT_LEVEL
    entries: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def config(self) -> Mapping[str, str]:
        """Onnxruntime's session config entries: those that go with the threads, and the candidate's own."""
        return {**(MULTI_THREADED_CONFIG if self.threads > 1 else {}), **self.entries}
