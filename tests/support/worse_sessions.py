"""Sessions of real bundles that are worse than they were: slower, wrong now and then, or keeping memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from sealift_core.bundle.golden import Array
from sealift_core.errors import EngineError
from sealift_runtime.engine.run_limit import RunLimit
from sealift_runtime.engine.session import ModelSession

Outputs = dict[str, Array]


class WorseSession(ModelSession):
    """A session whose answers pass through ``spoil``, which gets the inputs and what answers them."""

    def __init__(self, session: ModelSession, spoil: Callable[[Mapping[str, Array], Callable[[], Outputs]], Outputs]) -> None:
        self.__dict__.update(session.__dict__)
        self._whole = session
        self._spoil = spoil

    def run(self, inputs: Mapping[str, Array], outputs: Sequence[str] | None = None, limit: RunLimit | None = None) -> Outputs:
        """What the session answers, spoilt."""
        return self._spoil(inputs, lambda: self._whole.run(inputs, outputs, limit))


def slower(times: float) -> Callable[[Mapping[str, Array], Callable[[], Outputs]], Outputs]:
    """Each answer takes so many times as long, by this thread's own time."""

    def spoil(_: Mapping[str, Array], answer: Callable[[], Outputs]) -> Outputs:
        began = time.thread_time_ns()
        outputs = answer()
        until = began + times * (time.thread_time_ns() - began)
        while time.thread_time_ns() < until:
            pass
        return outputs

    return spoil


def failing(is_hit: Callable[[Mapping[str, Array]], bool]) -> Callable[[Mapping[str, Array], Callable[[], Outputs]], Outputs]:
    """Some requests aren't answered."""

    def spoil(inputs: Mapping[str, Array], answer: Callable[[], Outputs]) -> Outputs:
        if is_hit(inputs):
            raise EngineError("the model does not run", found="a fault of its own")
        return answer()

    return spoil


def not_finite(is_hit: Callable[[Mapping[str, Array]], bool]) -> Callable[[Mapping[str, Array], Callable[[], Outputs]], Outputs]:
    """Some answers are NaN."""

    def spoil(inputs: Mapping[str, Array], answer: Callable[[], Outputs]) -> Outputs:
        outputs = answer()
        return (
            {name: np.full_like(value, np.nan) if value.dtype.kind == "f" else value for name, value in outputs.items()}
            if is_hit(inputs)
            else outputs
        )

    return spoil


def leaking(size_bytes: int) -> Callable[[Mapping[str, Array], Callable[[], Outputs]], Outputs]:
    """Each answer keeps so much memory."""
    kept: list[Any] = []

    def spoil(_: Mapping[str, Array], answer: Callable[[], Outputs]) -> Outputs:
        kept.append(np.ones(size_bytes, np.uint8))
        return answer()

    return spoil
