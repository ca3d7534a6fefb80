"""What passes from one step to the next."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

SEALIFT = "Sealift"
#: The source of every comparison: the graph that all tools start from.
FP32 = "fp32"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ToolResult:
    """What a tool made of one model: ``error`` says why there is nothing; ``seconds`` is the whole program, its imports included.

    ``entries`` are session config entries that the model needs; ``others`` says of what the tool tried why it isn't handed over.
    """

    tool: str
    seconds: float
    error: str = ""
    made: str = ""
    notes: str = ""
    entries: Mapping[str, str] = dataclasses.field(default_factory=dict)
    others: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """How many times as fast, the median of paired runs with its 95 % interval; above 1 is faster."""

    ratio: float
    low: float
    high: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ToolFigures:
    """One model as it was measured, on rows that no tool has seen.

    ``loss`` is against the fp32 graph, in the metric's unit, positive when worse. ``flipped`` counts labels that differ from fp32's (None for
    embeddings), ``off`` is the largest difference of the first float output from fp32's, ``cosine_mean`` and ``cosine_least`` are to fp32's
    embeddings (None for classes). ``beside`` holds, by tool, how fast that one is beside this one.
    """

    tool: str
    latency_ms: float
    speedup: Ratio
    size_bytes: int
    loss: float
    rows: int
    flipped: int | None
    off: float
    cosine_mean: float | None
    cosine_least: float | None
    beside: Mapping[str, Ratio]

    @classmethod
    def parse(cls, fields: dict[str, Any]) -> ToolFigures:
        """From what `dataclasses.asdict` gave."""
        beside = {name: Ratio(**ratio) for name, ratio in fields["beside"].items()}
        return cls(**{**fields, "speedup": Ratio(**fields["speedup"]), "beside": beside})
