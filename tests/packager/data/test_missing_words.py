"""``NA``, ``None`` and ``nan`` in a column of text of a CSV file: missing for a model that doesn't know them, values for one that does."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from sealift_packager.data.csv import MISSING_WORDS
from sealift_packager.data.files import read_data
from sealift_packager.data.holdout import Holdout, bind
from sealift_packager.errors import DataError
from support.scikit import loaded

COUNTRIES: Final = ["NA", "DE", "FR", "NA", "None", "DE"] * 10  # NA is Namibia
LABELS: Final = ["NA", "other"] * 30


def held(categories: list[str], labels: list[str], folder: Path, *, trained_on: list[str] | None = None, classes: list[str] | None = None) -> Holdout:
    """A table of countries and labels as a CSV file, as a model takes it that was trained on others."""
    table = pd.DataFrame({"country": trained_on or categories})
    model = make_pipeline(OneHotEncoder(handle_unknown="ignore"), LogisticRegression()).fit(table, classes or labels)
    (folder / "data.csv").write_text("country,target\n" + "".join(f"{a},{b}\n" for a, b in zip(categories, labels, strict=True)))
    data = read_data(folder / "data.csv", target="target")
    assert not hasattr(data, "labels")
    source = loaded(model, folder, examples=getattr(data, "arrays", None))
    return bind(data, source, "target")


def test_a_category_of_the_model_is_no_missing_value(tmp_path: Path) -> None:
    holdout = held(COUNTRIES, LABELS, tmp_path)
    assert holdout.inputs["country"].ravel().tolist() == COUNTRIES


def test_a_word_that_the_model_doesn_t_know_is_a_missing_value(tmp_path: Path) -> None:
    holdout = held(COUNTRIES, LABELS, tmp_path, trained_on=["DE", "FR", "NA"] * 20)
    assert holdout.inputs["country"].ravel().tolist() == ["" if country == "None" else country for country in COUNTRIES]


def test_a_class_of_the_model_is_no_missing_label(tmp_path: Path) -> None:
    assert held(COUNTRIES, LABELS, tmp_path).target.tolist() == LABELS


def test_classes_that_are_all_words_for_missing_values_are_labels(tmp_path: Path) -> None:
    labels = ["NA", "None", "nan"] * 20
    assert held(COUNTRIES, labels, tmp_path).target.tolist() == labels


@pytest.mark.parametrize("word", ["", "NA", "nan"])
def test_a_label_that_is_missing_is_refused_with_its_row(word: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"data\.csv: target: the target has missing values.*2 rows without one, the first is row 1"):
        held(COUNTRIES, ["a", word, "b", word, *["a"] * 56], tmp_path, classes=["a", "b"] * 30)


def test_a_file_that_keeps_missing_values_apart_is_taken_at_its_word(tmp_path: Path) -> None:
    table = pd.DataFrame({"country": COUNTRIES, "target": LABELS})
    table.to_parquet(tmp_path / "data.parquet")
    model = make_pipeline(OneHotEncoder(handle_unknown="ignore"), LogisticRegression()).fit(pd.DataFrame({"country": ["DE", "FR"] * 30}), LABELS)
    data: Any = read_data(tmp_path / "data.parquet")
    assert bind(data, loaded(model, tmp_path, examples=data.arrays), "target").inputs["country"].ravel().tolist() == COUNTRIES


def test_numbers_with_gaps_stay_numbers(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("a,b,c\n1,NA,x\nnan,2.5,NA\n")
    data: Any = read_data(tmp_path / "data.csv")
    np.testing.assert_array_equal(data.arrays["a"], [1, np.nan])
    np.testing.assert_array_equal(data.arrays["b"], [np.nan, 2.5])
    assert data.arrays["c"].tolist() == ["x", "NA"]


def test_the_words_are_those_of_pandas() -> None:
    parsers: Any = pytest.importorskip("pandas._libs.parsers")
    assert parsers.STR_NA_VALUES - {""} == MISSING_WORDS
