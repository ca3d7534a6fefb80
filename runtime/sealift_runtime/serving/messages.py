"""An inference request and its reply as values, apart from how they travel.

Named tuples, as there is one of each per request: a frozen dataclass takes five times as long to make.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from sealift_core.bundle.golden import Array


class InferRequest(NamedTuple):
    """What a client asks. ``inputs`` fit the model's tensors.

    ``outputs`` names the wanted outputs in order, None for all; ``binary`` those that it wants as raw bytes.
    """

    id: str | None
    inputs: dict[str, Array]
    outputs: tuple[str, ...] | None
    binary: frozenset[str]


class InferReply(NamedTuple):
    """What the model answers; ``binary`` names the outputs that go as raw bytes."""

    model_name: str
    model_version: str
    id: str | None
    outputs: Mapping[str, Array]
    binary: frozenset[str]
