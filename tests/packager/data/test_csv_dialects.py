"""CSV files as spreadsheets and other countries write them: read for what they say, or refused with what is odd about them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealift_packager.data.csv_dialect import Dialect, dialect_of
from sealift_packager.data.files import read_data
from sealift_packager.errors import DataError

TABLE: Final = pd.DataFrame({"größe": [1.5, -2.25, 3.0], "code": [7, 8, 9], "city, state": ["Rom, RM", "Köln", "a;b"]})


def read(folder: Path, content: bytes, name: str = "t.csv") -> dict[str, Any]:
    (folder / name).write_bytes(content)
    data = read_data(folder / name)
    return {key: value.tolist() for key, value in getattr(data, "arrays", {}).items()}


def written(**options: Any) -> bytes:
    return str(TABLE.to_csv(index=False, **options)).encode()


EXPECTED: Final = {name: TABLE[name].tolist() for name in TABLE}


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (written(), "t.csv"),
        (written(sep=";").replace(b"city, state", b"'city, state'").replace(b"'", b'"'), "t.csv"),
        (written(sep="\t"), "t.tsv"),
        (written(sep="|", quoting=1), "t.csv"),
        (written(sep=";", decimal=",", quoting=1).replace(b'"1,5"', b"1,5"), "t.csv"),
        (b"\xef\xbb\xbf" + written(sep=";", quoting=1), "t.csv"),
        (written().decode().encode("utf-16"), "t.csv"),
        (b"\xfe\xff" + written(sep="\t").decode().encode("utf-16-be"), "t.tsv"),
        (written().replace(b"\n", b",\n"), "t.csv"),
    ],
    ids=[
        "commas",
        "semicolons",
        "tabs",
        "bars",
        "semicolons and decimal commas",
        "a byte order mark",
        "UTF-16",
        "UTF-16, big end first",
        "a comma at the end of each line",
    ],
)
def test_columns_and_decimals_are_what_they_are_there(content: bytes, name: str, tmp_path: Path) -> None:
    assert read(tmp_path, content, name) == EXPECTED


def test_points_and_commas_between_digits_are_no_decimal_commas(tmp_path: Path) -> None:
    assert read(tmp_path, b"a;b\n1.5;1,2\n2.5;3,4\n") == {"a": [1.5, 2.5], "b": ["1,2", "3,4"]}


def test_what_may_be_thousands_is_not_made_a_fraction(tmp_path: Path) -> None:
    assert read(tmp_path, b"a;b\n1,234;5\n12,345;6\n") == {"a": ["1,234", "12,345"], "b": [5, 6]}
    assert read(tmp_path, b"a;b\n1,234;5\n0,345;6\n") == {"a": [1.234, 0.345], "b": [5, 6]}


@pytest.mark.parametrize(
    ("content", "name", "error"),
    [
        (b'a,b\n1,"x\x00y"\n2,z\n', "t.csv", r"t\.csv: the file isn't text: expected UTF-8, found a byte 0x0\. .* with the code 0 at byte 8\."),
        (written().decode().encode("utf-16-le"), "t.csv", r"t\.csv: the file isn't text: .* If the file is UTF-16, save it as UTF-8"),
        (b"\xff\xfea", "t.csv", r"t\.csv: the file isn't UTF-16 text, though it begins like it: expected UTF-8\. Save it as UTF-8"),
        (
            written().decode().encode("cp1252"),
            "t.csv",
            r"the file isn't UTF-8 text: .*found what looks like Windows-1252 \(Western Europe\): '.*ö.*iconv -f",
        ),
        (
            "price,note\n5 € “good” café,1\n".encode("cp1252"),
            "t.csv",
            "found what looks like Windows-1252 .*: '5 € “good” café.*iconv -f WINDOWS-1252",
        ),
        ("город\nМосква\n".encode("cp1251"), "t.csv", r"found a byte 0xe3 of another encoding\. Save it as UTF-8"),
        (b"a,b\n\x81\x8d,1\n", "t.csv", r"found a byte 0x81 of another encoding\. Save it as UTF-8"),
        (b"6.28,0.95,0\n1.5,2.5,1\n", "t.csv", r"the first line holds numbers, not names.*found '6\.28,0\.95,0'\. Add a line"),
        (b"-1;2\n3;4\n", "t.csv", "the first line holds numbers, not names"),
        (b'"5.1","3.5"\n"4.9","3.0"\n', "t.csv", "the first line holds numbers, not names"),
        (b"5,1;3,5\n4,9;3,0\n", "t.csv", "the first line holds numbers, not names"),
        (b"5.1,,3\n4.9,3.0,2\n", "t.csv", "the first line holds numbers, not names"),
        (b"sep=;\na;b\n1;2\n", "t.csv", r"the first line names the separator: .*found sep=;\. Remove this line"),
        (b"", "t.csv", r"t\.csv: the file is empty: expected a header line and data rows"),
    ],
    ids=[
        "NUL",
        "UTF-16 without its mark",
        "half of a letter",
        "cp1252",
        "cp1252 with signs",
        "cp1251",
        "bytes of no letter",
        "no header",
        "no header, semicolons",
        "no header, quotes",
        "no header, decimal commas",
        "no header, a gap",
        "Excel's first line",
        "empty",
    ],
)
def test_what_can_t_be_read_is_called_by_its_name(content: bytes, name: str, error: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=error):
        read(tmp_path, content, name)


def test_numbers_of_columns_are_names(tmp_path: Path) -> None:
    assert read(tmp_path, b"0,1,2\n1.5,2.5,1\n") == {"0": [1.5], "1": [2.5], "2": [1]}


@given(st.binary(max_size=300))
def test_any_bytes_have_a_dialect(head: bytes) -> None:
    assert dialect_of(head).separator in (b",", b";", b"\t", b"|")


@given(st.lists(st.from_regex(r"[a-z]{1,5}", fullmatch=True), min_size=2, max_size=5), st.sampled_from([";", "\t", "|", ","]))
def test_what_stands_between_names_separates_columns(names: list[str], separator: str) -> None:
    assert dialect_of(separator.join(names).encode()) == Dialect(separator=separator.encode())
