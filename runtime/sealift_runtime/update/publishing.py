"""The desired state on its way to the data plane: made from the database, kept on disk, sent."""

from __future__ import annotations

import dataclasses
import logging
from typing import Final

from sealift_core.errors import DocumentError, IntegrityError, LimitError
from sealift_runtime.update.data_plane import DataPlaneLink
from sealift_runtime.update.desired import DataPlaneSettings, DesiredState, update_name
from sealift_runtime.update.desired_file import DesiredFile
from sealift_runtime.update.records import Deployment
from sealift_runtime.update.state import StateDatabase
from sealift_runtime.update.table import State

_LOG: Final = logging.getLogger("sealift.update")


class Publisher:
    """Makes the data plane do what the database says. Used by the holder of the home's lock only.

    ``settings`` are those of agent.toml. They go into the first document, and into one that is published to ``renew`` them, which is when an
    agent starts: until then a running data plane keeps the ones it has.
    """

    def __init__(self, state: StateDatabase, file: DesiredFile, link: DataPlaneLink, settings: DataPlaneSettings | None = None) -> None:
        self._state = state
        self._file = file
        self._link = link
        self._settings = settings or DataPlaneSettings()

    def publish(self, model: str = "", checked: str | None = None, *, renew: bool = False) -> None:
        """Bring document and data plane up to date; nothing happens where they are, unless a ``model`` is to be activated.

        1. The document is made from the database. It is a new generation if it says something new.
        2. It is durable before it is sent, so a data plane that dies meanwhile starts with it. If it can't be written, it is sent even so.
        3. It is sent if the data plane goes by another one. If that is a newer one, this device's document was lost; then this one is made newer.

        Raises what `DataPlaneLink.follow` and `DesiredFile.write` do. A crash at any point leaves a data plane that does what the old or the new
        document says; the next call makes it the new one.
        """
        kept = self._kept()
        desired = self._desired(kept, model, renew=renew)  # 1
        try:
            if desired != kept:
                self._file.write(desired)  # 2
        finally:
            self._send(desired, model, checked)  # 3

    def _send(self, desired: DesiredState, model: str, checked: str | None) -> None:
        running = self._link.generation()
        if running is None:
            return
        if running > desired.generation:
            desired = dataclasses.replace(desired, generation=running + 1)
            self._file.write(desired)
        if model or running != desired.generation:
            self._link.follow(desired, model, checked)

    def _kept(self) -> DesiredState | None:
        try:
            return self._file.read()
        except (DocumentError, IntegrityError, LimitError) as error:
            _LOG.warning("%s; it is made anew from the database", error)
            return None

    def _desired(self, kept: DesiredState | None, model: str, *, renew: bool) -> DesiredState:
        before = kept or DesiredState()
        deployed = [deployment for deployment in self._state.deployments() if deployment.current]
        unknown = [other for other in before.models if other.name != model and self._never_heard_of(other)]
        desired = DesiredState(
            generation=before.generation,
            models=tuple(sorted([*deployed, *unknown], key=lambda deployment: deployment.name)),
            updates=tuple(update_name(update) for update in self._state.unfinished()),
            settings=before.settings if kept and not renew else self._settings,
        )
        return desired if desired == kept else dataclasses.replace(desired, generation=before.generation + 1)

    def _never_heard_of(self, model: Deployment) -> bool:
        """Whether a model serves that the database says nothing about, since it was lost: it goes on until its update comes to an end."""
        update = self._state.update(model.name)
        return self._state.deployment(model.name) is None and (update is None or update.state is not State.ROLLED_BACK)
