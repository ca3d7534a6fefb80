"""What the updater needs of a running data plane, and the one to use where none runs."""

from __future__ import annotations

from typing import Protocol

from sealift_runtime.update.records import ServingCounters


class Server(Protocol):
    """A data plane that serves what the state database says."""

    def activate(self, name: str, checked: str | None = None) -> None:
        """Serve what the database says is current, or nothing if it has no such model; `EngineError` if that can't be.

        It is checked to the last byte first, unless its files are those that were ``checked`` a moment ago (their `bundle.files.state` then).

        After an error the old bundle still serves. It is called again after crashes and roll-backs: to activate what
        already serves does nothing.
        """

    def counters(self, name: str) -> ServingCounters | None:
        """What the model that serves under this name did since it was loaded; None when nothing serves."""


class NoServer:
    """No data plane runs: the next one to start loads what the database says."""

    def activate(self, name: str, checked: str | None = None) -> None:
        """Nothing to do."""

    def counters(self, name: str) -> ServingCounters | None:  # noqa: ARG002
        """Nothing serves."""
        return None
