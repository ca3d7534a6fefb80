"""A window that is still open, as it is kept on disk: pure. Whoever starts anew goes on with it, or closes it as it is."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping
from typing import Any

from sealift_core.bundle.digest import Digest
from sealift_core.clock import format_time
from sealift_core.errors import DocumentError
from sealift_core.messages.histogram import BUCKETS
from sealift_core.messages.report import MAX_NAMES, FeatureDrift, Window
from sealift_core.schema.documents import Document, Json

MAX_FEATURES = 10_000
MAX_REMEMBERED = 100


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OpenWindow:
    """What was counted so far.

    Attributes:
        start: When the window began, in UTC.
        saved: When this was written, in UTC.
        elapsed_s: How long it was open, without the time in which nothing ran.
        requests: How many requests were answered.
        failures: How many were not, by the kind of failure.
        latency_counts: The requests in each bucket.
        rows: How many rows are in the bins.
        features: The bins of each feature, without a verdict.
        recent: Which features were significant in each of the last windows.
    """

    start: datetime.datetime
    saved: datetime.datetime
    elapsed_s: float = 0.0
    requests: int = 0
    failures: Mapping[str, int] = dataclasses.field(default_factory=dict)
    latency_counts: tuple[int, ...] = (0,) * BUCKETS
    rows: int = 0
    features: tuple[FeatureDrift, ...] = ()
    recent: tuple[tuple[bool, ...], ...] = ()

    @classmethod
    def parse(cls, document: Document) -> OpenWindow:
        """Read what `json` wrote. Raises `DocumentError` or `LimitError`."""
        failures = document.document("failures")
        latency_counts = document.integers("latency_counts", minimum=0, max_items=BUCKETS)
        features = tuple(FeatureDrift.parse(feature) for feature in document.documents("features", max_items=MAX_FEATURES))
        recent = tuple(
            row.integers("significant", minimum=0, max_items=MAX_FEATURES) for row in document.documents("recent", max_items=MAX_REMEMBERED)
        )
        if len(latency_counts) != BUCKETS or any(place >= len(features) for row in recent for place in row):
            raise DocumentError("the parts of an open window don't fit together", where=document.where)
        return cls(
            start=document.time("start"),
            saved=document.time("saved"),
            elapsed_s=document.number("elapsed_s", minimum=0),
            requests=document.integer("requests", minimum=0),
            failures={name: failures.integer(name, minimum=0) for name in failures.names()[: MAX_NAMES + 1]},
            latency_counts=latency_counts,
            rows=document.integer("rows", minimum=0),
            features=features,
            recent=tuple(tuple(place in set(row) for place in range(len(features))) for row in recent),
        )

    def json(self) -> dict[str, Json]:
        """Write the window; `parse` gives an equal one back."""
        fields: dict[str, Any] = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        recent = [{"significant": [place for place, flag in enumerate(row) if flag]} for row in self.recent]
        features = [dataclasses.asdict(feature) for feature in self.features]
        return fields | {"start": format_time(self.start), "saved": format_time(self.saved), "features": features, "recent": recent}

    @property
    def is_worth_keeping(self) -> bool:
        """Whether a process that goes on from it would know more than one that begins."""
        return not self.is_empty or any(map(any, self.recent))

    @property
    def is_empty(self) -> bool:
        """Whether nothing was counted."""
        return not (self.requests or self.failures or self.rows)

    def close(self, model: str, version: str, bundle: Digest) -> Window:
        """The window as it is, without a verdict."""
        return Window(
            model=model,
            version=version,
            bundle=bundle,
            start=min(self.start, self.saved),
            end=self.saved,
            requests=self.requests,
            rows=self.rows,
            failures=self.failures,
            latency_counts=self.latency_counts,
            features=self.features if self.rows else (),
        )
