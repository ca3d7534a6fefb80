"""What a device tells the hub: numbered, hash-chained, signed by the device.

A report is a DSSE envelope with payload type `PAYLOAD_TYPE`. Its payload carries a number, one more than the report
before, and that report's digest, so a gap, a replay or a forgery shows. The device's id is the fingerprint of its
public key, so nobody can take another's.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping
from typing import Any, Final

from sealift_core.bundle.digest import Digest
from sealift_core.clock import format_time
from sealift_core.errors import DocumentError, LimitError, ReportError
from sealift_core.messages.histogram import BUCKETS
from sealift_core.schema.documents import Document, Json, canonical_json
from sealift_core.schema.strict_json import ENVELOPE_BUDGET
from sealift_core.signing.dsse import Envelope
from sealift_core.signing.keys import PublicKey, Signer

SCHEMA: Final = "sealift.report"
PAYLOAD_TYPE: Final = "application/vnd.sealift.report.v1+json"
MAX_REPORT_BYTES: Final = 16 * 2**20
#: Of a report's facts about its machine, and of a window's kinds of failures; and of each name.
MAX_NAMES: Final = 100
MAX_NAME_CHARACTERS: Final = 100
#: Of what is told of a model that isn't as its channel says.
MAX_STANDING_CHARACTERS: Final = 4000
DEVICE_ID: Final = r"[0-9a-f]{64}"
#: The kinds of failures that are the client's own: a request that the model refuses says nothing of the model.
CLIENT_FAILURES: Final = frozenset({"bad-request"})


def model_failures(failures: Mapping[str, int]) -> int:
    """Count what a model, or the agent, failed with.

    Args:
        failures: How many requests weren't answered, by the kind of failure.

    Returns:
        Their number, without those of `CLIENT_FAILURES`.
    """
    return sum(count for failure, count in failures.items() if failure not in CLIENT_FAILURES)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One entry of the device's ledger.

    Attributes:
        number: Its number in the ledger, from 1.
        time: When it happened, in UTC, by the device's clock.
        kind: Such as ``installed``, ``rejected``, ``rolled-back``.
        model: The model that it is about; empty for none.
        version: The model's version; empty for none.
        detail: What happened, in words.
    """

    number: int
    time: datetime.datetime
    kind: str
    model: str = ""
    version: str = ""
    detail: str = ""

    @classmethod
    def parse(cls, document: Document) -> Event:
        """Read an event.

        Args:
            document: Its table in a report.

        Returns:
            The event.

        Raises:
            DocumentError: If a field is missing, of another type, or out of range.
            LimitError: If a text is too long.
        """
        return cls(
            number=document.integer("number", minimum=1),
            time=document.time("time"),
            kind=document.text("kind", max_characters=100),
            model=document.text("model", "", max_characters=128),
            version=document.text("version", "", max_characters=128),
            detail=document.text("detail", "", max_characters=10_000),
        )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FeatureDrift:
    """One monitored feature in one window.

    Attributes:
        name: The feature's name in the baseline.
        counts: The rows in each of the baseline's bins.
        distance: The Jensen-Shannon distance to the baseline, 0 to 1 (base 2).
        psi: The population stability index.
        threshold: The distance above which a window of this size has drifted.
        missing: The fraction of NaN or absent values, 0 to 1.
        alarm: Whether the feature has drifted.
    """

    name: str
    counts: tuple[int, ...]
    distance: float
    psi: float
    threshold: float
    missing: float
    alarm: bool

    @classmethod
    def parse(cls, document: Document) -> FeatureDrift:
        """Read a feature's drift.

        Args:
            document: Its table in a window.

        Returns:
            The feature's drift.

        Raises:
            DocumentError: If a field is missing, of another type, or negative.
            LimitError: If there are too many bins, or the name is too long.
        """
        numbers = ("distance", "psi", "threshold", "missing")
        return cls(
            name=document.text("name", max_characters=500),
            counts=document.integers("counts", minimum=0, max_items=1000),
            alarm=document.boolean("alarm"),
            **{name: document.number(name, minimum=0) for name in numbers},
        )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What one model did in one stretch of time.

    Attributes:
        model: The model's name.
        version: Its version.
        bundle: The digest of the bundle's OCI manifest.
        start: When the window began, in UTC.
        end: When it ended, in UTC.
        requests: How many requests were answered.
        rows: How many rows were counted into ``features``.
        failures: How many requests were not, by the kind of failure.
        latency_counts: The requests in each bucket of `histogram`.
        features: Empty while too few rows were seen for a verdict.
        merged: How many windows it was made of while they waited for the hub.
    """

    model: str
    version: str
    bundle: Digest
    start: datetime.datetime
    end: datetime.datetime
    requests: int
    rows: int
    failures: Mapping[str, int]
    latency_counts: tuple[int, ...]
    features: tuple[FeatureDrift, ...]
    merged: int = 1

    @property
    def drifted(self) -> tuple[str, ...]:
        """The names of the features with an alarm."""
        return tuple(feature.name for feature in self.features if feature.alarm)

    @classmethod
    def parse(cls, document: Document) -> Window:
        """Read a window.

        Args:
            document: Its table in a report.

        Returns:
            The window.

        Raises:
            DocumentError: If a field is missing, of another type, or out of range, or the number of buckets is another.
            LimitError: If a list or a text is too long.
        """
        failures = document.document("failures", {})
        counts = document.integers("latency_counts", minimum=0, max_items=BUCKETS)
        if len(counts) != BUCKETS:
            raise DocumentError("wrong number of buckets", where=f"{document.where}.latency_counts", expected=str(BUCKETS), found=str(len(counts)))
        return cls(
            model=document.text("model", max_characters=128),
            version=document.text("version", max_characters=128),
            bundle=Digest.parse(document.text("bundle"), where=document.where),
            start=document.time("start"),
            end=document.time("end"),
            requests=document.integer("requests", minimum=0),
            rows=document.integer("rows", minimum=0),
            failures={failure: failures.integer(failure, minimum=0) for failure in _bounded_names(failures)},
            latency_counts=counts,
            features=tuple(FeatureDrift.parse(feature) for feature in document.documents("features", max_items=10_000)),
            merged=document.integer("merged", 1, minimum=1),
        )

    def json(self) -> dict[str, Json]:
        """Write the window as a report does."""
        fields: dict[str, Any] = dataclasses.asdict(self)
        if self.merged == 1:
            fields.pop("merged")
        return fields | {"bundle": str(self.bundle), "start": format_time(self.start), "end": format_time(self.end)}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class InstalledModel:
    """A model that the device has.

    Attributes:
        name: The model's name.
        version: The version that serves now.
        bundle: The digest of its OCI manifest.
        profile: The name of the bundle's hardware profile.
        state: The state of the update to this version; ``committed`` once it is over.
        previous_version: The version that it could go back to; empty for none.
        channel_version: The version that the device's channel names; empty if it names none, or the device doesn't know.
        condition: How the model stands to the channel, in two or three words; empty where an older agent made the report.
        standing: What there is to tell of a model that isn't as the channel says: why, since when, and what to do; else empty.
    """

    name: str
    version: str
    bundle: str
    profile: str
    state: str
    previous_version: str = ""
    channel_version: str = ""
    condition: str = ""
    standing: str = ""

    @classmethod
    def parse(cls, document: Document) -> InstalledModel:
        """Read an installed model.

        Args:
            document: Its table in a report.

        Returns:
            The model.

        Raises:
            DocumentError: If a field is missing, or no text.
            LimitError: If a text is too long.
        """
        names = ("name", "version", "bundle", "profile", "state", "previous_version")
        later = {name: document.text(name, "", max_characters=200) for name in ("channel_version", "condition")}
        standing = document.text("standing", "", max_characters=MAX_STANDING_CHARACTERS)
        return cls(**{name: document.text(name, max_characters=200) for name in names}, **later, standing=standing)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A report's payload.

    Attributes:
        device: The device's id, which is the fingerprint of its key.
        number: One more than that of the report before, from 1.
        previous: The digest of the envelope bytes of the report before; None for number 1.
        created: When it was made, in UTC, by the device's clock.
        host: Facts about the machine, by name.
        models: What is installed.
        windows: The windows that ended since the report before.
        events: The ledger's entries since the report before.
    """

    device: str
    number: int
    previous: Digest | None
    created: datetime.datetime
    host: Mapping[str, str]
    models: tuple[InstalledModel, ...]
    windows: tuple[Window, ...]
    events: tuple[Event, ...]

    @classmethod
    def parse(cls, data: bytes, *, where: str) -> Report:
        """Read a payload whose signature was already checked.

        Args:
            data: The payload.
            where: What errors call it.

        Returns:
            The report.

        Raises:
            DocumentError: If it can't be read; `UnsupportedSchemaError` if it is of another major version.
            LimitError: If it, a list or a text is larger than its bound.
        """
        document = Document.parse_json(data, where=where, max_bytes=MAX_REPORT_BYTES)
        document.schema(SCHEMA, 1)
        host = document.document("host", {})
        return cls(
            device=document.text("device", pattern=DEVICE_ID),
            number=document.integer("number", minimum=1),
            previous=Digest.parse(document.text("previous"), where=where) if document.has("previous") else None,
            created=document.time("created"),
            host={key: host.text(key, max_characters=500) for key in _bounded_names(host)},
            models=tuple(InstalledModel.parse(table) for table in document.documents("models", max_items=1000)),
            windows=tuple(Window.parse(table) for table in document.documents("windows", max_items=10_000)),
            events=tuple(Event.parse(table) for table in document.documents("events", max_items=100_000)),
        )

    def to_bytes(self) -> bytes:
        """Write the payload; `parse` gives an equal report back."""
        fields: dict[str, Json] = {
            "schema": f"{SCHEMA}/1",
            "device": self.device,
            "number": self.number,
            "previous": str(self.previous) if self.previous else None,
            "created": format_time(self.created),
            "host": dict(self.host),
            "models": [dataclasses.asdict(model) for model in self.models],
            "windows": [window.json() for window in self.windows],
            "events": [dataclasses.asdict(event) | {"time": format_time(event.time)} for event in self.events],
        }
        return canonical_json(fields)


def _bounded_names(table: Document) -> list[str]:
    """The names of a table whose fields are the device's own choice; `LimitError` for too many, or one that is too long."""
    names = table.names()
    if len(names) > MAX_NAMES:
        raise LimitError("too many fields", where=table.where, expected=f"at most {MAX_NAMES}", found=str(len(names)))
    if (longest := max(map(len, names), default=0)) > MAX_NAME_CHARACTERS:
        raise LimitError("a name is too long", where=table.where, expected=f"at most {MAX_NAME_CHARACTERS} characters", found=str(longest))
    return names


def seal_report(report: Report, signer: Signer) -> bytes:
    """Sign a report and put it into an envelope.

    Args:
        report: The report.
        signer: The device's key.

    Returns:
        The envelope's bytes: what is spooled, sent and exported.
    """
    return canonical_json(Envelope.sign(PAYLOAD_TYPE, report.to_bytes(), signer).json())


def open_report(data: bytes, key: PublicKey, *, where: str) -> Report:
    """Check an envelope and read the report in it.

    1. The envelope is signed by ``key`` as a report.
    2. The report names the device whose id is ``key``'s fingerprint.
    3. The bytes are those that `seal_report` made: one canonical signature in canonical JSON. The next report chains to
       their digest, so whoever carries a report must not be able to rewrite it into another valid one.

    Args:
        data: The envelope's bytes.
        key: The device's public key.
        where: What errors call it.

    Returns:
        The report.

    Raises:
        SignatureError: If it isn't signed by ``key`` as a report (rule 1).
        DocumentError: If the envelope or the report can't be read.
        LimitError: If either is larger than its bound.
        ReportError: If it is another device's, or was rewritten (rules 2 and 3).
    """
    envelope = Envelope.parse(Document.parse_json(data, where=where, max_bytes=2 * MAX_REPORT_BYTES, budget=ENVELOPE_BUDGET))
    report = Report.parse(envelope.open(key, PAYLOAD_TYPE, where=where), where=where)  # 1
    if report.device != key.fingerprint:  # 2
        raise ReportError("the report is from another device", where=where, expected=key.fingerprint, found=report.device)
    signature = envelope.signatures[0]
    if len(envelope.signatures) > 1 or key.canonical_signature(signature) != signature or canonical_json(envelope.json()) != data:  # 3
        raise ReportError(
            "the report was changed on its way", where=where, expected="the bytes that the device made", advice="Use the file that the device wrote."
        )
    return report
