"""Files of rows in other formats than CSV and Parquet: read as what they hold, or refused with the way to a format that is read."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from sealift_packager.data import example
from sealift_packager.data import files as files_module
from sealift_packager.data.files import DataFile, read_data
from sealift_packager.data.limits import DataLimits
from sealift_packager.errors import DataError

TABLE = pd.DataFrame({"n": [1, 2], "x": [1.5, np.nan], "größe": ["a", None], "t": [True, False]})
VALUES = {"n": [1, 2], "x": [1.5, None], "größe": ["a", ""], "t": [True, False]}


def read(path: Path) -> dict[str, list[Any]]:
    data = read_data(path)
    assert isinstance(data, DataFile)
    return {name: [None if value != value else value for value in values.tolist()] for name, values in data.arrays.items()}


@pytest.mark.parametrize("name", ["d.jsonl", "d.ndjson", "d.feather", "d.arrow", "stream.arrow", "d.jsonl.gz"])
def test_rows_are_what_they_are_there(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    if "json" in name:
        TABLE.to_json(path, orient="records", lines=True)  # packed, where its name says so
    elif name == "stream.arrow":
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, pa.Schema.from_pandas(TABLE)) as writer:
            writer.write_table(pa.Table.from_pandas(TABLE))
    else:
        TABLE.to_feather(path)
    assert read(path) == VALUES


@pytest.mark.parametrize(("suffix", "compress"), [(".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress)])
def test_a_packed_table_is_unpacked(suffix: str, compress: Any, tmp_path: Path) -> None:
    path = tmp_path / f"d.csv{suffix}"
    path.write_bytes(compress(b"a,b\n1,x\n") + compress(b"2,y\n"))
    assert read(path) == {"a": [1, 2], "b": ["x", "y"]}


def test_a_packed_table_that_is_cut_off_or_not_packed_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cut.csv.gz").write_bytes(gzip.compress(b"a,b\n" + b"1,2\n" * 1000, mtime=0)[:-20])
    (tmp_path / "plain.csv.gz").write_bytes(b"a,b\n1,2\n")
    with pytest.raises(DataError, match=r"cut\.csv\.gz: the compressed file is damaged or cut off"):
        read(tmp_path / "cut.csv.gz")
    with pytest.raises(DataError, match=r"plain\.csv\.gz: the file is not compressed, though its name says so"):
        read(tmp_path / "plain.csv.gz")


def test_a_packed_table_has_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "d.csv.gz").write_bytes(gzip.compress(b"a\n" + b"1\n" * 5000, mtime=0))
    monkeypatch.setattr(files_module, "LIMITS", DataLimits(csv_bytes=2000))
    with pytest.raises(DataError, match=r"d\.csv\.gz: too much data: expected at most 2,000 bytes"):
        read(tmp_path / "d.csv.gz")
    monkeypatch.undo()
    (tmp_path / "bomb.csv.gz").write_bytes(gzip.compress(b"a\n" + b"1\n" * 40_000_000, mtime=0))
    with pytest.raises(DataError, match=r"bomb\.csv\.gz: too much data"):
        read(tmp_path / "bomb.csv.gz")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ('{"a": 1}\n{"a": "x"}\n', r"d\.jsonl: a: a column of several types.*found numbers, text"),
        ('{"a": {"b": 1}}\n', "a: a column of several types, or of one that models don't accept: .*found objects"),
        ('[{"a": 1}]\n', r"line 1: not an object"),
        ('{\n"a": 1}\n', r"line 1: not a line of JSON.*orient='records', lines=True"),
        ('{"a": 1}\n{"a": 2\n', r"line 2: not a line of JSON"),
        ('{"a": 9007199254740993}\n{"a": null}\n', "a whole number with more digits than can be held.*found 9007199254740993"),
        ('{"a": 99999999999999999999}\n', "a whole number with more digits than can be held"),
        ('{"a": [1, 2]}\n{"a": [1]}\n', "a column of several types.*found lists"),
        ('{"a": 9007199254740993}\n{"a": 18446744073709551617}\n', "a whole number with more digits than can be held.*found 18446744073709551617"),
        ('{"a": [9007199254740993]}\n{"a": [9223372036854775808]}\n', "a whole number with more digits than can be held.*found 9223372036854775808"),
        ('{"a": [1.5, 9007199254740993]}\n', "a whole number with more digits than can be held.*found 9007199254740993"),
        ('{"a": [1.5]}\n{"a": [[-9007199254740993]]}\n', "a whole number with more digits than can be held"),
        ('{"a": ["x", 1.5]}\n{"a": ["y", 2]}\n', "a column of several types.*found lists of numbers, text"),
        ('{"a": [true, 2]}\n', "a column of several types.*found lists of numbers, truth values"),
        ('{"a": [1, null]}\n', "a column of several types.*found lists of null, numbers"),
        ('{"a": [1, 2]}\n{"a": [3, [4]]}\n', "a column of several types.*found lists of different lengths"),
        ("", "the file has no rows"),
        ("\n  \n\n", "the file has no rows"),
    ],
)
def test_json_lines_that_hold_no_table_are_refused_in_words(text: str, error: str, tmp_path: Path) -> None:
    (tmp_path / "d.jsonl").write_text(text)
    with pytest.raises(DataError, match=error):
        read(tmp_path / "d.jsonl")


def test_lists_of_one_length_are_an_array_and_a_name_that_a_row_lacks_is_missing(tmp_path: Path) -> None:
    (tmp_path / "d.jsonl").write_text('{"a": [1, 2], "t": true}\n{"a": [3, 4], "n": 9007199254740991}\n')
    assert read(tmp_path / "d.jsonl") == {"a": [[1, 2], [3, 4]], "t": [1.0, None], "n": [None, 9007199254740991.0]}
    (tmp_path / "d.jsonl").write_text('{"a": [["x"]], "b": [1, 2.5], "c": [9007199254740993], "d": [], "e": -9223372036854775808}\n')
    assert read(tmp_path / "d.jsonl") == {"a": [[["x"]]], "b": [[1.0, 2.5]], "c": [[9007199254740993]], "d": [[]], "e": [-(2**63)]}


def test_an_arrow_file_is_checked_before_it_is_believed(tmp_path: Path) -> None:
    TABLE.to_feather(tmp_path / "d.feather", compression="uncompressed")
    content = (tmp_path / "d.feather").read_bytes()
    at = content.index(b"a\0\0\0\0\0\0\0", 300)
    offsets = content[:at].rindex((1).to_bytes(4, "little"))
    (tmp_path / "d.feather").write_bytes(content[:offsets] + (2**30).to_bytes(4, "little") + content[offsets + 4 :])
    with pytest.raises(DataError, match=r"d\.feather: can't be read as Arrow"):
        read(tmp_path / "d.feather")
    (tmp_path / "e.feather").write_bytes(b"ARROW1 nothing")
    with pytest.raises(DataError, match=r"e\.feather: can't be read as Arrow .*expected a complete \.feather or \.arrow file"):
        read(tmp_path / "e.feather")


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("d.xlsx", r"found \.xlsx\. Save the sheet as CSV UTF-8"),
        ("d.json", r"Save a line of JSON for each row: table\.to_json"),
        ("d.npy", r"numpy\.savez"),
        ("d.pkl", r"table\.to_parquet"),
        ("d.csv.zst", r"found \.zst\. Unpack it first"),
        ("d.txt", r"let its name end in \.csv"),
        ("d.csvv", r"Did you mean '\.csv'"),
    ],
)
def test_a_format_that_is_not_read_is_refused_with_the_way_to_one_that_is(name: str, advice: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"\0")
    with pytest.raises(DataError, match=rf"not a supported data format: .*{advice}"):
        read(tmp_path / name)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"PAR1\x15\x04", r"found Parquet\. Let its name end in \.parquet"),
        (gzip.compress(b"a", mtime=0), r"found gzip\. Let its name end in \.csv\.gz"),
        (b"<!DOCTYPE html>\n", "found an HTML page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "found a Git LFS pointer. Fetch the file itself"),
        (b'{"a": 1}\n', r"found JSON\. .*\.jsonl"),
        (b'[{"a": 1}]', r"found JSON\. .*orient='records', lines=True"),
    ],
)
def test_another_format_under_the_name_of_a_csv_is_called_by_its_name(content: bytes, found: str, tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_bytes(content)
    with pytest.raises(DataError, match=rf"d\.csv: the file isn't CSV: .*{found}"):
        read(tmp_path / "d.csv")


def test_a_workbook_under_the_name_of_a_csv_is_called_by_its_name(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "d.csv", "w") as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
    with pytest.raises(DataError, match=r"d\.csv: the file is an Excel workbook: .*Save the sheet as CSV UTF-8, or with pandas as Parquet"):
        read(tmp_path / "d.csv")


@pytest.mark.parametrize("name", ["d", "d.xlsx", "d.txt", "d.parquet", "d.npz", "d.jsonl"])
@pytest.mark.parametrize("kind", ["an Excel workbook", "an OpenDocument spreadsheet", "an old Excel workbook"])
def test_a_spreadsheet_is_known_by_its_content(kind: str, name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600))
    members = {
        "an Excel workbook": ["[Content_Types].xml", "xl/workbook.bin"],
        "an OpenDocument spreadsheet": ["mimetype", "content.xml", "META-INF/a.xml"],
    }
    if kind in members:
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            for member in members[kind]:
                archive.writestr(member, "<a/>")
    with pytest.raises(DataError, match=rf"(the file is|found) {kind}.*Save the sheet as CSV UTF-8, or with pandas"):
        read(tmp_path / name)


def test_another_archive_under_the_name_of_a_csv_is_called_one(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "d.csv", "w") as archive:
        archive.writestr("d.csv", "a,b\n1,2\n")
    with pytest.raises(DataError, match=r"d\.csv: the file is a zip archive: .*Unpack it, and pass the table in it"):
        read(tmp_path / "d.csv")


@pytest.mark.parametrize(
    ("name", "said"), [("x.npy", r"at most 3 MiB as \.npy\. Give a smaller example"), ("x.json", r"at most 1 MiB as \.json\. Save it as \.npz")]
)
def test_an_example_that_is_too_large_is_told_its_own_limit(name: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(example, "MAX_BYTES", 3 * 2**20)
    monkeypatch.setattr(example, "MAX_JSON_BYTES", 2**20)
    with (tmp_path / name).open("wb") as file:
        file.truncate(4 * 2**20)
    with pytest.raises(DataError, match=f"the example is too large: expected {said}"):
        example.read_example(tmp_path / name)
