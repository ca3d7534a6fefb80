"""The list of example models: a name, a family, and a function that trains or fetches the model and writes it with its holdout data.

A ``build(folder)`` writes into ``folder`` and returns a `Made`; it has the same result whenever it runs.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What is packed: a model file, holdout data, and further options of `PackRequest` by name; ``requests`` are sent to the served bundle."""

    model: Path
    data: Path | None
    options: dict[str, Any] = dataclasses.field(default_factory=dict)
    requests: tuple[dict[str, Array], ...] = ()


Build = Callable[[Path], Made]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One entry of the list."""

    name: str
    family: str
    build: Build


EXAMPLES: Final[dict[str, Example]] = {}


def example(name: str, family: str) -> Callable[[Build], Build]:
    """Put the decorated function into the list."""

    def register(build: Build) -> Build:
        if name in EXAMPLES:
            raise ValueError(f"two examples are called {name}")
        EXAMPLES[name] = Example(name=name, family=family, build=build)
        return build

    return register


#: How embeddings are judged: by the mean cosine to what the source itself gives, at most 0.01 below 1.
EMBEDDINGS: Final[dict[str, Any]] = {"metric": "cosine", "max_drop": 0.01}
#: How classifiers of images are judged: at most 0.3 points of accuracy below the source, as the upper end of the interval.
CLASSES: Final[dict[str, Any]] = {"max_drop": 0.003}
