"""Powers of numbers far from zero beside what they vary by are rounding errors, which trees behind them would answer by."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PowerTransformer, StandardScaler

from sealift_packager.errors import ConversionError
from sealift_packager.frameworks.converters import convert_model
from support.scikit import loaded
from support.versions import since

FITS = since("scikit-learn", "1.7", "fits powers of numbers that lie far from zero")
RANDOM = np.random.default_rng(0)
FAR = 5e7 + RANDOM.normal(size=(120, 2))
LABELS = (FAR[:, 0] > 5e7).astype(int)
TREES: dict[str, Any] = {
    "LightGBM": lightgbm.LGBMClassifier(n_estimators=3, verbose=-1, n_jobs=1),
    "a forest": RandomForestClassifier(3, random_state=0),
    "a forest in a vote": VotingClassifier([("trees", RandomForestClassifier(3, random_state=0)), ("line", LogisticRegression())]),
}


@FITS
@pytest.mark.parametrize("trees", TREES.values(), ids=TREES.keys())
def test_powers_that_are_rounding_errors_are_refused_before_trees(trees: Any, tmp_path: Path) -> None:
    source = loaded(make_pipeline(PowerTransformer(), trees).fit(FAR, LABELS), tmp_path)
    with pytest.raises(ConversionError, match=r"PowerTransformer: column \d: the model's own answers .* are rounding errors of a step before them"):
        convert_model(source)


def test_powers_of_positive_numbers_are_refused_likewise(tmp_path: Path) -> None:
    model = make_pipeline(PowerTransformer("box-cox"), TREES["LightGBM"]).fit(np.abs(FAR - 5e7), LABELS)
    model[0].lambdas_, model[0]._scaler = np.ones(2), StandardScaler().fit(FAR - 1)
    with pytest.raises(ConversionError, match=r"PowerTransformer: column \d: "):
        convert_model(loaded(model, tmp_path))


@FITS
def test_the_column_is_named_and_negative_numbers_count_by_their_size(tmp_path: Path) -> None:
    table = pd.DataFrame({"near": RANDOM.normal(size=120), "far": -FAR[:, 0]})
    columns = make_column_transformer((make_pipeline(PowerTransformer()), ["near", "far"]))
    source = loaded(make_pipeline(columns, TREES["LightGBM"]).fit(table, LABELS), tmp_path)
    with pytest.raises(ConversionError, match=r"PowerTransformer: far: .*Subtract a constant from the column or scale it \(StandardScaler\)"):
        convert_model(source)


SOUND: dict[str, tuple[Any, Any]] = {
    "scaled before": (make_pipeline(StandardScaler(), PowerTransformer(), TREES["LightGBM"]), FAR),
    "seconds of some years": (make_pipeline(PowerTransformer(), TREES["LightGBM"]), 1.6e9 + 3e7 * RANDOM.normal(size=(120, 2))),
    "a constant column": (
        make_pipeline(PowerTransformer(), TREES["LightGBM"]),
        np.column_stack([RANDOM.normal(size=120), np.full(120, 5e7)]),
    ),
}


@FITS
def test_without_trees_they_are_converted(tmp_path: Path) -> None:
    model = make_pipeline(PowerTransformer(), LogisticRegression()).fit(FAR, LABELS)
    assert convert_model(loaded(model, tmp_path)).outputs


@pytest.mark.parametrize(("model", "rows"), SOUND.values(), ids=SOUND.keys())
def test_others_are_converted(model: Any, rows: Any, tmp_path: Path) -> None:
    assert convert_model(loaded(model.fit(rows, LABELS), tmp_path)).outputs
