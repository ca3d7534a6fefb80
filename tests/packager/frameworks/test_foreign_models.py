"""Models that Sealift does not take are called by their names, with what to do instead."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import joblib
import lightgbm
import numpy as np
import pytest
import torch
import xgboost
from sklearn.datasets import load_iris
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.tree import DecisionTreeClassifier

from sealift_packager.errors import ConversionError, SourceModelError
from sealift_packager.frameworks.converters import convert_model
from sealift_packager.frameworks.loaders import load_model
from sealift_packager.model.source import LoadOptions

ROWS, LABEL = load_iris(return_X_y=True)


def saved_model(place: Path) -> Path:
    (place / "model").mkdir()
    (place / "model" / "saved_model.pb").write_bytes(b"\x08\x01")
    return place / "model"


def keras_zip(place: Path) -> Path:
    with zipfile.ZipFile(place / "model.keras", "w") as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("model.weights.h5", b"\x89HDF")
    return place / "model.keras"


def hdf5(place: Path) -> Path:
    (place / "model.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(64))
    return place / "model.h5"


def data_instead(place: Path) -> Path:
    np.savez(place / "data.npz", x=np.zeros(3))
    return place / "data.npz"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (saved_model, "a TensorFlow SavedModel"),
        (keras_zip, "sealift can't read a Keras model"),
        (hdf5, "an HDF5 file, as Keras writes it"),
        (data_instead, r"found a NumPy archive \(is it the data\?\)"),
    ],
)
def test_a_file_of_another_format_is_called_by_its_name(tmp_path: Path, make: Callable[[Path], Path], words: str) -> None:
    with pytest.raises(SourceModelError, match=words):
        load_model(make(tmp_path), LoadOptions())


def linear_leaves(path: Path) -> None:
    data = lightgbm.Dataset(ROWS, LABEL, params={"linear_tree": True, "verbose": -1})
    lightgbm.train({"objective": "regression", "linear_tree": True, "verbose": -1}, data, 2).save_model(path)


def alternative_entropy(path: Path) -> None:
    lightgbm.train({"objective": "cross_entropy_lambda", "verbose": -1}, lightgbm.Dataset(ROWS, LABEL / 2), 2).save_model(path)


def linear_booster(path: Path) -> None:
    xgboost.train({"booster": "gblinear", "objective": "reg:squarederror"}, xgboost.DMatrix(ROWS, LABEL), 2).save_model(path)


def survival(path: Path) -> None:
    data = xgboost.DMatrix(ROWS, label_lower_bound=LABEL + 1.0, label_upper_bound=LABEL + 2.0)
    xgboost.train({"objective": "survival:aft"}, data, 2).save_model(path)


@pytest.mark.parametrize(
    ("make", "name", "words"),
    [
        (linear_leaves, "m.txt", "linear models in the leaves.*Train without linear_tree"),
        (alternative_entropy, "m.txt", "this objective can't be converted to ONNX: expected .*found cross_entropy_lambda"),
        (linear_booster, "m.json", "a linear booster, not trees: expected gbtree or dart, found gblinear"),
        (survival, "m.json", "this objective can't be converted to ONNX: expected .*found survival:aft"),
    ],
)
def test_a_booster_without_an_exact_form_says_what_it_is(tmp_path: Path, make: Callable[[Path], None], name: str, words: str) -> None:
    make(tmp_path / name)
    with pytest.raises(ConversionError, match=words):
        convert_model(load_model(tmp_path / name, LoadOptions()))


def test_a_step_that_has_no_conversion_is_named(tmp_path: Path) -> None:
    joblib.dump(make_pipeline(FunctionTransformer(np.arctan), DecisionTreeClassifier()).fit(ROWS, LABEL), tmp_path / "m.joblib")
    with pytest.raises(ConversionError, match="FunctionTransformer: func: a function that has no ONNX form: .*found arctan"):
        convert_model(load_model(tmp_path / "m.joblib", LoadOptions(trust_pickle=True)))


class Times(torch.nn.Module):
    def forward(self, x: torch.Tensor, times: int) -> torch.Tensor:
        return x * times


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_torchscript_that_takes_a_number_is_refused_by_the_name_of_that_input(tmp_path: Path) -> None:
    torch.jit.script(Times()).save(tmp_path / "m.pt")  # type: ignore[no-untyped-call]
    with pytest.raises(SourceModelError, match=r"m\.pt: times: an input is not a tensor: expected tensors only, found int"):
        load_model(tmp_path / "m.pt", LoadOptions(trust_pickle=True))
