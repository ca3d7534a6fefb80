"""Which model serves under which name.

A swap replaces one reference. A request holds the model that it began with, so it ends there; when the last such request
is done, nothing refers to the old session any more and it goes, without a lock and without a request that fails.
"""

from __future__ import annotations

from sealift_runtime.inference.model import ServedModel


class ModelTable:
    """The models that serve, by name. May be changed from any thread while requests are answered."""

    def __init__(self) -> None:
        self._models: dict[str, ServedModel] = {}

    def activate(self, model: ServedModel) -> None:
        """Let a loaded model serve from the next request on, in place of the one of its name."""
        self._models = {**self._models, model.name: model}

    def remove(self, name: str) -> None:
        """Let a name serve no more; nothing if it doesn't."""
        self._models = {key: model for key, model in self._models.items() if key != name}

    def get(self, name: str, version: str | None = None) -> ServedModel | None:
        """The model of that name and, if given, that version; None if it doesn't serve."""
        model = self._models.get(name)
        return model if model is None or version is None or model.version == version else None

    def list(self) -> tuple[ServedModel, ...]:
        """All models that serve, by name."""
        models = self._models
        return tuple(models[name] for name in sorted(models))
