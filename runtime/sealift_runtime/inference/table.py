"""Which model serves under which name.

A swap replaces one reference. A request holds the model that it began with, so it ends there; when the last such request
is done, nothing refers to the old session any more and it goes, without a lock and without a request that fails.
"""

from __future__ import annotations

from typing import NamedTuple, TypeVar

from sealift_runtime.inference.model import ServedModel

T = TypeVar("T")


class AbsentModel(NamedTuple):
    """A model that is to serve and doesn't.

    Attributes:
        name: The model's name.
        version: The version that is to serve.
        reason: Why it doesn't, in words for a client.
    """

    name: str
    version: str
    reason: str


class ModelTable:
    """The models that serve, by name, and those that are to. May be changed from any thread while requests are answered."""

    def __init__(self) -> None:
        self._models: dict[str, ServedModel] = {}
        self._absent: dict[str, AbsentModel] = {}

    def activate(self, model: ServedModel) -> None:
        """Let a loaded model serve from the next request on, in place of the one of its name."""
        self._models = {**self._models, model.name: model}
        self._absent = _without(self._absent, model.name)

    def expect(self, model: AbsentModel) -> None:
        """Say that a model is to serve and why it doesn't; nothing if one of its name serves."""
        if model.name not in self._models:
            self._absent = {**self._absent, model.name: model}

    def remove(self, name: str) -> None:
        """Let a name serve no more, and expect it no more; nothing if it does neither."""
        self._models = _without(self._models, name)
        self._absent = _without(self._absent, name)

    def get(self, name: str, version: str | None = None) -> ServedModel | None:
        """The model of that name and, if given, that version; None if it doesn't serve."""
        model = self._models.get(name)
        return model if model is None or version is None or model.version == version else None

    def absent(self, name: str, version: str | None = None) -> AbsentModel | None:
        """The model of that name and, if given, that version, if it is to serve and doesn't; else None."""
        model = self._absent.get(name)
        return model if model is None or version is None or model.version == version else None

    def list(self) -> tuple[ServedModel, ...]:
        """All models that serve, by name."""
        models = self._models
        return tuple(models[name] for name in sorted(models))

    def absences(self) -> tuple[AbsentModel, ...]:
        """All models that are to serve and don't, by name."""
        absent = self._absent
        return tuple(absent[name] for name in sorted(absent))


def _without(models: dict[str, T], name: str) -> dict[str, T]:
    return {other: model for other, model in models.items() if other != name}
