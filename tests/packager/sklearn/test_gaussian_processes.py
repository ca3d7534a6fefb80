"""Gaussian processes with every kernel that has a form, near their training rows, far from them, and where float32 holds no digits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor
from sklearn.gaussian_process.kernels import (
    RBF,
    ConstantKernel,
    DotProduct,
    ExpSineSquared,
    Kernel,
    Matern,
    PairwiseKernel,
    RationalQuadratic,
    WhiteKernel,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sealift_packager.errors import ConversionError
from sealift_packager.frameworks.converters import convert_model
from sealift_packager.graph.session import Settings, open_session, run_session
from sealift_packager.parity.check import check_parity
from support.scikit import loaded

RANDOM = np.random.default_rng(0)
ROWS = RANDOM.normal(size=(60, 3)).astype(np.float32).astype(np.float64)
CLASSES = (ROWS[:, 0] + ROWS[:, 1] ** 2 > 0.5).astype(int) + (ROWS[:, 2] > 0.7)
FAR = np.concatenate([ROWS, ROWS[:20] * 3, ROWS[:20] * 100]).astype(np.float32)
KERNELS: dict[str, Kernel | None] = {
    "none": None,
    "each column by its own length": RBF([0.5, 1, 2]),
    "steps": Matern(nu=0.5),
    "once smooth": Matern(nu=1.5),
    "twice smooth": Matern(nu=2.5),
    "smooth": Matern(nu=np.inf),
    "several lengths": RationalQuadratic(length_scale=0.7, alpha=0.5),
    "a line": DotProduct(0.5),
    "waves": ExpSineSquared(periodicity=30.0, length_scale=2.0) + WhiteKernel(5.0),
    "a sum with noise": ConstantKernel(2.0) * RBF() + WhiteKernel(0.1),
    "a power": (DotProduct(1.0) ** 2) + ConstantKernel(0.5),
}


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("kernel", KERNELS)
def test_a_classifier_has_its_sources_probabilities(kernel: str, classes: int, tmp_path: Path) -> None:
    names = np.array(["no", "yes", "maybe"])[np.minimum(CLASSES, classes - 1)]
    model = make_pipeline(StandardScaler(), GaussianProcessClassifier(KERNELS[kernel], optimizer=None)).fit(ROWS, names)
    source = loaded(model, tmp_path)
    converted = convert_model(source)
    answer = run_session(open_session(converted.model, Settings(), where="m"), {"features": FAR})
    np.testing.assert_allclose(answer["probabilities"], model.predict_proba(FAR.astype(np.float64)), atol=1e-6)
    assert check_parity(source, converted, {"features": FAR}, seed=0) >= 7


@pytest.mark.parametrize("targets", [1, 2])
@pytest.mark.parametrize("kernel", KERNELS)
def test_a_regressor_has_its_sources_mean(kernel: str, targets: int, tmp_path: Path) -> None:
    values = np.stack([np.sin(ROWS[:, 0]), ROWS[:, 1] * 50 + 1000], axis=1)[:, :targets]
    model = GaussianProcessRegressor(KERNELS[kernel], alpha=0.1, optimizer=None, normalize_y=True)
    source = loaded(model.fit(ROWS, values if targets > 1 else values[:, 0]), tmp_path)
    assert check_parity(source, convert_model(source), {"features": FAR}, seed=0) >= 7


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (GaussianProcessClassifier(PairwiseKernel(), optimizer=None), "PairwiseKernel: a kernel that has no ONNX form"),
        (GaussianProcessRegressor(Matern(nu=0.7), optimizer=None), "Matern: a kernel that has no ONNX form.*found Matern of nu=0.7"),
        (GaussianProcessClassifier(multi_class="one_vs_one"), "GaussianProcessClassifier: classes one against one"),
    ],
    ids=["a pairwise kernel", "a roughness in between", "one against one"],
)
def test_what_has_no_form_is_refused_by_name(model: Any, words: str, tmp_path: Path) -> None:
    source = loaded(model.fit(ROWS, CLASSES), tmp_path)
    with pytest.raises(ConversionError, match=words):
        convert_model(source)
