"""Holdout data in Parquet: the same arrays as from CSV, bounded, and what no model takes is named."""

from __future__ import annotations

import gzip
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from sealift_packager.data import csv as csv_module
from sealift_packager.data import parquet as parquet_module
from sealift_packager.data.files import DataFile, read_data
from sealift_packager.data.limits import DataLimits
from sealift_packager.errors import DataError
from support.cli import run_argv


def write_parquet(path: Path, columns: Mapping[str, Any], **options: Any) -> Path:
    parquet.write_table(pa.table(dict(columns)), path, **options)
    return path


def arrays_of(path: Path) -> dict[str, Any]:
    data = read_data(path)
    assert isinstance(data, DataFile)
    return data.arrays


def test_a_parquet_file_and_its_csv_give_the_same_arrays(tmp_path: Path) -> None:
    table = pd.DataFrame({"age": [1.5, 2.0, None], "rooms": [1, 2, 3], "city": ["Rom", None, "Köln"], "new": [True, False, True]})
    table.to_csv(tmp_path / "t.csv", index=False)
    table.to_parquet(tmp_path / "t.parquet")
    one, two = arrays_of(tmp_path / "t.csv"), arrays_of(tmp_path / "t.parquet")
    assert list(one) == list(two)
    for name, value in one.items():
        np.testing.assert_array_equal(two[name], value)
        assert two[name].dtype == value.dtype


def test_the_first_thing_that_a_process_does_may_be_to_read_a_small_table_of_many_columns(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "d.parquet", {f"c{number}": pa.array([1.0, 2.0]) for number in range(64)})
    code = f"from pathlib import Path; from sealift_packager.data.files import read_data; print(read_data(Path({str(path)!r})).rows)"
    assert run_argv([sys.executable, "-c", code]).ok().out == "2\n"


def test_lists_of_one_length_in_parquet_are_rows_of_a_matrix(tmp_path: Path) -> None:
    ids = pa.array([[1, 2, 3], [4, 5, 6]])
    pairs = pa.array([[[1.0], [2.0]], [[3.0], [4.0]]], pa.list_(pa.list_(pa.float32(), 1), 2))
    arrays = arrays_of(write_parquet(tmp_path / "d.parquet", {"ids": ids, "pairs": pairs, "kind": pa.array(["a", "b"]).dictionary_encode()}))
    assert arrays["ids"].tolist() == [[1, 2, 3], [4, 5, 6]]
    assert (arrays["pairs"].shape, arrays["pairs"].dtype) == ((2, 2, 1), np.float32)
    assert arrays["kind"].tolist() == ["a", "b"]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (pa.array([[1], [2, 3]]), "the lists differ in length"),
        (pa.array([[1], None]), "the lists differ in length"),
        (pa.array([{"a": 1}, {"a": 2}]), "type that models don't accept"),
        (pa.array([b"1", b"2"]), "type that models don't accept"),
        (pa.array([1, 2], pa.timestamp("s")), "expected numbers or text, found datetime64"),
    ],
)
def test_a_parquet_column_that_no_model_takes_is_named(tmp_path: Path, values: Any, words: str) -> None:
    with pytest.raises(DataError, match=f"d.parquet: x: .*{words}"):
        read_data(write_parquet(tmp_path / "d.parquet", {"x": values}))


def test_missing_whole_numbers_and_truths_in_parquet_are_nan(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "d.parquet", {"n": pa.array([1, None]), "b": pa.array([None, True])})
    assert {name: np.isnan(value).tolist() for name, value in arrays_of(path).items()} == {"n": [False, True], "b": [True, False]}


def test_a_parquet_file_that_would_unpack_to_too_much_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_parquet(tmp_path / "d.parquet", {"x": pa.array(np.zeros(1_000_000))})
    assert path.stat().st_size < 10_000
    monkeypatch.setattr(parquet_module, "LIMITS", DataLimits(values=999_999))
    with pytest.raises(DataError, match="too much data.*found 1,000,000 values"):
        read_data(path)


def test_a_damaged_parquet_file_is_refused(tmp_path: Path) -> None:
    data = write_parquet(tmp_path / "d.parquet", {"x": pa.array(range(100))}).read_bytes()
    (tmp_path / "d.parquet").write_bytes(data[:-20])
    with pytest.raises(DataError, match="a complete .parquet file"):
        read_data(tmp_path / "d.parquet")


def test_runs_of_one_value_do_not_become_hundreds_of_megabytes(tmp_path: Path) -> None:
    run = write_parquet(tmp_path / "d.parquet", {"x": pa.array(np.zeros(20_000_000))}, compression="zstd")
    lists = write_parquet(
        tmp_path / "l.parquet", {"x": pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(20_000_000)), 10_000_000)}, compression="zstd"
    )
    words = write_parquet(tmp_path / "w.parquet", {"x": pa.array(["a" * 10_000] * 20_000)}, compression="zstd")
    for path in (run, lists, words):
        with pytest.raises(DataError, match="too much data"):
            read_data(path)


def test_two_parquet_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    parquet.write_table(pa.table([pa.array([1]), pa.array([2])], names=["x", "x"]), tmp_path / "d.parquet")
    with pytest.raises(DataError, match=r"d\.parquet: x: two columns have the same name"):
        read_data(tmp_path / "d.parquet")


def test_a_parquet_column_of_tensors_is_an_array_of_their_shape(tmp_path: Path) -> None:
    rows = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    arrays = arrays_of(write_parquet(tmp_path / "d.parquet", {"x": pa.FixedShapeTensorArray.from_numpy_ndarray(rows)}))
    assert np.array_equal(arrays["x"].reshape(2, 3, 4), rows)


def test_a_csv_has_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "t.csv").write_text("x\n" + "1\n" * 11)
    for limits, words in ((DataLimits(csv_rows=10), "at most 10 rows"), (DataLimits(csv_bytes=20), "at most 20 bytes")):
        monkeypatch.setattr(csv_module, "LIMITS", limits)
        with pytest.raises(DataError, match=words):
            read_data(tmp_path / "t.csv")


def test_many_rows_of_one_long_text_are_counted_before_they_are_made(tmp_path: Path) -> None:
    rows = pa.DictionaryArray.from_arrays(pa.array(np.zeros(16_384, np.int32)), pa.array(["x" * 2**23]))
    parquet.write_table(pa.table({"t": rows}), tmp_path / "d.parquet", compression="zstd")
    assert (tmp_path / "d.parquet").stat().st_size < 2000
    with pytest.raises(DataError, match="too much data"):
        read_data(tmp_path / "d.parquet")


def test_text_that_fills_the_memory_in_one_batch_is_refused(tmp_path: Path) -> None:
    with parquet.ParquetWriter(tmp_path / "d.parquet", pa.schema([("t", pa.large_string())]), compression="zstd", store_schema=False) as writer:
        for _ in range(8):
            writer.write_table(pa.table({"t": pa.array(["x" * 2**20] * 256, pa.large_string())}))
    with pytest.raises(DataError, match=r"too much data|takes more memory"):
        read_data(tmp_path / "d.parquet")


def test_a_csv_s_header_line_has_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "t.csv").write_text("a,b,c\n1,2,3\n")
    assert set(arrays_of(tmp_path / "t.csv")) == {"a", "b", "c"}
    for limits in (DataLimits(csv_columns=2), DataLimits(csv_header_bytes=5)):
        monkeypatch.setattr(csv_module, "LIMITS", limits)
        with pytest.raises(DataError, match=r"t.csv: too much data: expected a header line of at most"):
            read_data(tmp_path / "t.csv")


def test_a_csv_without_a_name_for_each_of_many_fields_takes_bounded_memory(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"," * 2**22 + b"\n")
    with pytest.raises(DataError, match="too much data"):
        read_data(tmp_path / "t.csv")


def test_a_csv_is_read_as_it_is_whatever_it_begins_with(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(gzip.compress(b"a,b\n1,2\n"))
    with pytest.raises(DataError):
        read_data(tmp_path / "t.csv")
