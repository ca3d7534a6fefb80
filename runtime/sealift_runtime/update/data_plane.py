"""What the updater needs of a running data plane, and the one to use where none runs."""

from __future__ import annotations

from typing import Protocol

from sealift_runtime.update.desired import DesiredState
from sealift_runtime.update.records import ServingCounters


class DataPlaneLink(Protocol):
    """The way to a data plane that does what it is sent."""

    def generation(self) -> int | None:
        """The generation of the document that it goes by, 0 if it has none; None when no data plane runs."""

    def follow(self, desired: DesiredState, model: str = "", checked: str | None = None) -> None:
        """Send a document, and wait until it is done: what is to serve is loaded beside the old, then takes its place.

        `EngineError` if the current bundle of ``model`` can't serve, `IntegrityError` if it was damaged; the old one serves on then. What can't
        be loaded of other models is no error here. A bundle is checked to the last byte first, unless the files of ``model``'s are those that
        were ``checked`` a moment ago (their `bundle.files.state` then).

        It is called again after crashes and roll-backs: what serves already isn't loaded again. `UpdateError` for a document that is older
        than the one that the data plane goes by.
        """

    def counters(self, name: str) -> ServingCounters | None:
        """What the model that serves under this name did since it was loaded; None when nothing serves."""


class NoDataPlane:
    """No data plane runs: the next one to start reads the document from disk."""

    def generation(self) -> int | None:
        """None runs."""
        return None

    def follow(self, desired: DesiredState, model: str = "", checked: str | None = None) -> None:
        """Nothing to do."""

    def counters(self, name: str) -> ServingCounters | None:  # noqa: ARG002
        """Nothing serves."""
        return None
