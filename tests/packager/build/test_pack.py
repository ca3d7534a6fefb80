"""The whole pipeline on small models that were really trained."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from sealift_core.bundle import files
from sealift_core.bundle.digest import Digest
from sealift_core.bundle.golden import decode_golden
from sealift_core.bundle.manifest import BundleManifest
from sealift_core.drift.baseline import Baseline
from sealift_core.errors import IntegrityError, SignatureError
from sealift_core.signing.keys import PrivateKey
from sealift_packager.build.pipeline import Packed, pack
from sealift_packager.build.request import time_of_build
from sealift_packager.diff import artifact
from sealift_packager.errors import DataError, OutputError, PackagerError, ParityError, ProfileError
from sealift_packager.measure.host import NOT_MEASURED
from support import trained
from support.models import make_profile
from support.packing import KEY, elsewhere, request


def unpacked(packed: Packed, tmp_path: Path, profile: str = "elsewhere") -> tuple[Path, BundleManifest]:
    directory = tmp_path / "unpacked"
    return directory, artifact.unpack(packed.directory, profile, directory)


def answers(directory: Path, inputs: Mapping[str, Any]) -> dict[str, Any]:
    session = onnxruntime.InferenceSession(str(directory / files.GRAPH))
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, dict(inputs)), strict=True))


def test_a_pipeline_becomes_a_signed_release_that_verifies_and_answers(tmp_path: Path) -> None:
    packed = pack(request(trained.cancer(), tmp_path / "out", make_profile()))
    artifact.verify(packed.directory, KEY.public_key)
    directory, manifest = unpacked(packed, tmp_path, "any-cpu")
    artifact.verify(directory, KEY.public_key)
    assert manifest == packed.manifests["any-cpu"]
    assert [spec.name for spec in manifest.outputs] == ["label", "probabilities"]
    assert manifest.inputs[0].columns[0] == "mean radius"
    assert manifest.evaluation.verdict == "passed"
    assert manifest.evaluation.measurement is not None
    assert manifest.evaluation.measurement.peak_memory_bytes > 2**20
    golden = decode_golden((directory / files.GOLDEN).read_bytes(), manifest.inputs, manifest.outputs, manifest.golden.cases)
    assert len(golden) == 8
    for case in golden:
        outputs = answers(directory, case.inputs)
        assert outputs["label"].tolist() == case.outputs["label"].tolist()
        np.testing.assert_allclose(outputs["probabilities"], case.outputs["probabilities"], manifest.golden.rtol, manifest.golden.atol)
    assert Baseline.parse((directory / files.BASELINE).read_bytes()).rows == 114
    assert "accuracy" in (directory / files.CARD).read_text()


def test_ids_that_float32_can_t_hold_are_inputs_of_float64_and_the_score_is_the_true_one(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    table = pd.DataFrame({"id": random.choice(np.arange(2**24 + 1, 2**24 + 12), 400), "noise": random.normal(size=400)})
    odd = (table["id"] % 2) ^ (random.random(400) < 0.1)
    model = make_pipeline(make_column_transformer((OneHotEncoder(), ["id"]), remainder="passthrough"), LogisticRegression()).fit(table, odd)
    joblib.dump(model, tmp_path / "m.joblib")
    table.assign(odd=odd).to_csv(tmp_path / "data.csv", index=False)
    packed = pack(request(trained.Trained(model=tmp_path / "m.joblib", data=tmp_path / "data.csv", target="odd"), tmp_path / "out"))
    manifest = packed.manifests["elsewhere"]
    assert {spec.name: spec.dtype for spec in manifest.inputs} == {"id": "float64", "noise": "float32"}
    assert manifest.evaluation.accuracy is not None
    assert manifest.evaluation.accuracy.reference == model.score(table, odd)
    assert "These inputs are float64 (FP64), because the model's answers depend on digits that float32 doesn't have: id." in packed.notes

    directory, _ = unpacked(packed, tmp_path)
    inputs = {"id": table[["id"]].to_numpy(np.float64), "noise": table[["noise"]].to_numpy(np.float32)}
    assert (answers(directory, inputs)["label"] == model.predict(table)).all()
    artifact.verify(packed.directory, KEY.public_key)
    assert Baseline.parse((directory / files.BASELINE).read_bytes()).rows == 400


def test_without_data_only_fp32_is_built_and_nothing_is_claimed(tmp_path: Path) -> None:
    packed = pack(request(trained.program(), tmp_path / "out", data=None))
    directory, manifest = unpacked(packed, tmp_path)
    assert manifest.evaluation.verdict == "not evaluated"
    assert manifest.evaluation.accuracy is None
    assert [candidate.name for candidate in manifest.evaluation.candidates] == ["fp32"]
    assert Baseline.parse((directory / files.BASELINE).read_bytes()).features == ()
    assert manifest.golden.cases == 8


def test_for_other_hardware_nothing_is_measured_and_the_smallest_that_passes_is_chosen(tmp_path: Path) -> None:
    manifest = pack(request(trained.onnx_net(), tmp_path / "out", max_drop=0.05)).manifests["elsewhere"]
    assert manifest.evaluation.measured == NOT_MEASURED
    assert manifest.evaluation.measurement is None
    assert all(candidate.measurement is None for candidate in manifest.evaluation.candidates)
    assert manifest.model.precision.startswith("int8")
    chosen = next(candidate for candidate in manifest.evaluation.candidates if candidate.chosen)
    assert "not measured on this hardware" in chosen.reason
    assert chosen.accuracy is not None
    assert chosen.accuracy.loss_high <= 0.05


def test_a_budget_that_int8_can_t_keep_ships_fp32_and_says_why(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def exact(target, outputs):\n    return -float(abs(outputs['output'].max(axis=1) - target).mean())\n")
    images = np.load(trained.digits_holdout())["image"]
    np.savez(tmp_path / "exact.npz", image=images, target=answers(trained.onnx_net().model.parent, {"image": images})["output"].max(axis=1))
    pack_request = request(trained.onnx_net(), tmp_path / "out", data=tmp_path / "exact.npz", metric=f"{tmp_path}/mine.py:exact", max_drop=1e-4)
    manifest = pack(pack_request).manifests["elsewhere"]
    assert manifest.model.precision == "fp32"
    reasons = {candidate.name: candidate.reason for candidate in manifest.evaluation.candidates}
    assert "more than the budget of 0.0001" in reasons["int8-static"]
    assert "more than the budget of 0.0001" in reasons["int8-dynamic"]


def test_computed_files_are_the_same_bytes_in_two_builds(tmp_path: Path) -> None:
    first, second = (pack(request(trained.state_dict(), tmp_path / name, factory=trained.FACTORY)) for name in "ab")
    assert first.digest == second.digest


def test_measured_builds_differ_only_in_what_was_measured(tmp_path: Path) -> None:
    profile = make_profile(precisions=("fp32",))
    first, second = (artifact.view(pack(request(trained.onnx_net(), tmp_path / name, profile)).directory)[0] for name in "ab")
    for part in ("model", "inputs", "outputs", "golden", "requires", "lineage"):
        assert getattr(first.manifest, part) == getattr(second.manifest, part)
    assert first.manifest.evaluation.accuracy == second.manifest.evaluation.accuracy


def test_text_labels_and_regressions_are_packed(tmp_path: Path) -> None:
    forest = pack(request(trained.forest(), tmp_path / "forest")).manifests["elsewhere"]
    assert [spec.dtype for spec in forest.outputs] == ["string", "float32"]
    ridge = pack(request(trained.ridge(), tmp_path / "ridge")).manifests["elsewhere"]
    assert ridge.evaluation.accuracy is not None
    assert ridge.evaluation.accuracy.metric == "rmse"
    assert ridge.evaluation.accuracy.budget == pytest.approx(0.01 * ridge.evaluation.accuracy.reference)
    assert ridge.outputs[0].shape == ("batch", 1)


def test_onnx_goes_through_as_it_is(tmp_path: Path) -> None:
    packed = pack(request(trained.onnx_net(), tmp_path / "out", data=None))
    assert packed.manifests["elsewhere"].model.source_framework.startswith("ONNX")
    assert packed.manifests["elsewhere"].inputs[0].name == "image"


def test_a_large_model_has_its_weights_in_shards_and_loads(tmp_path: Path) -> None:
    weight = onnx.numpy_helper.from_array(np.random.default_rng(0).normal(size=(1024, 1200)).astype(np.float32), "w")
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("MatMul", ["x", "w"], ["y"])],
        "g",
        [onnx.helper.make_tensor_value_info("x", 1, ["n", 1024])],
        [onnx.helper.make_tensor_value_info("y", 1, ["n", 1200])],
        [weight],
    )
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9), tmp_path / "m.onnx")
    packed = pack(request(trained.Trained(model=tmp_path / "m.onnx", data=tmp_path, target=""), tmp_path / "out", data=None))
    artifact.verify(packed.directory, KEY.public_key)
    directory, _ = unpacked(packed, tmp_path)
    assert (directory / "weights" / "00000.bin").stat().st_size == 1024 * 1200 * 4
    assert answers(directory, {"x": np.zeros((3, 1024), np.float32)})["y"].shape == (3, 1200)


def test_a_changed_blob_is_named_by_verify(tmp_path: Path) -> None:
    packed = pack(request(trained.ridge(), tmp_path / "out"))
    directory, _ = unpacked(packed, tmp_path)
    card = directory / files.CARD
    blob = packed.directory / "blobs" / "sha256" / Digest.of_file(card).hex
    for place in (card, blob):
        place.write_text(place.read_text() + "P.S.")
    with pytest.raises(IntegrityError, match="MODEL_CARD"):
        artifact.verify(packed.directory, KEY.public_key)
    with pytest.raises(IntegrityError, match="MODEL_CARD"):
        artifact.verify(directory, KEY.public_key)


def test_another_key_and_no_key_are_refused_by_verify(tmp_path: Path) -> None:
    signed = pack(request(trained.ridge(), tmp_path / "signed"))
    with pytest.raises(SignatureError, match="another key"):
        artifact.verify(signed.directory, PrivateKey.generate().public_key)
    unsigned = pack(request(trained.ridge(), tmp_path / "unsigned", signer=None))
    with pytest.raises(SignatureError, match="not signed"):
        artifact.verify(unsigned.directory, KEY.public_key)


def test_a_taken_output_is_refused_before_any_work_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(OutputError, match="taken"):
        pack(request(trained.cancer(), tmp_path / "out", model=tmp_path / "missing"))


def test_a_failing_build_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(DataError):
        pack(request(trained.cancer(), tmp_path / "out", metric="auc", target="nothing"))
    with pytest.raises((DataError, ParityError)):
        pack(request(trained.forest(), tmp_path / "out", metric="mae"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"name": "../evil"}, PackagerError, "--name"),
        ({"version": "1.0"}, PackagerError, "semantic version"),
        ({"profiles": ()}, ProfileError, "--profile"),
        ({"profiles": (elsewhere(), elsewhere())}, ProfileError, "named twice"),
        ({"max_drop": -1.0}, DataError, "--max-drop"),
        ({"max_drop": float("nan")}, DataError, "--max-drop"),
        ({"data": None, "metric": "auc"}, DataError, "--metric, --output and --max-drop need data"),
        ({"seed": -1}, PackagerError, "--seed"),
    ],
)
def test_options_that_make_no_sense_are_refused(tmp_path: Path, changes: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        request(trained.Trained(model=tmp_path, data=tmp_path, target="t"), tmp_path / "out", **changes)


def test_the_time_of_the_build_is_source_date_epoch_if_that_is_set() -> None:
    assert time_of_build({"SOURCE_DATE_EPOCH": "0"}).year == 1970
    assert time_of_build({}).year > 2000
    with pytest.raises(PackagerError, match="SOURCE_DATE_EPOCH"):
        time_of_build({"SOURCE_DATE_EPOCH": "yesterday"})


WITHOUT = """
import sys
from pathlib import Path
from types import SimpleNamespace

sys.modules.update(dict.fromkeys(("sklearn", "skl2onnx", "joblib", "scipy", "torch", "xgboost", "lightgbm", "catboost", "skops", "pyarrow", "PIL")))
from sealift_packager.build.pipeline import pack

sys.path.append(sys.argv.pop())
from support.packing import elsewhere, request

model, data, out = map(Path, sys.argv[1:])
print(pack(request(SimpleNamespace(model=model, data=data, target="target"), out, elsewhere())).directory)
"""


def test_an_onnx_model_is_packed_where_no_training_library_is_installed(tmp_path: Path) -> None:
    net = trained.onnx_net()
    tests = Path(trained.__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", WITHOUT, net.model, net.data, tmp_path / "out", tests], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == str(tmp_path / "out"), done.stderr
