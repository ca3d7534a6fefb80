"""Codes such as ``0123`` in a CSV file are text for a model that was trained on text, though they look like numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from sealift_packager.data.files import read_data
from sealift_packager.data.holdout import Holdout, bind
from sealift_packager.errors import DataError
from support.scikit import loaded


def held(codes: list[str], trained_on: list[Any], path: Path, before: Any = None) -> Holdout:
    """A table of codes as a CSV file, as a model takes it that was trained on others."""
    table = pd.DataFrame({"code": np.array(trained_on, dtype=object)})
    model = make_pipeline(OneHotEncoder(handle_unknown="ignore"), LogisticRegression()).fit(table, np.resize([0, 1], len(table)))
    pd.DataFrame({"code": codes, "target": np.resize([0, 1], len(codes))}).to_csv(path, index=False)
    data = read_data(path, target="target")
    source = loaded(model, path.parent, examples=data.arrays)
    if before:
        before()
    return bind(data, source, "target")


@pytest.mark.parametrize("name", ["d.csv", "d.csv.gz"])
@pytest.mark.parametrize(
    ("codes", "known"),
    [
        (["0123", "4567", "0123", "0007"], ["0123", "4567"]),
        (["0123", "", "0007", "NA"], ["0123", "0007"]),
        (["12", "34"], ["12", "34", "x"]),
        (["1.0", "2.50"], ["1.0", "2.50"]),
        (["True", "False"], ["True", "False", "maybe"]),
        (["1e3", "2e3"], ["1e3", "2e3"]),
    ],
)
def test_what_the_file_has_is_what_the_model_is_given(codes: list[str], known: list[str], name: str, tmp_path: Path) -> None:
    holdout = held(codes, known, tmp_path / name)
    assert holdout.inputs["code"].ravel().tolist() == ["" if code == "NA" else code for code in codes]


def test_numbers_of_which_the_model_knows_none_are_refused_as_before(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"code: this column must be text: expected text, .*found numbers\. Write the categories as the model knows them"
    ):
        held(["123", "7"], ["0123", "0007"], tmp_path / "d.csv")


def test_a_model_trained_on_numbers_is_given_numbers(tmp_path: Path) -> None:
    assert held(["0123", "0007"], [123, 7], tmp_path / "d.csv").originals["features"].ravel().tolist() == [123, 7]


def test_a_file_that_changes_meanwhile_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the file changed while it was read"):
        held(["0123", "0007"], ["0123", "0007"], tmp_path / "d.csv", before=lambda: (tmp_path / "d.csv").write_text("code,target\n0123,1\n"))
