"""From samples to the bin counts of a baseline: whole blocks at once, off the request path."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from sealift_core.drift.baseline import Baseline
from sealift_core.drift.features import Feature
from sealift_runtime.monitoring.samples import Sample

Array = np.ndarray[Any, np.dtype[Any]]


class BinCounts:
    """Integer counts per feature of a baseline; counting in parts and adding gives the counts of the whole, exactly."""

    def __init__(self, baseline: Baseline) -> None:
        self._features = baseline.features
        self._by_tensor: dict[tuple[str, str], list[int]] = {}
        for place, feature in enumerate(baseline.features):
            self._by_tensor.setdefault((feature.side, feature.tensor), []).append(place)
        self.rows = 0
        self.counts: list[Array] = [np.zeros(feature.bins, dtype=np.int64) for feature in baseline.features]

    def resume(self, rows: int, counts: Sequence[Sequence[int]]) -> bool:
        """Go on from counts of the same baseline; whether they are."""
        if [len(bins) for bins in counts] != [feature.bins for feature in self._features]:
            return False
        self.rows += rows
        for own, bins in zip(self.counts, counts, strict=True):
            own += np.array(bins, dtype=np.int64)
        return True

    def tensors(self, side: str) -> frozenset[str]:
        """The names of the tensors that features of this side are taken from."""
        return frozenset(tensor for of, tensor in self._by_tensor if of == side)

    def add(self, samples: Sequence[Sample]) -> None:
        """Count samples."""
        self.rows += sum(sample.rows for sample in samples)
        for (side, tensor), places in self._by_tensor.items():
            for block in blocks(_tensors(samples, side), tensor):
                self._count(places, block)

    def _count(self, places: Iterable[int], block: Array) -> None:
        for place in places:
            self.counts[place] += self._features[place].count(block)

    def snapshot(self) -> tuple[tuple[Feature, Array], ...]:
        """Each feature with a copy of its counts."""
        return tuple((feature, counts.copy()) for feature, counts in zip(self._features, self.counts, strict=True))


def _tensors(samples: Sequence[Sample], side: str) -> Iterator[Mapping[str, Array]]:
    return (sample.inputs if side == "input" else sample.outputs for sample in samples)


def blocks(tensors: Iterable[Mapping[str, Array]], name: str) -> list[Array]:
    """One tensor of many requests, stacked along axis 0: one block for each shape of a row and dtype that came."""
    groups: dict[tuple[tuple[int, ...], str], list[Array]] = {}
    for arrays in tensors:
        if name in arrays:
            array = arrays[name]
            groups.setdefault((array.shape[1:], array.dtype.str), []).append(array)
    return [np.concatenate(group) for group in groups.values()]


def count_nonfinite(samples: Sequence[Sample]) -> int:
    """How many of the requests had an answer with a NaN or an infinity. Tensor by tensor; one by one only if there are any."""
    names = {name for sample in samples for name in sample.outputs}
    stacked = (block for name in names for block in blocks(_tensors(samples, "output"), name))
    if all(_is_finite(block) for block in stacked):
        return 0
    return sum(not all(_is_finite(array) for array in sample.outputs.values()) for sample in samples)


def _is_finite(array: Array) -> bool:
    return array.dtype.kind != "f" or bool(np.isfinite(array).all())
