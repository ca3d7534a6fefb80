"""From tensors to monitored features, and from features to bin counts: vectorized numpy, integer counts that add up.

A feature takes one value per row (a *statistic* of one tensor) and counts it into fixed bins:

- numeric, edges ``e1 < … < ek``: below e1, the k - 1 bins [e1, e2) …, at or above ek, NaN, +Inf, -Inf: k + 4 counts;
- category, K known values: one count each, other, missing: K + 2 counts.

So counts of windows, devices and sites merge by addition, exactly.
"""

from __future__ import annotations

import collections
import dataclasses
from typing import Any, Final

import numpy as np

from sealift_core.drift.statistic import STATISTICS, measure
from sealift_core.errors import DocumentError
from sealift_core.schema.documents import Document, Json

Array = np.ndarray[Any, np.dtype[Any]]

SIDES: Final = ("input", "output")
KINDS: Final = ("numeric", "category")
MAX_EDGES: Final = 33
MAX_CATEGORIES: Final = 1000 - 2
MAX_CATEGORY_CHARACTERS: Final = 200
#: The window sizes, in rows, for which a baseline has thresholds; between them everything is interpolated in 1/n.
WINDOW_SIZES: Final = (100, 300, 1_000, 3_000, 10_000, 100_000)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """One monitored value per row, how it is binned, and what the holdout looked like.

    ``index`` is the column for the statistic ``column``. ``counts`` are the holdout's. ``null_means`` and
    ``null_deviations`` are the mean and standard deviation of the Jensen-Shannon divergence between the holdout and a
    window without any shift, ``thresholds`` the distances above which a window has drifted, each at `WINDOW_SIZES`.
    """

    name: str
    side: str
    tensor: str
    statistic: str
    kind: str
    counts: tuple[int, ...]
    null_means: tuple[float, ...]
    null_deviations: tuple[float, ...]
    thresholds: tuple[float, ...]
    index: int = 0
    edges: tuple[float, ...] = ()
    categories: tuple[str, ...] = ()

    @classmethod
    def parse(cls, document: Document) -> Feature:
        """Read one feature of a baseline; `DocumentError` unless edges ascend and every list has its length."""
        feature = cls(
            name=document.text("name", max_characters=500),
            side=document.text("side", one_of=SIDES),
            tensor=document.text("tensor", max_characters=500),
            statistic=document.text("statistic", one_of=STATISTICS),
            kind=document.text("kind", one_of=KINDS),
            index=document.integer("index", 0, minimum=0, maximum=2**31),
            edges=document.numbers("edges", (), max_items=MAX_EDGES),
            categories=document.texts("categories", (), max_items=MAX_CATEGORIES),
            counts=document.integers("counts", minimum=0, max_items=MAX_CATEGORIES + 2),
            null_means=document.numbers("null_means", minimum=0, max_items=len(WINDOW_SIZES)),
            null_deviations=document.numbers("null_deviations", minimum=0, max_items=len(WINDOW_SIZES)),
            thresholds=document.numbers("thresholds", minimum=0, max_items=len(WINDOW_SIZES)),
        )
        feature.check(document.where)
        return feature

    def check(self, where: str) -> None:
        """Raise `DocumentError` if the parts don't fit together."""
        if any(low >= high for low, high in zip(self.edges, self.edges[1:], strict=False)):
            raise DocumentError("the edges don't ascend", where=f"{where}.edges")
        if len(set(self.categories)) != len(self.categories):
            raise DocumentError("a category is there twice", where=f"{where}.categories")
        lengths = {"counts": self.bins, **dict.fromkeys(("null_means", "null_deviations", "thresholds"), len(WINDOW_SIZES))}
        for field, length in lengths.items():
            found = len(getattr(self, field))
            if found != length:
                raise DocumentError("wrong length", where=f"{where}.{field}", expected=str(length), found=str(found))

    def json(self) -> dict[str, Json]:
        """The feature as a baseline writes it; the list that its kind doesn't have is left out."""
        fields: dict[str, Json] = dataclasses.asdict(self)
        fields.pop("categories" if self.kind == "numeric" else "edges")
        return fields

    @property
    def bins(self) -> int:
        """How many counts this feature has."""
        return len(self.edges) + 4 if self.kind == "numeric" else len(self.categories) + 2

    @property
    def rows(self) -> int:
        """How many holdout rows were counted."""
        return sum(self.counts)

    def missing(self, counts: Array) -> int:
        """The rows of these counts whose value is NaN, empty or absent."""
        return int(counts[len(self.edges) + 1] if self.kind == "numeric" else counts[-1])

    def outside(self, counts: Array) -> int:
        """The rows of these counts whose value is out of the holdout's range, infinite, or a category it didn't know."""
        edges = len(self.edges)
        return int(counts[0] + counts[edges] + counts[edges + 2] + counts[edges + 3] if self.kind == "numeric" else counts[-2])

    def count(self, array: Array) -> Array:
        """Bin counts, ``int64 [bins]``, of the rows (axis 0) of this feature's tensor."""
        return self.count_values(measure(self.statistic, self.index, array))

    def count_values(self, values: Array) -> Array:
        """Bin counts of values that `measure` gave; a category of dtype float has NaN for missing."""
        return count_numbers(values, self.edges) if self.kind == "numeric" else count_categories(values, self.categories)


def count_numbers(values: Array, edges: tuple[float, ...]) -> Array:
    """Counts of numbers in the bins between ``edges``, in the layout of numeric features."""
    numbers = np.asarray(values, dtype=np.float64)
    places = np.searchsorted(np.asarray(edges, dtype=np.float64), numbers, side="right")
    odd = ~np.isfinite(numbers)
    if odd.any():
        kinds = np.where(np.isnan(numbers), 1, np.where(numbers > 0, 2, 3))
        places = np.where(odd, len(edges) + kinds, places)
    return np.bincount(places, minlength=len(edges) + 4)


def count_categories(values: Array, categories: tuple[str, ...]) -> Array:
    """Counts of values by their text, in the layout of category features."""
    places = {text: place for place, text in enumerate(categories)}
    counts = np.zeros(len(categories) + 2, dtype=np.int64)
    for text, count in tally(values).items():
        counts[places.get(text, -2) if text else -1] += count
    return counts


def tally(values: Array) -> collections.Counter[str]:
    """How often each value comes, by its text; ``""`` is missing (None, an empty text, or NaN)."""
    if values.dtype.kind in "OSU":
        return collections.Counter(_text(value) for value in values.tolist())
    missing = 0
    if values.dtype.kind == "f":
        present = np.isfinite(values)
        missing = int(values.size - present.sum())
        values = values[present].astype(np.int64)
    found, counts = np.unique(values, return_counts=True)
    texts = (str(value).lower() for value in found.tolist())
    return collections.Counter(dict(zip(texts, counts.tolist(), strict=True)) | ({"": missing} if missing else {}))


def _text(value: object) -> str:
    text = value.decode(errors="replace") if isinstance(value, bytes) else "" if value is None else str(value)
    return text[:MAX_CATEGORY_CHARACTERS]
