"""Boosters keep the names that the user's columns have, whatever the library makes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import joblib
import lightgbm
import numpy as np
import pandas as pd
import pytest

from sealift_packager.data.files import read_data
from sealift_packager.data.holdout import bind
from sealift_packager.errors import DataError
from sealift_packager.frameworks.loaders import load_model
from sealift_packager.model.source import LoadOptions

RANDOM: Final = np.random.default_rng(0)
TABLE: Final = pd.DataFrame(RANDOM.normal(size=(200, 3)), columns=["my column", "größe (cm)", "x.y"])
TARGET: Final = (TABLE["my column"] > 0).astype(int)


def columns_of(table: pd.DataFrame, form: str, folder: Path) -> tuple[str, ...]:
    model = lightgbm.LGBMClassifier(n_estimators=3, verbose=-1).fit(TABLE, TARGET)
    path = folder / ("m.txt" if form == "file" else "m.joblib")
    model.booster_.save_model(path) if form == "file" else joblib.dump(model, path)
    table.assign(target=TARGET).to_csv(folder / "data.csv", index=False)
    data: Any = read_data(folder / "data.csv")
    source = load_model(path, LoadOptions(trust_pickle=True, examples=data.arrays, target="target"))
    assert bind(data, source, "target").rows == len(TABLE)
    return source.columns["features"]


@pytest.mark.parametrize("form", ["joblib", "file"])
def test_names_with_spaces_stay_as_the_data_has_them(form: str, tmp_path: Path) -> None:
    assert columns_of(TABLE, form, tmp_path) == tuple(TABLE)


def test_names_as_the_library_has_them_do_as_well(tmp_path: Path) -> None:
    renamed = TABLE.rename(columns=lambda name: str(name).replace(" ", "_"))
    assert columns_of(renamed, "file", tmp_path) == tuple(renamed)


def test_two_columns_that_the_library_would_call_the_same_are_no_match(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="columns are not those"):
        columns_of(TABLE.assign(my_column=0.0), "file", tmp_path)
