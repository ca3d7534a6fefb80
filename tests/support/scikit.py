"""A scikit-learn model as the packager has it, from a file."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import joblib

from sealift_packager.frameworks.loaders import load_model
from sealift_packager.model.source import Array, LoadOptions, SourceModel


def loaded(model: Any, folder: Path, examples: Mapping[str, Array] | None = None) -> SourceModel:
    """Saved by joblib in ``folder`` and loaded again; ``examples`` are columns of the data that is given with it."""
    joblib.dump(model, folder / "m.joblib")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return load_model(folder / "m.joblib", LoadOptions(trust_pickle=True, examples=examples or {}))
