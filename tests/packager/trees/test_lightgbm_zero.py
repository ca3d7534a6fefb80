"""LightGBM reads every number up to 1e-35 as zero, on whichever side of a threshold it lies."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, Final

import joblib
import lightgbm
import numpy as np
import pytest

from sealift_packager.frameworks.converters import convert_model
from sealift_packager.frameworks.loaders import load_model
from sealift_packager.parity.check import check_parity
from support.ensembles import TRUST, assert_exact

ROWS: Final = 600
RANDOM: Final = np.random.default_rng(5)
#: Features on both sides of zero, one with gaps, one with many zeros, one with nothing but what counts as zero.
TABLE: Final = np.column_stack(
    [
        RANDOM.normal(size=ROWS),
        np.where(RANDOM.random(ROWS) < 0.15, np.nan, RANDOM.normal(size=ROWS)),
        np.where(RANDOM.random(ROWS) < 0.5, 0.0, RANDOM.normal(size=ROWS)),
        RANDOM.choice([0.0, 1e-36, -1e-36, 1e-35, -1e-35, 3e-35, -3e-35], ROWS),
    ]
)
VALUES: Final = TABLE[:, 0] * 3 + np.nan_to_num(TABLE[:, 1], nan=-2.0) ** 2 + (TABLE[:, 2] > 0) + 1e35 * TABLE[:, 3]
CLASSES: Final = np.array(["low", "mid", "high"])[(np.abs(VALUES) > 2).astype(int) + (np.abs(VALUES) > 5)]

MODELS: Final[dict[str, tuple[type, dict[str, Any], Any]]] = {
    "three classes": (lightgbm.LGBMClassifier, {}, CLASSES),
    "one against the rest": (lightgbm.LGBMClassifier, {"objective": "multiclassova"}, CLASSES),
    "regression": (lightgbm.LGBMRegressor, {}, VALUES),
    "fair": (lightgbm.LGBMRegressor, {"objective": "fair"}, VALUES),
    "shares": (lightgbm.LGBMRegressor, {"objective": "cross_entropy"}, np.clip(np.abs(VALUES) / 20, 0, 1)),
    "zero is missing": (lightgbm.LGBMRegressor, {"zero_as_missing": True}, VALUES),
    "nothing is missing": (lightgbm.LGBMRegressor, {"use_missing": False}, VALUES),
    "random thresholds": (lightgbm.LGBMRegressor, {"extra_trees": True}, VALUES),
}


@pytest.mark.parametrize("name", MODELS)
def test_numbers_beside_zero_are_decided_as_there(name: str, tmp_path: Path) -> None:
    kind, options, target = MODELS[name]
    joblib.dump(kind(n_estimators=15, min_child_samples=2, verbose=-1, **options).fit(TABLE, target), tmp_path / "m")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that an array doesn't have
        source = load_model(tmp_path / "m", TRUST)
        assert_exact(source, TABLE)
        assert source.digits is not None
        wide = source.digits.widen(frozenset(range(4)))
        assert check_parity(wide, convert_model(wide), {"features": TABLE}, seed=0) >= 5
