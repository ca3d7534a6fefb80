"""The trials of the versions that are on probation: each is held against the version before it, until its update has ended."""

from __future__ import annotations

import logging
from collections.abc import Collection
from typing import Final

from sealift_runtime.inference.model import ServedModel
from sealift_runtime.inference.trial import Trial, are_comparable
from sealift_runtime.inference.trial_counts import TrialCounts

_LOG: Final = logging.getLogger("sealift.agent")


class Trials:
    """At most one trial for each model's name. Used by one thread at a time, but `counts`, which any may call."""

    def __init__(self) -> None:
        self._trials: dict[str, tuple[ServedModel, Trial]] = {}

    def begin(self, model: ServedModel, previous: ServedModel | None) -> None:
        """Hold a version against the one before it, if there is one and it takes the same requests; another trial of that name ends."""
        self.end(model.name)
        if previous is None or previous.bundle == model.bundle:
            return
        if not are_comparable(model, previous):
            _LOG.info("%s: %s and %s take different inputs, so they can't be compared", model.name, model.version, previous.version)
            return
        model.trial = trial = Trial(model, previous)
        self._trials = {**self._trials, model.name: (model, trial)}

    def end(self, name: str) -> None:
        """End the trial of a name, if one runs: the previous version leaves memory."""
        model, trial = self._trials.get(name, (None, None))
        if model is not None and trial is not None:
            trial.stop()
            model.trial = None
            self._trials = {other: entry for other, entry in self._trials.items() if other != name}

    def end_others(self, names: Collection[str]) -> None:
        """End the trials of models that aren't among these."""
        for name in self._trials.keys() - set(names):
            self.end(name)

    def counts(self, name: str) -> TrialCounts | None:
        """What the trial of a name found out; None if none runs."""
        entry = self._trials.get(name)
        return entry[1].counts() if entry else None
