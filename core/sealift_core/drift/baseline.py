"""baseline.json: the holdout's counts per feature, and the distances above which a window has drifted.

The thresholds belong to a stated rate: without any shift, and with rows that are as independent as the holdout's, a
model raises less than one false alarm in `expected_windows_between_false_alarms` windows, all its features together.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Sequence
from typing import Final

import numpy as np

from sealift_core.bundle.limits import LIMITS
from sealift_core.drift.features import WINDOW_SIZES, Feature
from sealift_core.errors import DocumentError
from sealift_core.schema.documents import Document, canonical_json

SCHEMA: Final = "sealift.baseline"
#: The first version has no bin for rare values. It is still written where no feature needs one, so that devices of before can read it.
FIRST: Final = 1
RARE_APART: Final = 2
MAX_FEATURES: Final = 4_096
#: One false alarm in 90 days of hourly windows.
DEFAULT_EXPECTED_WINDOWS: Final = 90 * 24
_INVERSE_SIZES: Final = 1.0 / np.array(WINDOW_SIZES[::-1], dtype=np.float64)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """What the holdout looked like; without features nothing is watched for drift.

    Attributes:
        rows: The holdout's rows that were counted.
        features: The monitored features, with different names.
        expected_windows_between_false_alarms: The rate that the thresholds belong to, for all features together.
    """

    rows: int
    features: tuple[Feature, ...]
    expected_windows_between_false_alarms: int = DEFAULT_EXPECTED_WINDOWS

    @classmethod
    def empty(cls) -> Baseline:
        """Make a baseline without features, for a bundle packed without data."""
        return cls(rows=0, features=())

    @classmethod
    def parse(cls, data: bytes, *, where: str = "baseline.json") -> Baseline:
        """Read ``baseline.json``.

        Args:
            data: The file's bytes.
            where: What errors call the file; they add the path of the field.

        Returns:
            The baseline.

        Raises:
            DocumentError: If a field is missing, of another type, or out of range, if two features have one name, or the window sizes are others.
            UnsupportedSchemaError: If it is of another major version.
            LimitError: If it or a list is larger than its bound.
        """
        document = Document.parse_json(data, where=where, max_bytes=LIMITS.baseline_bytes)
        document.schema(SCHEMA, FIRST if document.text("schema") == f"{SCHEMA}/{FIRST}" else RARE_APART)
        features = tuple(Feature.parse(table) for table in document.documents("features", max_items=MAX_FEATURES))
        names = [feature.name for feature in features]
        if len(set(names)) != len(names):
            twice = next(name for name, count in collections.Counter(names).items() if count > 1)
            raise DocumentError("two features have one name", where=f"{where}: features", found=repr(twice))
        sizes = document.integers("window_sizes", minimum=1, max_items=len(WINDOW_SIZES))
        if sizes != WINDOW_SIZES:
            raise DocumentError("the window sizes differ", where=f"{where}: window_sizes", expected=str(WINDOW_SIZES), found=str(sizes))
        return cls(
            rows=document.integer("rows", minimum=0),
            features=features,
            expected_windows_between_false_alarms=document.integer("expected_windows_between_false_alarms", minimum=1, maximum=10**9),
        )

    def to_bytes(self) -> bytes:
        """Write ``baseline.json``; `parse` gives an equal baseline back."""
        rare_apart = any(feature.rare is not None for feature in self.features)
        return canonical_json(
            {
                "schema": f"{SCHEMA}/{RARE_APART if rare_apart else FIRST}",
                "rows": self.rows,
                "window_sizes": list(WINDOW_SIZES),
                "expected_windows_between_false_alarms": self.expected_windows_between_false_alarms,
                "features": [feature.json() for feature in self.features],
            }
        )


def at_size(values: Sequence[float], rows: int) -> float:
    """Interpolate values that are given at `WINDOW_SIZES`: linear in 1/n, as the null divergence is.

    Beyond the first and the last size the nearest segment is continued.

    Args:
        values: One for each of `WINDOW_SIZES`: a feature's ``null_means``, ``null_deviations`` or ``thresholds``.
        rows: The size of the window, at least 1.

    Returns:
        The value for this size, at least 0.
    """
    heights = values[::-1]
    inverse = 1.0 / rows
    place = int(np.clip(np.searchsorted(_INVERSE_SIZES, inverse), 1, len(heights) - 1))
    low, high = float(_INVERSE_SIZES[place - 1]), float(_INVERSE_SIZES[place])
    return max(0.0, heights[place - 1] + (heights[place] - heights[place - 1]) * (inverse - low) / (high - low))
