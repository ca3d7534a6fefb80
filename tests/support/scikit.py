"""A scikit-learn model as the packager has it, from a file."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import joblib
import pytest
import sklearn
from packaging.version import Version

from sealift_packager.frameworks.loaders import load_model
from sealift_packager.model.source import Array, LoadOptions, SourceModel


def since(version: str) -> pytest.MarkDecorator:
    """A mark for what scikit-learn itself does from a version on; Sealift packs models of older ones too."""
    return pytest.mark.skipif(Version(sklearn.__version__) < Version(version), reason=f"scikit-learn has this from {version} on")


def loaded(model: Any, folder: Path, examples: Mapping[str, Array] | None = None) -> SourceModel:
    """Saved by joblib in ``folder`` and loaded again; ``examples`` are columns of the data that is given with it."""
    joblib.dump(model, folder / "m.joblib")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return load_model(folder / "m.joblib", LoadOptions(trust_pickle=True, examples=examples or {}))
