"""From tensors to monitored features, and from features to bin counts: vectorized numpy, integer counts that add up.

A feature takes one value per row (a *statistic* of one tensor) and counts it into fixed bins:

- numeric, edges ``e1 < … < ek``: below e1, the k - 1 bins [e1, e2) …, at or above ek, NaN, +Inf, -Inf: k + 4 counts;
- category, K known values and R groups of rare ones: one count each, unknown, missing: K + R + 2 counts.

So counts of windows, devices and sites merge by addition, exactly.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
import hashlib
import re
from typing import Any, Final

import numpy as np

from sealift_core.drift.statistic import NUMBERS, STATISTICS, measure
from sealift_core.errors import DocumentError, LimitError
from sealift_core.schema.documents import Document, Json

Array = np.ndarray[Any, np.dtype[Any]]

SIDES: Final = ("input", "output")
KINDS: Final = ("numeric", "category")
MAX_EDGES: Final = 33
MAX_CATEGORIES: Final = 1000 - 2
MAX_CATEGORY_CHARACTERS: Final = 200
MAX_RARE_GROUPS: Final = 16
#: Of all groups together.
MAX_RARE: Final = 4_096
#: A rare value is known by the first hex digits of its SHA-256: its words are nobody's business, and another value is taken for one of 4,096 rare
#: ones once in a million.
RARE_CHARACTERS: Final = 8
#: Floats beyond are one category; the next float is no int64.
_LARGEST: Final = float(2**63 - 1024)
#: More rows than any holdout has; beyond, sums would not be exact.
MAX_ROWS: Final = 2**53
_RARE_GROUP: Final = re.compile(rf"(?:[0-9a-f]{{{RARE_CHARACTERS}}})+")
#: The window sizes, in rows, for which a baseline has thresholds; between them everything is interpolated in 1/n.
WINDOW_SIZES: Final = (100, 300, 1_000, 3_000, 10_000, 100_000)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """One monitored value per row, how it is binned, and what the holdout looked like.

    Attributes:
        name: For people, different from that of any other feature.
        side: ``input`` or ``output``.
        tensor: The name of the input or output.
        statistic: One of `STATISTICS`: what is taken of each row.
        kind: ``numeric`` or ``category``.
        counts: The holdout's rows in each bin.
        null_means: The mean Jensen-Shannon divergence, in bits, between the holdout and a window without any shift, at each of `WINDOW_SIZES`.
        null_deviations: The standard deviation of the same.
        thresholds: The Jensen-Shannon distance above which a window has drifted, at each of `WINDOW_SIZES`.
        index: The column for the statistic ``column``.
        edges: The bins' edges for ``numeric``, ascending.
        categories: The known values for ``category``, as text.
        rare: For ``category``, the values that were seen but aren't listed, in groups of one bin each: what `rare_digest` gave for each value of a
            group, as one text. None if every value that was seen is listed.
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
    rare: tuple[str, ...] | None = None

    @classmethod
    def parse(cls, document: Document) -> Feature:
        """Read one feature of a baseline.

        Args:
            document: Its table.

        Returns:
            The feature.

        Raises:
            DocumentError: If a field is missing, of another type or out of range, the edges don't ascend, or a list has another length than it must.
            LimitError: If a list or a text is too long, or there are too many rows or rare values.
        """
        feature = cls(
            name=document.text("name", max_characters=500),
            side=document.text("side", one_of=SIDES),
            tensor=document.text("tensor", max_characters=500),
            statistic=document.text("statistic", one_of=STATISTICS),
            kind=document.text("kind", one_of=KINDS),
            index=document.integer("index", 0, minimum=0, maximum=2**31),
            edges=document.numbers("edges", (), max_items=MAX_EDGES),
            categories=document.texts("categories", (), max_items=MAX_CATEGORIES),
            rare=document.texts("rare", max_items=MAX_RARE_GROUPS) if document.has("rare") else None,
            counts=document.integers("counts", minimum=0, max_items=MAX_CATEGORIES + 2),
            null_means=document.numbers("null_means", minimum=0, max_items=len(WINDOW_SIZES)),
            null_deviations=document.numbers("null_deviations", minimum=0, max_items=len(WINDOW_SIZES)),
            thresholds=document.numbers("thresholds", minimum=0, max_items=len(WINDOW_SIZES)),
        )
        feature.check(document.where)
        return feature

    def check(self, where: str) -> None:
        """Check that the parts fit together.

        Args:
            where: What errors call the feature.

        Raises:
            DocumentError: If the edges don't ascend, a category is there twice, a rare value is no digest, or a list has another length than it must.
            LimitError: If there are too many rows or rare values.
        """
        if any(low >= high for low, high in zip(self.edges, self.edges[1:], strict=False)):
            raise DocumentError("the edges don't ascend", where=f"{where}.edges")
        if len(set(self.categories)) != len(self.categories):
            raise DocumentError("a category is listed twice", where=f"{where}.categories")
        if self.rows > MAX_ROWS:
            raise LimitError("too many rows", where=f"{where}.counts", expected=f"at most {MAX_ROWS}", found=str(self.rows))
        if sum(map(len, self.rare or ())) > RARE_CHARACTERS * MAX_RARE:
            raise LimitError("too many rare values", where=f"{where}.rare", expected=f"at most {MAX_RARE}")
        if not all(map(_RARE_GROUP.fullmatch, self.rare or ())):
            raise DocumentError("not a group of rare values", where=f"{where}.rare", expected=f"{RARE_CHARACTERS} hex digits for each value")
        lengths = {"counts": self.bins, **dict.fromkeys(("null_means", "null_deviations", "thresholds"), len(WINDOW_SIZES))}
        for field, length in lengths.items():
            count = len(getattr(self, field))
            if count != length:
                raise DocumentError("wrong length", where=f"{where}.{field}", expected=str(length), found=str(count))

    def json(self) -> dict[str, Json]:
        """Write the feature as a baseline does; the list that its kind doesn't have is left out."""
        fields: dict[str, Json] = dataclasses.asdict(self)
        fields.pop("categories" if self.kind == "numeric" else "edges")
        if self.rare is None:
            fields.pop("rare")
        return fields

    @property
    def bins(self) -> int:
        """How many counts this feature has."""
        if self.kind == "numeric":
            return len(self.edges) + 4
        return len(self.categories) + len(self.rare or ()) + 2

    @property
    def rows(self) -> int:
        """How many holdout rows were counted."""
        return sum(self.counts)

    def missing(self, counts: Array) -> int:
        """Count the rows without a value.

        Args:
            counts: Counts in this feature's bins, ``[bins]``.

        Returns:
            The rows whose value is NaN, empty or absent.
        """
        return int(counts[len(self.edges) + 1] if self.kind == "numeric" else counts[-1])

    def outside(self, counts: Array) -> int:
        """Count the rows with a value that the holdout didn't have.

        Args:
            counts: Counts in this feature's bins, ``[bins]``.

        Returns:
            The rows whose value is out of the holdout's range, infinite, or a category that it didn't know.
        """
        if self.kind != "numeric":
            return int(counts[-2])
        edges = len(self.edges)
        above = counts[edges] if edges else 0  # without edges, one bin has every number
        return int(counts[0] + above + counts[edges + 2] + counts[edges + 3])

    def count(self, array: Array) -> Array:
        """Count the rows of this feature's tensor into its bins.

        Args:
            array: The tensor, ``[rows, …]``.

        Returns:
            The counts, ``int64 [bins]``.
        """
        return self.count_values(measure(self.statistic, self.index, array))

    def count_values(self, values: Array) -> Array:
        """Count values into this feature's bins.

        Args:
            values: What `measure` gave, ``[rows]``; a category of dtype float has NaN for missing.

        Returns:
            The counts, ``int64 [bins]``.
        """
        return count_numbers(values, self.edges) if self.kind == "numeric" else count_categories(values, self.categories, self.rare)


def count_numbers(values: Array, edges: tuple[float, ...]) -> Array:
    """Count numbers into the bins between edges, in the layout of numeric features.

    Args:
        values: The numbers, ``[rows]``, of any numeric dtype; values that are no numbers count as missing.
        edges: The bins' edges, ascending.

    Returns:
        The counts, ``int64 [edges + 4]``.
    """
    if values.dtype.kind not in NUMBERS:
        values = np.full(len(values), np.nan)
    with np.errstate(over="ignore"):
        numbers = np.asarray(values, dtype=np.float64)
    places = np.searchsorted(np.asarray(edges, dtype=np.float64), numbers, side="right")
    odd = ~np.isfinite(numbers)
    if odd.any():
        offsets = np.where(np.isnan(numbers), 1, np.where(numbers > 0, 2, 3))
        places = np.where(odd, len(edges) + offsets, places)
    return np.bincount(places, minlength=len(edges) + 4)


def count_categories(values: Array, categories: tuple[str, ...], rare: tuple[str, ...] | None = None) -> Array:
    """Count values by their text, in the layout of category features.

    Args:
        values: The values, ``[rows]``, of any dtype.
        categories: The known values, as text.
        rare: The groups of rare values, as a feature has them.

    Returns:
        The counts, ``int64 [categories + groups + 2]``.
    """
    places = {text: place for place, text in enumerate(categories)}
    groups = _groups(rare) if rare else {}
    counts = np.zeros(len(categories) + len(rare or ()) + 2, dtype=np.int64)
    for text, count in tally(values).items():
        place = places.get(text) if text else -1
        if place is None:
            group = groups.get(rare_digest(text)) if groups else None
            place = -2 if group is None else len(categories) + group
        counts[place] += count
    return counts


def rare_digest(text: str) -> str:
    """Write a value down so that it can be told from others, but not read.

    Args:
        text: A value as `tally` gives it.

    Returns:
        The first `RARE_CHARACTERS` hex digits of its SHA-256.
    """
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:RARE_CHARACTERS]


@functools.lru_cache(maxsize=1_024)
def _groups(rare: tuple[str, ...]) -> dict[str, int]:
    """The group of each rare value's digest."""
    size = RARE_CHARACTERS
    return {texts[at : at + size]: group for group, texts in enumerate(rare) for at in range(0, len(texts), size)}


def tally(values: Array) -> collections.Counter[str]:
    """Count how often each value comes, by its text.

    Args:
        values: The values, ``[rows]``, of any dtype; floats count as whole numbers.

    Returns:
        The number of rows of each text, whose first 200 characters count; ``""`` stands for what is missing (None, an empty text, or a float that
        isn't finite).
    """
    if values.dtype.kind in "OSU":
        return collections.Counter(_text(value) for value in values.tolist())
    missing = 0
    if values.dtype.kind == "f":
        present = np.isfinite(values)
        missing = int(values.size - present.sum())
        values = np.clip(values[present].astype(np.float64), -_LARGEST, _LARGEST).astype(np.int64)
    distinct, counts = np.unique(values, return_counts=True)
    texts = (str(value).lower() for value in distinct.tolist())
    return collections.Counter(dict(zip(texts, counts.tolist(), strict=True)) | ({"": missing} if missing else {}))


def _text(value: object) -> str:
    text = value.decode(errors="replace") if isinstance(value, bytes) else "" if value is None else str(value)
    return text[:MAX_CATEGORY_CHARACTERS]
