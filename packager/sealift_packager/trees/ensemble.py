"""A tree ensemble as a value."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from sealift_packager.errors import ConversionError

Array = np.ndarray[Any, np.dtype[Any]]

IDENTITY: Final = "identity"
SIGMOID: Final = "sigmoid"
SOFTMAX: Final = "softmax"
EXP: Final = "exp"
SIGMOIDS: Final = "sigmoids"
SQUARE: Final = "signed square"
#: Sums that are probabilities already (forests).
PROBABILITIES: Final = "probabilities"
ISOLATION: Final = "isolation"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """One tree; node 0 is its root.

    All arrays have one entry per node. ``feature`` is -1 in leaves. A row goes ``left`` if x <= ``threshold`` (x < threshold where ``strict``), or
    if x is missing and ``missing_left``. ``value`` [nodes, width] is what leaves add to the outputs from ``output`` on.
    Several parents may share a node, but only as their left. Thresholds are the library's own, as float64; `round_down` makes them float32.
    """

    feature: Array
    threshold: Array
    missing_left: Array
    left: Array
    right: Array
    value: Array
    output: int = 0
    strict: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Isolation:
    """What makes outlier scores of an ensemble's sums (Liu, Ting, Zhou 2008): ``score = -2 ** (-length / normal) - offset``.

    ``length`` is the sums times their ``units``, added up in float64. A row is an outlier (-1) if its score is below 0.
    """

    units: Array
    normal: float
    offset: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Ensemble:
    """The sum of trees and what is made of it: ``link(base + scale · Σ trees)``.

    ``classes`` are the labels of a classifier, None of a regressor; ``isolation`` is there with the link of that name.
    ``narrow`` says that the source rounds rows to float32 itself, ``narrow_sum`` that it adds its trees up in float32. ``missing`` is a number that
    the source takes for a missing value, beside NaN.
    """

    trees: tuple[Tree, ...]
    features: int
    outputs: int
    base: Array
    link: str
    divisor: float = 1.0
    factor: float = 1.0
    classes: Array | None = None
    narrow: bool = False
    narrow_sum: bool = False
    missing: float | None = None
    isolation: Isolation | None = None

    @property
    def splits(self) -> int:
        """How many nodes decide something."""
        return sum(int((tree.feature >= 0).sum()) for tree in self.trees)


def link_of(objective: str, links: Mapping[str, str], *, where: str) -> str:
    """The link that goes with what a library trained for; `ConversionError` if it isn't among ``links``."""
    if objective not in links:
        raise ConversionError(
            "this objective can't be converted to ONNX",
            where=where,
            expected=", ".join(links),
            found=objective,
            advice="Train with one of these, or export the model to ONNX yourself and pack that.",
        )
    return links[objective]
