"""Holdout data that a Python program hands over, and numbers that can't be meant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sealift_packager.build.in_memory_data import write_data
from sealift_packager.errors import DataError
from sealift_packager.model.source import LoadOptions
from support import trained
from support.packing import request


@pytest.mark.parametrize("dtype", ["string", "boolean", "object", "category"])
def test_what_is_missing_in_a_column_of_any_pandas_type_is_empty_text(tmp_path: Path, dtype: str) -> None:
    values = [True, None] if dtype == "boolean" else ["a", None]
    path = write_data(pd.DataFrame({"x": pd.Series(values, dtype=dtype)}), tmp_path, None, target="target", options=LoadOptions())
    assert path is not None
    with np.load(path) as saved:
        assert [str(value) for value in saved["x"]] == [str(values[0]), ""]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"image_mean": (float("nan"),)}, "not a mean: expected finite numbers"),
        ({"image_mean": (0.5, float("inf"))}, "not a mean"),
        ({"image_std": (0.0,)}, "not a standard deviation"),
        ({"image_std": (float("inf"),)}, "not a standard deviation"),
    ],
)
def test_a_normalization_that_would_make_nothing_of_every_pixel_is_refused(tmp_path: Path, options: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError, match=words):
        request(trained.onnx_net(), tmp_path / "out", **options)
