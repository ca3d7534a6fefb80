"""An inference request and its reply as values, apart from how they travel."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from sealift_runtime.bundle.golden import Array


@dataclasses.dataclass(frozen=True, slots=True)
class InferRequest:
    """What a client asks. ``inputs`` fit the model's tensors.

    ``outputs`` names the wanted outputs in order, None for all; ``binary`` those that it wants as raw bytes.
    """

    id: str | None
    inputs: dict[str, Array]
    outputs: tuple[str, ...] | None
    binary: frozenset[str]


@dataclasses.dataclass(frozen=True, slots=True)
class InferReply:
    """What the model answers; ``binary`` names the outputs that go as raw bytes."""

    model_name: str
    model_version: str
    id: str | None
    outputs: Mapping[str, Array]
    binary: frozenset[str]
