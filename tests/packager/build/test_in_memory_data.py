"""Holdout data that a Python program hands over, and numbers that can't be meant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse  # type: ignore[import-untyped]

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


SPARSE = sparse.random(30, 4, density=0.4, format="csr", random_state=0)


@pytest.mark.parametrize("form", ["csr", "csc", "coo", "dok", "array"])
def test_sparse_rows_are_the_dense_ones(tmp_path: Path, form: str) -> None:
    rows = sparse.csr_array(SPARSE) if form == "array" else SPARSE.asformat(form)
    for data in ((rows, np.arange(30)), {"features": rows, "target": np.arange(30)}, lambda: (rows, np.arange(30))):
        path = write_data(data, tmp_path, None, target="target", options=LoadOptions())
        assert path is not None
        with np.load(path) as saved:
            assert np.array_equal(saved["features"], SPARSE.toarray())


def test_a_table_of_sparse_columns_is_the_dense_one(tmp_path: Path) -> None:
    table = pd.DataFrame.sparse.from_spmatrix(SPARSE, columns=list("abcd"))
    path = write_data(table, tmp_path, None, target="target", options=LoadOptions())
    assert path is not None
    with np.load(path) as saved:
        assert all(np.array_equal(saved[name], SPARSE.toarray()[:, at]) for at, name in enumerate("abcd"))


@pytest.mark.parametrize(
    ("data", "error"),
    [
        ((sparse.csr_array((10_000, 500_000)), np.zeros(10_000)), "data: X: a sparse matrix that is too large as a dense one: .*10,000 × 500,000"),
        ((np.ma.masked_greater(np.ones((3, 2)), 0), np.zeros(3)), r"data: X: masked values: .*\.filled\(numpy\.nan\)"),
        (([[1, 2], [3]], [0, 1]), "data: X: not an array: expected rows of equal length"),
    ],
)
def test_an_array_that_would_say_something_else_is_refused(tmp_path: Path, data: Any, error: str) -> None:
    with pytest.raises(DataError, match=error):
        write_data(data, tmp_path, None, target="target", options=LoadOptions())


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
