"""Releases that something is to be said of, such as withdrawn ones: an event when one is new, and a setting for whoever asks how things stand."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Final

from sealift_core.terminal.records import facts
from sealift_runtime.update.context import Context
from sealift_runtime.update.state import StateDatabase

#: Releases that serve here though their publisher withdrew them. The name of the setting, and the kind of event.
WITHDRAWN: Final = "withdrawn"
#: Releases that the channel names, and the kit that was last read was built without.
LEFT_OUT: Final = "left-out"
_LOG: Final = logging.getLogger("sealift.update")


def note(context: Context, kind: str, releases: Iterable[tuple[str, str]], detail: str) -> None:
    """Remember the releases of a kind, by name and version, and tell those that are new."""
    before, now = noted(context.state, kind), frozenset(releases)
    if now == before:
        return
    with context.state.transaction():
        context.state.set_setting(kind, " ".join(f"{name}/{version}" for name, version in sorted(now)) or None)
        for name, version in sorted(now - before):
            _LOG.info("%s %s: %s: %s", name, version, kind, detail, extra=facts(model=name, version=version, event=kind))
            context.state.record(kind, model=name, version=version, detail=detail, now=context.clock.now())


def noted(state: StateDatabase, kind: str) -> frozenset[tuple[str, str]]:
    """The releases of a kind, by name and version."""
    parts = (word.partition("/") for word in (state.setting(kind) or "").split())
    return frozenset((name, version) for name, _, version in parts)
