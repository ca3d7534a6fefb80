"""Tables as people save them by mistake: with an index, without names, with a name twice, with numbers that a spreadsheet dressed up."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression

from sealift_packager.data.files import read_data
from sealift_packager.data.holdout import Holdout, bind
from sealift_packager.data.refusal import refused
from sealift_packager.errors import DataError
from support.scikit import loaded

ROWS = np.random.default_rng(0).normal(size=(40, 2))
NAMED: Any = LogisticRegression().fit(pd.DataFrame(ROWS, columns=["age", "pay"]), ROWS[:, 0] > 0)
UNNAMED: Any = LogisticRegression().fit(ROWS, ROWS[:, 0] > 0)


def bound(text: str, folder: Path, model: Any = NAMED, *, needed: bool = True) -> Holdout:
    (folder / "d.csv").write_text(text)
    data: Any = read_data(folder / "d.csv", None, "target")
    return bind(data, loaded(model, folder, examples=data.arrays), "target", needed=needed)


@pytest.mark.parametrize(
    ("value", "advice"),
    [
        ('"1,234.5"', r"'1,234\.5' in row 1, among numbers\. Are these thousands separators\? Write the numbers plainly"),
        ("1'234.50", "Are these thousands separators"),
        ("1 234", "Are these thousands separators"),
        ('"2,5"', r"'2,5' in row 1, among numbers\. Are these decimal commas\?"),
        ("$12.50", "Remove the unit"),
        ("35%", "Remove the unit"),
        ("12.50 €", "Remove the unit"),
        ("2026-01-31", "Write dates as the numbers"),
        ("31.01.2026 10:00", "Write dates as the numbers"),
        ("unknown", "write the values as the numbers that they were then"),
        ("-", "write the values as the numbers"),
    ],
)
def test_text_among_numbers_is_shown_with_what_to_do_about_it(value: str, advice: str, tmp_path: Path) -> None:
    holdout = bound(f"age,pay,target\n1,2.5,0\n3,{value},1\n", tmp_path)
    with pytest.raises(ValueError, match="could not convert") as failure:
        loaded(NAMED, tmp_path, examples=holdout.inputs).predict(holdout.originals)
    error = str(refused("scikit-learn", holdout.originals, failure.value))
    said = r"--data, for scikit-learn: the source model fails on the holdout: it takes numbers, not text: expected numbers, found pay: "
    assert re.match(rf"{said}.*{advice}", error), error


def test_an_index_that_was_saved_is_named(tmp_path: Path) -> None:
    for model in (NAMED, UNNAMED):
        with pytest.raises(DataError, match=r"The column without a name is an index: save the table without it, with to_csv\(…, index=False\)"):
            bound(",age,pay,target\n0,1,2.5,0\n1,3,4.5,1\n", tmp_path, model)


def test_a_model_that_was_trained_with_the_index_takes_it(tmp_path: Path) -> None:
    model = LogisticRegression().fit(pd.DataFrame(ROWS, columns=["Unnamed: 0", "pay"]), ROWS[:, 0] > 0)
    assert bound(",pay,target\n0,1,0\n1,3,1\n", tmp_path, model).inputs["features"].tolist() == [[0, 1], [1, 3]]


def test_a_name_that_is_there_twice_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"missing age; unexpected pay\.1\. Several columns have the name pay; rename them"):
        bound("pay,pay,target\n1,2.5,0\n3,4,1\n", tmp_path)
    with pytest.raises(DataError, match="target: several columns have the name of the target"):
        bound("age,pay,target,target\n1,2.5,0,1\n3,4,1,1\n", tmp_path)


def test_numbers_in_the_place_of_names_are_not_lost_as_a_row(tmp_path: Path) -> None:
    clusters = KMeans(2, n_init=1).fit(ROWS)
    for header in ("5,3", "5.5,x"):
        with pytest.raises(DataError, match=r"the first line may hold data, not names: expected a header line, found 5"):
            bound(f"{header}\n1,2\n3,4\n", tmp_path, clusters, needed=False)
    assert bound("0,1\n1,2\n3,4\n", tmp_path, clusters, needed=False).rows == 2
    with pytest.raises(DataError, match=r"no such target: .*If the first line holds data, add a line with a name for each column"):
        bound("5,3,1\n1,2,0\n3,4,1\n", tmp_path, UNNAMED)


def test_columns_with_spaces_between_are_one_column(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such target: .*If the file's columns are separated by spaces, separate them by commas"):
        bound("age pay target\n1 2 0\n", tmp_path)
