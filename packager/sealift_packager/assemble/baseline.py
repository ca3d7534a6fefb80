"""baseline.json from the holdout: which values to monitor, in which bins, and how far is too far.

Numpy alone, and the same for the same arrays and seed.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from sealift_core.bundle.tensors import TensorSpec
from sealift_core.drift.baseline import DEFAULT_EXPECTED_WINDOWS, MAX_FEATURES, Baseline
from sealift_core.drift.features import MAX_CATEGORY_CHARACTERS, Feature, count_categories, count_numbers, tally
from sealift_core.drift.statistic import measure
from sealift_packager.assemble.drift_thresholds import Calibrator
from sealift_packager.assemble.vocabulary import MAX_KNOWN, Vocabulary, choose_vocabulary

Array = np.ndarray[Any, np.dtype[Any]]

MAX_COLUMNS: Final = 512
MAX_BINS: Final = 32
MAX_CLASSES: Final = 1000
#: Up to so many different numbers, each seen often, are taken one by one, with an empty bin between neighbours.
MAX_DISCRETE: Final = 16
SUMMARIES: Final = ("mean", "std", "min", "max", "zeros")
SCORES: Final = ("class", "top_probability", "entropy")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MonitoredStatistic:
    """One statistic that a device monitors, before it has bins."""

    name: str
    side: str
    tensor: str
    statistic: str
    kind: str
    index: int = 0


def build_baseline(
    inputs: Mapping[str, Array],
    outputs: Mapping[str, Array],
    input_specs: Sequence[TensorSpec],
    output_specs: Sequence[TensorSpec],
    *,
    seed: int,
    expected_windows: int = DEFAULT_EXPECTED_WINDOWS,
) -> Baseline:
    """The baseline of a holdout.

    ``inputs`` and ``outputs`` hold every row along axis 0, by the names of the specs; a tensor that isn't there, has no
    rows, or has rank 0 is not monitored. ``expected_windows`` is the run of windows between false alarms to calibrate for.
    """
    tensors = [("input", spec, inputs[spec.name]) for spec in input_specs if spec.name in inputs]
    tensors += [("output", spec, outputs[spec.name]) for spec in output_specs if spec.name in outputs]
    tensors = [(side, spec, array) for side, spec, array in tensors if array.ndim and len(array)]
    statistics = [(statistic, array) for side, spec, array in tensors for statistic in _monitored(side, spec.name, array)][:MAX_FEATURES]
    calibrator = Calibrator(seed=seed, features=len(statistics), expected_windows=expected_windows)
    features = tuple(_feature(statistic, array, calibrator, seed, len(statistics)) for statistic, array in statistics)
    rows = max((len(array) for _, _, array in tensors), default=0)
    return Baseline(rows=rows, features=_distinct(features), expected_windows_between_false_alarms=expected_windows)


def _monitored(side: str, tensor: str, array: Array) -> Iterator[MonitoredStatistic]:
    """What is monitored of one tensor."""
    width = array.size // len(array)
    flat = array.ndim == 1 or (array.ndim == 2 and width <= MAX_COLUMNS)
    label = tensor[:400]
    if side == "output" and _are_probabilities(array):
        for statistic in SCORES:
            yield MonitoredStatistic(name=f"{label}.{statistic}", side=side, tensor=tensor, statistic=statistic, kind=_kind_of(statistic))
    elif flat and width:
        for index in range(width):
            column = array.reshape(len(array), -1)[:, index]
            statistic, form = _how(column)
            one = statistic if width > 1 or statistic != "column" else "value"
            name = label + (f"[{index}]" if width > 1 else "") + (".length" if statistic == "length" else "")
            yield MonitoredStatistic(name=name, side=side, tensor=tensor, statistic=one, kind=form, index=index)
    elif array.dtype.kind in "biuf" and width:
        for statistic in SUMMARIES:
            yield MonitoredStatistic(name=f"{label}.{statistic}", side=side, tensor=tensor, statistic=statistic, kind="numeric")


def _kind_of(statistic: str) -> str:
    return "category" if statistic == "class" else "numeric"


def _how(column: Array) -> tuple[str, str]:
    """The statistic and kind of one column: categories while they are few and come again, else numbers."""
    if column.dtype.kind == "f":
        return "column", "numeric"
    if column.dtype.kind == "b":
        return "column", "category"
    times = tally(column)
    if column.dtype.kind in "OSU":  # texts that hardly come twice are names or prose: their words are nobody's business here
        free = 2 * len(times) > len(column) or any(len(text) == MAX_CATEGORY_CHARACTERS for text in times)
        return ("length", "numeric") if free else ("column", "category")
    few = len(times) <= MAX_KNOWN and 4 * len(times) <= len(column)
    return "column", "category" if few else "numeric"


def _are_probabilities(array: Array) -> bool:
    """Whether the rows of ``array [rows, 2 … 1000]`` are class probabilities: none below 0, each row's sum 1."""
    if array.ndim != 2 or array.dtype.kind != "f" or not 2 <= array.shape[1] <= MAX_CLASSES:
        return False
    sums = array.sum(axis=1, dtype=np.float64)
    finite = np.isfinite(sums)
    return bool(finite.any() and (array[finite] >= -1e-6).all() and (np.abs(sums[finite] - 1) <= 1e-3).all())


def _feature(monitored: MonitoredStatistic, array: Array, calibrator: Calibrator, seed: int, features: int) -> Feature:
    values = measure(monitored.statistic, monitored.index, array)
    fields = dataclasses.asdict(monitored)
    if monitored.kind == "category":
        vocabulary = choose_vocabulary(values, seed=seed, features=features)
        counts = count_categories(vocabulary.counted, vocabulary.categories, vocabulary.rare)
        prior = _prior(counts, vocabulary)
        fields |= {"categories": vocabulary.categories, "rare": vocabulary.rare}
    else:
        edges = quantile_edges(values)
        counts = count_numbers(values, edges)
        prior = np.zeros(len(counts))
        prior[[0, len(edges)]] = 1.0  # the open ends: see drift_thresholds
        fields["edges"] = edges
    calibration = calibrator.calibrate(counts, prior)
    return Feature(**fields, counts=tuple(counts.tolist()), **dataclasses.asdict(calibration))


def _prior(counts: Array, vocabulary: Vocabulary) -> Array:
    """What the simulation adds to the counts of a category feature; nothing to the missing ones."""
    prior = np.zeros(len(counts))
    if vocabulary.rare is None:
        prior[-2] = 0.5  # one unknown value is no surprise
    else:
        prior[:-1] = 0.5  # a bin that was chosen on other rows may happen to be empty on these
    return prior


def quantile_edges(values: Array) -> tuple[float, ...]:
    """At most 33 ascending edges for the finite numbers among ``values``; none if there are none.

    Bins hold about equally many rows: at most 32, fewer for a small holdout (2 m^(2/5): Mann and Wald 1942). A value that
    holds the share of two bins has a bin of its own, and so have up to 16 values where there are no others. Edges lie a
    little below the value that they stand for, so another machine's rounding error moves no row across one.
    """
    numbers = np.sort(np.asarray(values, dtype=np.float64)[np.isfinite(np.asarray(values, dtype=np.float64))])
    if not numbers.size:
        return ()
    bins = int(min(MAX_BINS, max(2, round(2 * numbers.size**0.4))))
    distinct, times = np.unique(numbers, return_counts=True)
    if len(distinct) <= MAX_DISCRETE and 4 * len(distinct) <= numbers.size:
        starts = alone = distinct
    elif len(distinct) <= bins:
        starts, alone = distinct, distinct[:0]
    else:
        starts = np.unique(numbers[(np.arange(bins) * numbers.size) // bins])
        alone = distinct[times >= 2 * numbers.size / bins]
    low, high = np.quantile(numbers, [0.25, 0.75])
    edges = np.concatenate([_shifted(starts, high - low, -1), _shifted(alone, high - low, 1), _shifted(numbers[-1:], high - low, 1)])
    return _ascending(edges)[: MAX_BINS + 1]


def _shifted(values: Array, spread: float, sign: int) -> Array:
    return np.asarray(values + sign * np.maximum(1e-6 * np.abs(values) + 1e-4 * spread, 1e-12))


def _ascending(edges: Array) -> tuple[float, ...]:
    """The edges in order, each once, with nine digits: what differs less is one edge."""
    return tuple(sorted({float(f"{edge:.9g}") for edge in edges.tolist()}))


def _distinct(features: tuple[Feature, ...]) -> tuple[Feature, ...]:
    """The features, with the side before a name that comes twice."""
    times = collections.Counter(feature.name for feature in features)
    return tuple(dataclasses.replace(f, name=f"{f.side}:{f.name}") if times[f.name] > 1 else f for f in features)
