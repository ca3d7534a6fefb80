"""Rows that the model itself can't answer are counted, named and left out where they are few; many are refused."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import sealift_packager
from sealift_packager.data.files import read_data
from sealift_packager.data.holdout import bind
from sealift_packager.data.left_out import LeftOut, describe_left_out, most_left_out, refused_rows
from sealift_packager.data.refusal import refused
from sealift_packager.errors import DataError, ParityError
from sealift_packager.frameworks.converters import convert_model
from sealift_packager.model.source import Arrays
from sealift_packager.parity.check import prove_parity
from support.scikit import loaded

ROWS = 60
generator = np.random.default_rng(0)
TABLE = pd.DataFrame({"a": generator.normal(size=ROWS), "city": generator.choice(["x", "y"], ROWS)})
LABELS = (TABLE.a > 0).astype(int).to_numpy()


def strict() -> Any:
    """A pipeline whose encoder raises on a category that it doesn't know."""
    encoder = make_column_transformer((OneHotEncoder(), ["city"]), remainder="passthrough")
    return make_pipeline(encoder, LogisticRegression()).fit(TABLE, LABELS)


def packed(model: Any, table: pd.DataFrame, target: Any, tmp_path: Path) -> sealift_packager.Packed:
    return sealift_packager.pack(model, name="m", profile="arm64-dotprod", out=tmp_path / "out", data=(table, target), max_drop=1.0)


def unknown(rows: list[int]) -> pd.DataFrame:
    table = TABLE.copy()
    table.loc[rows, "city"] = "elsewhere"
    return table


def test_a_few_rows_that_the_model_refuses_are_named_with_its_reason(tmp_path: Path) -> None:
    result = packed(strict(), unknown([4, 17, 59]), LABELS, tmp_path)
    notes = " ".join(result.notes)
    assert "3 of 60 rows of data.npz can't be answered by the model itself, and were left out (rows 4, 17, 59: caused by: ValueError" in notes
    assert "elsewhere" in notes
    assert result.manifests["arm64-dotprod"].evaluation.holdout_rows == 57


@pytest.mark.parametrize(("rows", "found"), [(range(4), "more than 3 of 60 rows, such as rows 0, 1, 2"), (range(60), "more than 3 of 60 rows")])
def test_more_than_a_few_are_refused_with_their_number(rows: range, found: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"fails on the holdout.*unknown categories.*found {found}"):
        packed(strict(), unknown(list(rows)), LABELS, tmp_path)


def test_rows_with_missing_numbers_are_left_out_too(tmp_path: Path) -> None:
    table = TABLE[["a"]].copy()
    table.loc[[2, 9], "a"] = np.nan
    result = packed(LinearRegression().fit(TABLE[["a"]], TABLE.a), table, TABLE.a, tmp_path)
    assert any("2 of 60 rows" in note and "(rows 2, 9: missing values)" in note for note in result.notes)
    table.loc[range(10), "a"] = np.nan
    with pytest.raises(DataError, match="missing values, which this model does not accept"):
        packed(LinearRegression().fit(TABLE[["a"]], TABLE.a), table, TABLE.a, tmp_path / "more")


@pytest.mark.parametrize("rows", [1, 2, 5])
@pytest.mark.parametrize("one_class", [True, False])
def test_few_rows_are_no_reason_to_refuse(rows: int, one_class: bool, tmp_path: Path) -> None:
    labels = np.ones(rows, dtype=int) if one_class else LABELS[:rows]
    result = packed(strict(), TABLE[:rows], labels, tmp_path)
    assert result.manifests["arm64-dotprod"].evaluation.holdout_rows == rows


@pytest.mark.parametrize(("rows", "most"), [(1, 0), (2, 1), (5, 1), (19, 1), (60, 3), (200, 10), (100_000, 256)])
def test_at_most_a_twentieth_is_left_out_or_one_row_and_never_all(rows: int, most: int) -> None:
    assert most_left_out(rows) == most


def test_rows_are_found_by_halves() -> None:
    asked = 0

    def predict(inputs: Arrays) -> dict[str, Any]:
        nonlocal asked
        asked += 1
        if 13 in inputs["x"]:
            raise ValueError("unlucky\nand more")
        return {}

    assert refused_rows(predict, {"x": np.arange(1000)}) == (LeftOut(rows=(13,), reason="caused by: ValueError: unlucky"),)
    assert asked < 25


def test_of_many_rows_and_reasons_the_first_are_shown() -> None:
    parts = [LeftOut(rows=tuple(range(at, at + 12)), reason=f"reason {at}") for at in (0, 20, 40, 60)]
    (sentence,) = describe_left_out(parts, 1000, "data.csv")
    assert sentence.startswith("48 of 1000 rows of data.csv")
    assert "rows 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, …: reason 0; " in sentence
    assert "reason 40; …" in sentence
    assert "reason 60" not in sentence


def test_rows_are_called_by_their_numbers_in_the_data_after_others_were_left_out(tmp_path: Path) -> None:
    rows = np.arange(40.0).reshape(-1, 1)
    source = loaded(LinearRegression().fit(rows, rows[:, 0] * 2), tmp_path)

    def wrong(inputs: Arrays) -> dict[str, Any]:
        return {"prediction": np.where(inputs["features"] == 7, 999, source.predict(inputs)["prediction"]).astype(np.float32)}

    converted, wrong_source = convert_model(source), dataclasses.replace(source, predict=wrong)
    given = rows.copy()
    given[3] = np.nan
    np.savez(tmp_path / "d.npz", features=given, target=rows[:, 0])
    holdout = bind(read_data(tmp_path / "d.npz"), source, "target")
    for rest in (holdout, holdout.without([LeftOut(rows=(0, 1), reason="refused")])):
        with pytest.raises(ParityError, match=r"differs in 1 of \d+ rows \(7\)"):
            prove_parity(wrong_source, converted, rest.inputs, seed=0, originals=rest.originals, numbers=rest.numbers)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (2**60 + 1, "whole numbers with more digits.*found 1152921504606846977 in row 30"),
        ("x", "expected numbers.*found text: 'x' in row 30"),
    ],
)
def test_a_value_that_doesn_t_fit_is_named_by_its_row_in_the_file(wrong: Any, message: str, tmp_path: Path) -> None:
    table = pd.DataFrame({"a": np.arange(40.0), "b": np.arange(40), "target": np.arange(40)})
    source = loaded(LinearRegression().fit(table[["a", "b"]], table.target), tmp_path)
    table["b"] = [wrong if row == 30 else row for row in range(40)]
    table.loc[3, "a"] = np.nan
    table.to_csv(tmp_path / "d.csv", index=False)
    with pytest.raises(DataError, match=message):
        bind(read_data(tmp_path / "d.csv"), source, "target")


def test_what_the_model_says_of_a_text_has_its_row_in_the_file() -> None:
    table = {"a": np.array([["1", "2"], ["3", "4"], ["5", "x"]], dtype=object)}
    error = refused("a library", table, ValueError("could not convert string to float: 'x'"), numbers=(0, 7, 9))
    assert "a: 'x' in row 9, among numbers" in str(error)
