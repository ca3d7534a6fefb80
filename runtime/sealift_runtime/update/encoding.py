"""An update as the database's JSON, and back."""

from __future__ import annotations

import dataclasses
import json
from typing import Any, Final

from sealift_core.bundle.digest import Digest
from sealift_core.clock import format_time
from sealift_core.schema.documents import Document
from sealift_runtime.update.records import Probation, ServingCounters, Update
from sealift_runtime.update.table import State

MAX_BYTES = 64 * 1024
_COUNTS: Final = ("requests", "failures", "nonfinite")


def update_to_json(update: Update) -> str:
    """One line of JSON."""
    fields = {field.name: getattr(update, field.name) for field in dataclasses.fields(update)}
    times = {name: format_time(fields[name]) if fields[name] else None for name in ("held_since", "retry_at")}
    bundle = str(update.bundle) if update.bundle else None
    return json.dumps(fields | times | {"release": str(update.release), "bundle": bundle, "probation": _probation_json(update.probation)})


def update_from_json(text: str) -> Update:
    """The reverse of `update_to_json`."""
    document = Document.parse_json(text.encode(), where="state.sqlite: updates", max_bytes=MAX_BYTES)
    return Update(
        name=document.text("name"),
        version=document.text("version"),
        state=State(document.text("state", one_of=tuple(State))),
        release=Digest.parse(document.text("release"), where=document.where),
        release_size=document.integer("release_size", minimum=0),
        bundle=Digest.parse(document.text("bundle"), where=document.where) if document.has("bundle") else None,
        bundle_size=document.integer("bundle_size", minimum=0),
        profile=document.text("profile"),
        attempts=document.integer("attempts", minimum=0),
        probation=_probation(document.document("probation")) if document.has("probation") else None,
        reason=document.text("reason"),
        hindrances=document.integer("hindrances", 0, minimum=0),
        held_since=document.time("held_since") if document.has("held_since") else None,
        retry_at=document.time("retry_at") if document.has("retry_at") else None,
        repair=document.boolean("repair", False),
    )


def _probation_json(probation: Probation | None) -> dict[str, Any] | None:
    if probation is None:
        return None
    return {
        "started": format_time(probation.started),
        "deadline": format_time(probation.deadline),
        "start": _counters_json(probation.start),
        "before": _counters_json(probation.before) if probation.before else None,
    }


def _probation(document: Document) -> Probation:
    return Probation(
        started=document.time("started"),
        deadline=document.time("deadline"),
        start=_counters(document.document("start")),
        before=_counters(document.document("before")) if document.has("before") else None,
    )


def _counters_json(counters: ServingCounters) -> dict[str, Any]:
    """The counts that a restart continues from. An agent of an earlier version reads ``memory_bytes``."""
    return {**{name: getattr(counters, name) for name in _COUNTS}, "latency_counts": list(counters.latency_counts), "memory_bytes": 0}


def _counters(document: Document) -> ServingCounters:
    requests, failures, nonfinite = (document.integer(name, minimum=0) for name in _COUNTS)
    latency_counts = document.integers("latency_counts", minimum=0, max_items=1000)
    return ServingCounters(requests=requests, failures=failures, nonfinite=nonfinite, latency_counts=latency_counts)
