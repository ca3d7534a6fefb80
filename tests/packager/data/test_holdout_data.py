"""Holdout files fitted to a model, or refused with the nearest names."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sealift_core.bundle.tensors import TensorSpec
from sealift_packager.data.files import read_data
from sealift_packager.data.holdout import Holdout, bind
from sealift_packager.errors import DataError
from sealift_packager.frameworks.loaders import load_model
from sealift_packager.measure.arrays import write_npz
from sealift_packager.model.source import LoadOptions, SourceModel
from support import trained


def cancer_source() -> SourceModel:
    return load_model(trained.cancer().model, LoadOptions(trust_pickle=True))


def bound(table: pd.DataFrame, tmp_path: Path, target: str = "diagnosis") -> Holdout:
    table.to_csv(tmp_path / "t.csv", index=False)
    return bind(read_data(tmp_path / "t.csv"), cancer_source(), target)


def table() -> pd.DataFrame:
    return pd.read_csv(trained.cancer().data)


def test_columns_are_taken_by_name_in_the_model_s_order(tmp_path: Path) -> None:
    shuffled = table()[sorted(table().columns)]
    direct, reordered = bound(table(), tmp_path), bound(shuffled, tmp_path)
    assert direct.inputs["features"].dtype == np.float32
    assert direct.rows == 114
    assert np.array_equal(direct.inputs["features"], reordered.inputs["features"])


def test_a_misspelt_column_is_named_with_the_nearest_one(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"missing mean radius; unexpected mean_radius.*Did you mean 'mean_radius'"):
        bound(table().rename(columns={"mean radius": "mean_radius"}), tmp_path)


def test_an_extra_column_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="unexpected patient"):
        bound(table().assign(patient=1), tmp_path)


def test_a_misspelt_target_is_named_with_the_nearest_one(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Did you mean 'diagnosis'"):
        bound(table(), tmp_path, "diagnosys")


def test_missing_values_in_many_rows_name_column_and_first_row(tmp_path: Path) -> None:
    rows = table()
    rows.loc[range(7, 27), "mean area"] = np.nan
    with pytest.raises(DataError, match="mean area: missing values.*row 7"):
        bound(rows, tmp_path)


def test_text_where_numbers_belong_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="(?s)wrong type|different"):
        bound(table().astype({"mean area": str}).assign(**{"mean area": "big"}), tmp_path)


def test_arrays_of_another_shape_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", image=np.zeros((5, 8, 8), np.float32), target=np.zeros(5))
    with pytest.raises(DataError, match=r"expected \[rows, 1, 8, 8\], found \[5, 8, 8\]"):
        bind(read_data(tmp_path / "d.npz"), load_model(trained.program().model, LoadOptions()), "target")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("d.parquet", b"PAR1", "as Parquet"),
        ("d.orc", b"", "not a supported data format"),
        ("d.npz", b"no archive", "can't be read"),
        ("d.csv", b"", "the file is empty"),
        ("e.csv", b"a,b\n", "rows"),
    ],
)
def test_files_that_can_t_be_read_are_refused(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=words):
        read_data(tmp_path / name)


def test_arrays_of_different_lengths_and_pickled_arrays_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros(3), target=np.zeros(4))
    np.savez(tmp_path / "b.npz", x=np.array([{}], dtype=object))
    with pytest.raises(DataError, match="different numbers of rows"):
        read_data(tmp_path / "a.npz")
    with pytest.raises(DataError, match="no objects"):
        read_data(tmp_path / "b.npz")


@pytest.mark.parametrize(
    ("dtype", "value"),
    [("uint8", 300), ("uint8", -1), ("uint8", 256.0), ("int32", np.inf), ("int32", 3e9), ("int64", 2.0**63), ("int64", np.uint64(2**63))],
)
def test_a_number_that_the_input_s_type_can_t_hold_is_refused(dtype: str, value: float, tmp_path: Path) -> None:
    source = dataclasses.replace(cancer_source(), inputs=(TensorSpec(name="x", dtype=dtype, shape=("batch", 1)),), columns={})
    np.savez(tmp_path / "d.npz", x=np.array([[0], [value]], type(value) if isinstance(value, np.generic) else None), t=np.zeros(2))
    with pytest.raises(DataError, match=rf"d\.npz: x: a number .* expected {dtype}: .* in row 1"):
        bind(read_data(tmp_path / "d.npz"), source, "t")


def test_arrays_of_any_name_are_written_and_read(tmp_path: Path) -> None:
    arrays = {"file": np.ones(2), "args": np.array(["a", "é"], object), "a/b": np.zeros((2, 0), np.int8)}
    write_npz(tmp_path / "d.npz", arrays)
    with np.load(tmp_path / "d.npz") as saved:
        assert {name: saved[name].tolist() for name in saved.files} == {name: value.tolist() for name, value in arrays.items()}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"ids": np.array([[1.5], [2.0]]), "x": np.ones((2, 3))},
            "ids: whole numbers are needed: expected int64, found 1\\.5 in row 0\\. Round these",
        ),
        (
            {"ids": np.array([[1], [2]]), "x": np.ones((2, 2))},
            r"x: wrong shape: expected \[rows, 3\], found \[2, 2\]\. Give this input one row of 3 values for",
        ),
        ({"ids": np.array([[1], [2]]), "x": np.ones((2, 3)), "word": np.ones(2)}, "word: this column must be text: expected text, .*, found numbers"),
    ],
)
def test_what_doesn_t_fit_an_input_is_said_in_the_reader_s_words(given: dict[str, Any], message: str, tmp_path: Path) -> None:
    types = {"ids": ("int64", 1), "x": ("float32", 3), "word": ("string", 1)}
    specs = tuple(TensorSpec(name=name, dtype=types[name][0], shape=("batch", types[name][1])) for name in given)
    write_npz(tmp_path / "d.npz", given)
    with pytest.raises(DataError, match=message):
        bind(read_data(tmp_path / "d.npz"), dataclasses.replace(cancer_source(), inputs=specs, columns={}, digits=None), "target", needed=False)
