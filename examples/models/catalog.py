"""The list of example models: a name, a family, and a function that trains or fetches the model and writes it with its holdout data.

A ``build(folder)`` writes into ``folder`` and returns a `Made`; it has the same result whenever it runs.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
#: What the source's own library answers for rows as the user has them: by the bundle's names of outputs, or in the order of its outputs.
Answers = Callable[[Any], Mapping[str, Any] | Sequence[Any]]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What is packed, and what the served bundle is asked.

    Attributes:
        model: The model's file.
        data: The holdout.
        options: Further options of `PackRequest` by name.
        requests: Rows as the user has them, a request each: a pandas table or column, an array, or arrays by input.
        answers: The source's own answers to such rows.
    """

    model: Path
    data: Path | None
    requests: tuple[Any, ...]
    answers: Answers
    options: dict[str, Any] = dataclasses.field(default_factory=dict)


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
