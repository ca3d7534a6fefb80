"""Probabilities of classes that are very rare are right to their digits."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import lightgbm
import numpy as np
import pytest
import xgboost

from sealift_packager.frameworks.converters import convert_model
from sealift_packager.graph.session import Settings, open_session, run_session
from sealift_packager.parity.check import check_parity
from support.scikit import loaded
from support.versions import since

ROWS: Final = np.random.default_rng(0).normal(size=(300, 3)).astype(np.float32)
LABELS: Final = (ROWS[:, 0] > 0).astype(int)
MODELS: Final[dict[str, Any]] = {
    "XGBoost from a small base": lambda: xgboost.XGBClassifier(n_estimators=5, base_score=1e-7).fit(ROWS, LABELS),
    "XGBoost from a large base": lambda: xgboost.XGBClassifier(n_estimators=5, base_score=0.9999995).fit(ROWS, LABELS),
    "XGBoost's numbers": lambda: xgboost.XGBRegressor(n_estimators=5, objective="reg:logistic", base_score=1e-7).fit(ROWS, LABELS),
    "LightGBM that is certain": lambda: lightgbm.LGBMClassifier(n_estimators=60, learning_rate=0.9, verbose=-1, n_jobs=1).fit(ROWS, LABELS),
}


BOUNDED: Final = since("xgboost-cpu", "3.2", "keeps base scores away from 0 and 1")


@pytest.mark.parametrize("name", [pytest.param(name, marks=BOUNDED if name.startswith("XGBoost") else ()) for name in MODELS])
def test_small_shares_have_their_digits(name: str, tmp_path: Path) -> None:
    model = MODELS[name]()
    source = loaded(model, tmp_path)
    converted = convert_model(source)
    assert check_parity(source, converted, {"features": ROWS}, seed=0) >= 3
    found = run_session(open_session(converted.model, Settings(), where="test"), {"features": ROWS})
    numbers = model.predict_proba(ROWS)[:, 1] if hasattr(model, "predict_proba") else model.predict(ROWS)
    assert min(numbers.min(), 1 - numbers.max()) < 1e-5
    answers = found["probabilities"][:, 1] if "probabilities" in found else found["prediction"].ravel()
    np.testing.assert_allclose(answers, numbers, rtol=1e-4)
