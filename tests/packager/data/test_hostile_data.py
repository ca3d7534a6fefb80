"""Holdout data that is made to mislead, to fill the memory, or to end in a traceback."""

from __future__ import annotations

import os
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet

from sealift_core.bundle.tensors import TensorSpec
from sealift_packager.archives import memory_limit
from sealift_packager.data import csv as csv_module
from sealift_packager.data.files import DataFile, read_data
from sealift_packager.data.images import ImageFolder
from sealift_packager.data.limits import DataLimits
from sealift_packager.data.pixels import Normalization, decode_images
from sealift_packager.errors import DataError


def csv_of(tmp_path: Path, content: bytes) -> dict[str, Any]:
    (tmp_path / "t.csv").write_bytes(content)
    data = read_data(tmp_path / "t.csv")
    assert isinstance(data, DataFile)
    return data.arrays


@pytest.mark.parametrize(
    "content",
    [b"\n \r\n\na,b,c,d\n1,2,3,4\n", b'"x\n,",b,c,d\n1,2,3,4\n', b'"x"",\n",b,c,d\n', b'\xef\xbb\xbf"x\n",b,c,d\n'],
    ids=["behind blank lines", "behind a line end in quotes", "behind a quoted quote", "behind a byte order mark"],
)
def test_the_columns_of_a_header_line_are_counted_wherever_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr(csv_module, "LIMITS", DataLimits(csv_columns=3))
    with pytest.raises(DataError, match=r"t\.csv: too much data: expected a header line of at most 3 columns"):
        csv_of(tmp_path, content)


def test_commas_and_line_ends_in_quotes_are_no_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_module, "LIMITS", DataLimits(csv_columns=2))
    columns = csv_of(tmp_path, b'"a,\n,,""",size 5"\n"x,\r\n,y",1\nz,2\n')
    assert {name: value.tolist() for name, value in columns.items()} == {'a,\n,,"': ["x,\r\n,y", "z"], 'size 5"': [1, 2]}


def test_a_row_of_millions_of_values_under_a_short_header_is_refused_before_it_is_parsed(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected a first row of at most 262,144 values"):
        csv_of(tmp_path, b"a,b\n" + b"," * 3_000_000 + b"\n")


def test_values_without_a_name_do_not_move_the_names_of_the_others(tmp_path: Path) -> None:
    trailing = csv_of(tmp_path, b"target,a,b\n0,1,2,\n1,3,4,\n")
    assert {name: value.tolist() for name, value in trailing.items()} == {"target": [0, 1], "a": [1, 3], "b": [2, 4]}
    with pytest.raises(DataError, match=r"t\.csv: rows with more values than the header line has names: expected a name for each column"):
        csv_of(tmp_path, b"target,a,b\n9,0,1,2\n8,1,3,4\n")


def test_a_column_is_text_in_all_its_rows_or_in_none(tmp_path: Path) -> None:
    ones = b",1" * 255
    codes = [b"%05d" % (number % 999) for number in range(4200)] + [b"K1A"]  # more rows than pandas takes at once of so many columns
    lines = [b",".join(b"c%d" % number for number in range(256)), *(code + ones for code in codes)]
    assert csv_of(tmp_path, b"\n".join(lines) + b"\n")["c0"].tolist() == [code.decode() for code in codes]


def npy(dtype: str, data: bytes) -> bytes:
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': (2,), }}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data


def npz_of(tmp_path: Path, dtype: str, data: bytes) -> Any:
    with zipfile.ZipFile(tmp_path / "d.npz", "w") as archive:
        archive.writestr("x.npy", npy(dtype, data))
    read = read_data(tmp_path / "d.npz")
    assert isinstance(read, DataFile)
    return read.arrays["x"]


@pytest.mark.parametrize(
    ("dtype", "data"),
    [("<U1", struct.pack("<2I", 0x110000, 65)), (">U1", struct.pack(">2I", 65, 0xFFFFFFFF)), ("<U1", struct.pack("<2I", 0xD800, 0xDC00))],
    ids=["beyond Unicode", "beyond Unicode, the other byte order", "half surrogate pairs"],
)
def test_text_of_no_characters_is_refused(tmp_path: Path, dtype: str, data: bytes) -> None:
    with pytest.raises(DataError, match=r"d\.npz: x: text with characters that don't exist"):
        npz_of(tmp_path, dtype, data)


def test_truths_are_ones_and_zeros_whatever_bytes_a_file_has_for_them(tmp_path: Path) -> None:
    assert npz_of(tmp_path, "|b1", b"\x02\xff").tobytes() == b"\x01\x01"
    assert npz_of(tmp_path, ">U1", struct.pack(">2I", 65, 0x10FFFF)).tolist() == ["A", "\U0010ffff"]


@pytest.mark.parametrize(
    "values",
    [
        pa.array([b"a" * 16], pa.uuid() if hasattr(pa, "uuid") else pa.binary(16)),  # pyarrow 16 has none
        pa.array([b"ab"], pa.binary(2)),
        pa.array([b"ab"], pa.large_binary()),
        pa.array([1], pa.time64("us")),
    ],
    ids=["uuid", "fixed bytes", "large bytes", "time of day"],
)
def test_what_is_neither_number_nor_text_does_not_become_its_python_spelling(tmp_path: Path, values: Any) -> None:
    parquet.write_table(pa.table({"x": values}), tmp_path / "d.parquet")
    with pytest.raises(DataError, match=r"d\.parquet: x: .*type that models don't accept"):
        read_data(tmp_path / "d.parquet")


def test_a_dictionary_of_long_texts_in_lists_is_counted_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_limit, "BASE_BYTES", 2**40)  # what the kernel would refuse in the end isn't even asked for
    words = pa.DictionaryArray.from_arrays(pa.array(np.zeros(20_000, np.int32)), pa.array(["x" * 100_000]))
    parquet.write_table(pa.table({"x": pa.ListArray.from_arrays(pa.array(np.arange(20_001), pa.int32()), words)}), tmp_path / "d.parquet")
    with pytest.raises(DataError, match="too much data.*2,000,000,000 bytes of text"):
        read_data(tmp_path / "d.parquet")


def images_of(folder: Path, labels: bytes | None = None) -> Path:
    (folder / "a").mkdir(parents=True)
    Image.new("RGB", (2, 2)).save(folder / "a" / "x.png")
    if labels is not None:
        (folder / "labels.csv").write_bytes(labels)
    return folder


@pytest.mark.parametrize("name", [b"a" * 5000, b"a/loop.png"], ids=["too long", "a circle of links"])
def test_what_can_be_no_file_is_named_where_labels_name_it(tmp_path: Path, name: bytes) -> None:
    folder = images_of(tmp_path / "i", b"file,label\n" + name + b",0\n")
    (folder / "a" / "loop.png").symlink_to("loop.png")
    with pytest.raises(DataError, match=r"labels\.csv: not the name of a file"):
        read_data(folder)


@pytest.mark.parametrize("name", [b"a/\xff.png", b"\xff/1.png", b"\xff/none.txt"])
def test_names_that_are_not_utf_8_are_refused(tmp_path: Path, name: bytes) -> None:
    folder = images_of(tmp_path / "i")
    target = os.fsencode(folder) + b"/" + name
    Path(os.fsdecode(target)).parent.mkdir(exist_ok=True)
    Path(os.fsdecode(target)).write_bytes((folder / "a" / "x.png").read_bytes())
    with pytest.raises(DataError, match="a name that isn't UTF-8"):
        read_data(folder)


def test_a_file_of_another_name_among_the_images_is_no_error(tmp_path: Path) -> None:
    folder = images_of(tmp_path / "i")
    Path(os.fsdecode(os.fsencode(folder) + b"/a/\xff.txt")).write_bytes(b"")
    assert isinstance(read_data(folder), ImageFolder)


@pytest.mark.parametrize(
    ("dtype", "size", "words"),
    [
        ("float32", (2**20, 2**20), "an input of too many pixels"),
        ("float32", (2**31, 0), "an input of too many pixels"),
        ("int8", (2, 2), "an input that can't hold pixels: expected a type that holds 0 to 255, found int8"),
        ("bool", (2, 2), "an input that can't hold pixels"),
        ("string", (2, 2), "an input that can't hold pixels"),
    ],
)
def test_a_model_s_input_that_no_image_fits_is_refused(tmp_path: Path, dtype: Any, size: tuple[int, int], words: str) -> None:
    folder = read_data(images_of(tmp_path / "i"))
    assert isinstance(folder, ImageFolder)
    with pytest.raises(DataError, match=words):
        decode_images(folder, [TensorSpec(name="image", dtype=dtype, shape=("batch", 3, *size))], Normalization())
