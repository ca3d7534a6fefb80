"""Boosters' files that their libraries read, and that say what no training gives."""

from __future__ import annotations

import json
from pathlib import Path

import lightgbm
import numpy as np
import pytest
import xgboost

from sealift_packager.boosters.load import READERS
from sealift_packager.errors import SourceModelError
from support.versions import since

RANDOM = np.random.default_rng(0)
ROWS = RANDOM.normal(size=(200, 3))
LABELS = (ROWS[:, 0] > 0).astype(int)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("sigmoid:1", "sigmoid:nan", "not a finite number"),
        ("Column_0 Column_1 Column_2", "a b a", "two columns have the same name: found 'a'"),
    ],
)
def test_a_lightgbm_model_of_no_scale_or_no_names_is_refused(tmp_path: Path, old: str, new: str, words: str) -> None:
    text = lightgbm.train({"objective": "binary", "verbose": -1, "num_leaves": 4}, lightgbm.Dataset(ROWS, LABELS), 2).model_to_string()
    assert old in text
    (tmp_path / "m.txt").write_text(text.replace(old, new, 1))
    with pytest.raises(SourceModelError, match=words):
        READERS["lightgbm"](tmp_path / "m.txt")


@pytest.mark.parametrize(
    ("score", "names", "words"),
    [
        pytest.param("[0E0]", [], "not a finite number", marks=since("xgboost-cpu", "3.1", "read a list of base scores")),
        ("[5E-1]", ["a", "b", "a"], "two columns have the same name"),
    ],
)
def test_an_xgboost_model_of_no_base_score_or_no_names_is_refused(tmp_path: Path, score: str, names: list[str], words: str) -> None:
    xgboost.train({"objective": "binary:logistic", "max_depth": 2}, xgboost.DMatrix(ROWS, LABELS), 2).save_model(tmp_path / "m.json")
    model = json.loads((tmp_path / "m.json").read_text())
    model["learner"]["learner_model_param"]["base_score"] = score
    model["learner"]["feature_names"] = names
    (tmp_path / "m.json").write_text(json.dumps(model))
    with pytest.raises(SourceModelError, match=words):
        READERS["xgboost"](tmp_path / "m.json")
