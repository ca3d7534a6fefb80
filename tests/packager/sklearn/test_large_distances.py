"""Distances within a table whose one column is so large that its squares round the others away: rows that agree in it differ by the others alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, Matern, RationalQuadratic
from sklearn.kernel_approximation import Nystroem
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import Ridge
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor, RadiusNeighborsClassifier, RadiusNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC, SVR

from sealift_packager.errors import ConversionError
from sealift_packager.frameworks.converters import convert_model
from sealift_packager.parity.check import check_parity
from support.scikit import loaded

RANDOM = np.random.default_rng(0)
ROWS = np.column_stack([RANDOM.integers(0, 3, 120) * 1e9, RANDOM.normal(size=120)]).astype(np.float32).astype(np.float64)
VALUES = np.sin(ROWS[:, 1]) + ROWS[:, 0] / 1e9
CLASSES = np.digitize(VALUES, [0.5, 1.5])
MODELS: dict[str, Any] = {
    "a Gaussian process": GaussianProcessRegressor(RBF(), optimizer=None),
    "a Gaussian process that is once smooth": GaussianProcessRegressor(Matern(), optimizer=None),
    "a Gaussian process of several lengths": GaussianProcessRegressor(RationalQuadratic(), optimizer=None),
    "classes by Gaussian processes": GaussianProcessClassifier(RBF(), optimizer=None),
    "classes against the rest": OneVsRestClassifier(GaussianProcessClassifier(RBF(), optimizer=None)),
    "support vectors that break ties": SVC(gamma=1.0, break_ties=True),
    "support vectors": SVR(gamma=1.0),
    "a radius": RadiusNeighborsRegressor(0.5),
    "a radius, near ones first": RadiusNeighborsClassifier(0.5, weights="distance", outlier_label=0),
    "neighbours": KNeighborsRegressor(),
    "neighbours, near ones first": KNeighborsClassifier(weights="distance"),
}


@pytest.mark.parametrize("name", MODELS)
def test_rows_that_agree_in_a_large_column_are_told_apart_by_the_others(name: str, tmp_path: Path) -> None:
    classes = hasattr(MODELS[name], "predict_proba") or isinstance(MODELS[name], SVC)
    source = loaded(MODELS[name].fit(ROWS[::2], (CLASSES if classes else VALUES)[::2]), tmp_path)
    assert check_parity(source, convert_model(source), {"features": ROWS.astype(np.float32)}, seed=0) >= 2


@pytest.mark.parametrize("name", ["KernelRidge", "Nystroem"])
def test_a_kernel_of_rounding_errors_is_refused_by_column(name: str, tmp_path: Path) -> None:
    model = KernelRidge(kernel="rbf", gamma=1.0) if name == "KernelRidge" else make_pipeline(Nystroem(gamma=1.0, n_components=20), Ridge())
    source = loaded(model.fit(ROWS, VALUES), tmp_path)
    with pytest.raises(ConversionError, match=rf"^{name}: column 0: the model's own answers are rounding errors.*StandardScaler"):
        convert_model(source)


def test_the_column_is_called_by_its_name_and_the_reason_is_not_that_of_digits(tmp_path: Path) -> None:
    table = pd.DataFrame({"since": ROWS[:, 0] + 0.1 * np.arange(120), "rate": ROWS[:, 1]})
    source = loaded(KernelRidge(alpha=100, kernel="rbf", gamma=1.0).fit(table, VALUES), tmp_path)
    assert source.digits is not None
    with pytest.raises(ConversionError, match=r"^KernelRidge: since: the model's own answers are rounding errors"):
        convert_model(source.digits.widen(frozenset((0,))))


def test_large_columns_that_are_scaled_are_no_reason(tmp_path: Path) -> None:
    source = loaded(KernelRidge(kernel="rbf", gamma=1e-18).fit(ROWS, VALUES), tmp_path)
    assert check_parity(source, convert_model(source), {"features": ROWS.astype(np.float32)}, seed=0) >= 2
