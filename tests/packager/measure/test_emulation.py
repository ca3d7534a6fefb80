"""int8 accuracy for processors that aren't at hand: which one is emulated for a profile, that the emulated side answers right, what a bundle says."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from sealift_core.hardware.machine import detect_machine
from sealift_packager.build.pipeline import pack
from sealift_packager.candidates.candidate import Candidate
from sealift_packager.candidates.result import CandidateResult
from sealift_packager.errors import ConversionError, LockError
from sealift_packager.graph.session import Settings, open_session, run_batched
from sealift_packager.measure import emulation
from sealift_packager.measure.emulation import PROCESSORS, ROOT_VARIABLE, Emulator, find_emulator, missing, processor_for, run_emulated
from sealift_packager.model.source import Array
from sealift_packager.profiles.library import load_profile
from sealift_packager.search import evaluate
from sealift_packager.search.evaluate import as_the_profile_computes
from support import trained
from support.cli import ROOT
from support.models import CORPUS
from support.packing import request

VERSION = importlib.metadata.version("onnxruntime")
#: This machine's own Python as the emulated side.
LOCAL = Emulator(processor=PROCESSORS[0], command=(sys.executable, "-P"), environment=dict(os.environ), onnxruntime=VERSION)
ARM = next(processor for processor in PROCESSORS if processor.cpu == "cortex-a72")
ARM_ROOT = Path(os.environ.get(ROOT_VARIABLE) or ROOT / "build" / "arm64-root")


def arm_emulator() -> Emulator:
    emulator = find_emulator(ARM, {**os.environ, ROOT_VARIABLE: str(ARM_ROOT)})
    if emulator is None:
        pytest.skip(f"int8 accuracy on Arm isn't computed here: {missing(ARM)} (make arm-root makes it)")
    return emulator


@pytest.mark.parametrize(
    ("profile", "processor"),
    [
        ("x86-64-baseline", "qemu-x86_64 -cpu Haswell"),
        ("x86-64-avx2", "qemu-x86_64 -cpu Haswell"),
        ("arm64-baseline", "qemu-aarch64 -cpu cortex-a72"),
        ("arm64-dotprod", "qemu-aarch64 -cpu cortex-a76"),
        ("arm64-i8mm", "qemu-aarch64 -cpu max,sve=off"),
    ],
)
def test_a_profile_is_emulated_by_the_least_processor_that_computes_int8_as_it_does(profile: str, processor: str) -> None:
    assert str(processor_for(load_profile(profile).cpu)) == processor


def test_the_emulated_side_answers_as_a_session_here_does_and_leaves_nothing(tmp_path: Path) -> None:
    source = trained.onnx_net()
    model, images = onnx.load(source.model), np.load(source.data)["image"][:70]
    free = run_emulated(LOCAL, model, {"image": images}, {"session.disable_quant_qdq": "1"}, tmp_path)
    assert free is not None
    np.testing.assert_allclose(free["output"], run_batched(open_session(model, Settings(), where="m"), {"image": images})["output"], atol=1e-5)
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = model.graph.output[0].type.tensor_type.shape.dim[0].dim_value = 8
    whole = run_emulated(LOCAL, model, {"image": images}, {}, tmp_path)
    assert whole is not None
    np.testing.assert_allclose(whole["output"], free["output"], atol=1e-5)
    words: dict[str, Array] = {"word": np.array(["a", "größe"], dtype=object)}
    text = run_emulated(LOCAL, onnx.load(CORPUS / "text" / "model.onnx"), words, {}, tmp_path)
    assert text is not None
    assert text["echo"].tolist() == ["a!", "größe!"]
    assert text["echo"].dtype.kind == "O"
    assert list(tmp_path.iterdir()) == []


def test_a_graph_that_does_not_run_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match="the emulation of the processor failed"):
        run_emulated(LOCAL, onnx.load(CORPUS / "linear" / "model.onnx"), {"x": np.zeros((1, 9), np.float32)}, {}, tmp_path)


def test_what_would_take_too_long_is_not_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = onnx.load(CORPUS / "slow" / "model.onnx")
    inputs: dict[str, Array] = {"x": np.zeros((1, 4), np.float32), "rounds": np.array([10_000], np.int64)}
    assert run_emulated(LOCAL, graph, inputs, {}, tmp_path) is not None
    monkeypatch.setattr(emulation, "TIMEOUT_S", 0.001)
    assert run_emulated(LOCAL, graph, inputs, {}, tmp_path) is None


def test_without_an_emulator_or_time_the_answers_are_this_machine_s_and_that_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = dataclasses.replace(detect_machine(), arch="x86_64")
    result = CandidateResult.built(Candidate(name="q", precision="int8-static"), onnx.load(CORPUS / "linear" / "model.onnx"))
    inputs = {"x": np.zeros((1, 4), np.float32)}

    def arithmetic() -> str:
        native: dict[str, Array] = {}
        outputs, words = as_the_profile_computes(result, load_profile("arm64-baseline"), machine, inputs, native, tmp_path)
        assert outputs is native
        return words

    monkeypatch.setattr(evaluate, "find_emulator", lambda _: None)
    assert arithmetic() == "accuracy computed on x86_64, not checked on aarch64"
    monkeypatch.setattr(evaluate, "find_emulator", lambda _: LOCAL)
    monkeypatch.setattr(emulation, "TIMEOUT_S", 0.0)
    assert "needs more than" in arithmetic()


def test_a_root_without_onnxruntime_is_none_and_another_version_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    machine = os.uname_result(("Linux", "n", "r", "v", "x86_64"))
    monkeypatch.setattr(os, "uname", lambda: machine)
    assert find_emulator(ARM, {}) is None
    assert find_emulator(ARM, {ROOT_VARIABLE: str(tmp_path)}) is None
    packages = tmp_path / "usr" / "local" / "lib" / "python3.11" / "dist-packages"
    for version, words in ((VERSION, str(ARM)), ("1.19.2", f"{ARM} with onnxruntime 1.19.2")):
        (packages / f"onnxruntime-{version}.dist-info").mkdir(parents=True)
        emulator = find_emulator(ARM, {ROOT_VARIABLE: str(tmp_path)})
        assert emulator is not None
        assert str(emulator) == words
        (packages / f"onnxruntime-{version}.dist-info").rmdir()


def test_the_emulated_python_is_one_of_the_other_architecture() -> None:
    emulator = arm_emulator()
    program = "import platform; print(platform.machine())"
    done = subprocess.run([*emulator.command, "-c", program], env=dict(emulator.environment), capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "aarch64"


@pytest.mark.slow
def test_a_bundle_for_arm_says_that_its_accuracy_was_computed_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    emulator = arm_emulator()
    if detect_machine().arch == "aarch64":
        pytest.skip("this machine computes as Arm does by itself")
    monkeypatch.setenv(ROOT_VARIABLE, str(ARM_ROOT))
    profile = dataclasses.replace(load_profile("arm64-baseline"), precisions=("fp32", "int8-static"))
    packed = pack(request(trained.onnx_net(), tmp_path / "out", profile))
    candidates = {candidate.name: candidate for candidate in packed.manifests["arm64-baseline"].evaluation.candidates}
    assert f"accuracy as {emulator} computes it" in candidates["int8-static"].reason
    assert candidates["int8-static"].accuracy is not None
    assert candidates["int8-static"].accuracy.loss <= 0.01
    assert packed.manifests["arm64-baseline"].evaluation.measured == "not measured on this hardware"

    monkeypatch.delenv(ROOT_VARIABLE)
    with pytest.raises(
        LockError,
        match=r"this machine would compute the accuracy differently.*arithmetic|arithmetic.*this machine would compute the accuracy differently",
    ):
        pack(request(trained.onnx_net(), tmp_path / "again", profile), lock=packed.lock)
