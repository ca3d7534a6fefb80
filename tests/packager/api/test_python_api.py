"""`sealift_packager.pack`: live models and data, and the same results as from files."""

from __future__ import annotations

import datetime
import gzip
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sealift_packager
from sealift_core.signing.keys import PrivateKey
from sealift_packager.api.model import write_model
from sealift_packager.diff import artifact
from sealift_packager.errors import DataError, SourceModelError
from sealift_packager.frameworks.loaders import load_model
from sealift_packager.model.source import LoadOptions
from support import trained

EXAMPLES = Path(__file__).parents[3] / "examples"
PROFILE = "arm64-dotprod"
ROWS = np.random.default_rng(0).standard_normal((40, 6)).astype(np.float32)
LABELS = (ROWS[:, 0] > 0).astype(np.int64)


def net() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))


class TwoInputs(torch.nn.Module):
    def forward(self, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        return torch.cat([left, right], dim=1) * 2


def packed(tmp_path: Path, model: Any, data: Any = None, **options: Any) -> Any:
    return sealift_packager.pack(model, name="model", profile=PROFILE, out=tmp_path / "out", data=data, **options)


def test_the_package_is_light_until_pack_is_asked_for() -> None:
    code = "import sys, sealift_packager; assert 'onnx' not in sys.modules and 'numpy' not in sys.modules; import sealift_packager.build.pipeline\n"
    code += "assert callable(sealift_packager.pack); assert not hasattr(sealift_packager, 'park')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr


def test_an_estimator_and_a_table_become_a_signed_release(tmp_path: Path) -> None:
    table, target = load_breast_cancer(return_X_y=True, as_frame=True)
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(table[:400], target[:400])
    key = PrivateKey.generate()
    result = packed(tmp_path, model, (table[400:], target[400:]), key=key, version="2.0.0")
    artifact.verify(tmp_path / "out", key.public_key)
    manifest = result.manifests[PROFILE]
    assert manifest.version == "2.0.0"
    assert manifest.evaluation.holdout_rows == 169
    assert manifest.inputs[0].columns[0] == "mean radius"


def test_a_module_and_an_array_become_a_release_with_a_free_batch(tmp_path: Path) -> None:
    model = net().train()
    manifest = packed(tmp_path, model, (ROWS, LABELS), max_drop=1.0).manifests[PROFILE]
    assert [(spec.name, spec.shape) for spec in manifest.inputs] == [("input", ("batch", 6))]
    assert manifest.evaluation.holdout_rows == 40
    assert model.training


def test_a_module_of_two_inputs_takes_them_by_name(tmp_path: Path) -> None:
    manifest = packed(tmp_path, TwoInputs(), ({"left": ROWS, "right": ROWS}, LABELS), max_drop=1.0).manifests[PROFILE]
    assert [spec.name for spec in manifest.inputs] == ["left", "right"]


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.parametrize("wrap", [torch.compile, torch.nn.DataParallel])
def test_a_compiled_or_parallel_module_is_the_one_within(wrap: Any, tmp_path: Path) -> None:
    manifest = packed(tmp_path, wrap(net()), (ROWS, LABELS), max_drop=1.0).manifests[PROFILE]
    assert [(spec.name, spec.shape) for spec in manifest.inputs] == [("input", ("batch", 6))]


def test_without_data_example_inputs_show_the_shapes(tmp_path: Path) -> None:
    manifest = packed(tmp_path, net(), example_inputs=[ROWS[:1]]).manifests[PROFILE]
    assert manifest.evaluation.verdict == "not evaluated"
    assert manifest.inputs[0].shape == ("batch", 6)


def test_an_onnx_model_and_a_path_give_the_same_bytes(tmp_path: Path) -> None:
    path = trained.onnx_net().model
    options: dict[str, Any] = {"data": trained.onnx_net().data, "target": trained.onnx_net().target, "max_drop": 0.05}
    created = datetime.datetime(2026, 1, 31, tzinfo=datetime.UTC)
    one = sealift_packager.pack(onnx.load(path), name="m", profile=PROFILE, out=tmp_path / "one", created=created, **options)
    two = sealift_packager.pack(path, name="m", profile=PROFILE, out=tmp_path / "two", created=created, **options)
    assert one.manifests[PROFILE].model == two.manifests[PROFILE].model


@pytest.mark.parametrize(
    ("model", "data", "error_class", "message"),
    [
        (object(), None, SourceModelError, "not a model: expected a path, a scikit-learn estimator"),
        (net(), None, SourceModelError, "no example inputs: expected input, found none"),
        (net(), 3, DataError, "this type of data is not supported: expected a path, "),
        (TwoInputs(), (ROWS, LABELS), DataError, "the model has several inputs: expected left, right"),
        (net(), ({"target": ROWS}, LABELS), DataError, "X contains a column with the name of the target"),
    ],
)
def test_what_can_t_be_packed_is_named(tmp_path: Path, model: Any, data: Any, error_class: type[Exception], message: str) -> None:
    with pytest.raises(error_class) as caught:
        packed(tmp_path, model, data)
    assert message in str(caught.value)


def test_the_example_runs(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, EXAMPLES / "python_api.py", tmp_path / "out"], capture_output=True, text=True, timeout=170, check=False)
    assert done.returncode == 0, done.stderr
    assert "arm64-i8mm: " in done.stdout


@pytest.mark.parametrize("name", ["d.csv", "d.CSV", "d.csv.gz"])
def test_a_module_s_examples_come_from_whatever_file_of_data_can_be_read(name: str, tmp_path: Path) -> None:
    text = "a,b,target\n1.0,2.5,0\n2.0,0.5,1\n"
    (tmp_path / name).write_bytes(gzip.compress(text.encode()) if name.endswith("gz") else text.encode())
    program = write_model(torch.nn.Linear(2, 1), tmp_path, tmp_path / name, target="target")
    assert load_model(program, LoadOptions()).inputs[0].shape == ("batch", 2)
