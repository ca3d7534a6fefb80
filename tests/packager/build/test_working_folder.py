"""What lies in the folder that somebody works in is never taken for a module of Python's, of a library's or of ours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sealift_packager.errors import KitError
from sealift_packager.graph.session import Settings
from sealift_packager.kit.wheels import WheelRequest, collect_wheels
from sealift_packager.measure.probe import probe
from sealift_packager.project.job import PackJob
from sealift_packager.project.local import LocalExecutor
from support import trained

NAMES = ("random", "json", "numpy", "onnx", "onnxruntime", "pip", "sealift_packager")


@pytest.fixture
def crowded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder whose files have modules' names and break whatever imports them."""
    folder = tmp_path / "work"
    folder.mkdir()
    for name in NAMES:
        (folder / f"{name}.py").write_text(f"raise SystemExit('{name}.py of the working folder was run')\n")
    monkeypatch.chdir(folder)
    return folder


def test_a_model_is_probed(crowded: Path) -> None:
    inputs = crowded / "inputs.npz"
    with np.load(trained.digits_holdout()) as data:
        np.savez(inputs, image=data["image"][:1])
    assert probe(trained.onnx_net().model, inputs, Settings()).peak_memory_bytes > 0


def test_a_worker_begins_its_job(crowded: Path) -> None:
    job = PackJob(name="one", folder=str(crowded), model="missing.onnx", version="1.0.0", profiles=("arm64-baseline",), out="out", lock="lock")
    (outcome,) = LocalExecutor(1).run([job])
    assert "missing.onnx" in (outcome.error or "")


@pytest.mark.usefixtures("crowded")
def test_pip_looks_for_wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_BUILD_ISOLATION", "0")  # pip reads this one backwards
    (tmp_path / "wheels").mkdir()
    with pytest.raises(KitError, match="No matching distribution|The user requested \\(constraint\\)"):
        collect_wheels(
            WheelRequest(own_wheels=tuple(Path(__file__).parents[3] / name for name in ("core", "runtime")), wheelhouse=tmp_path / "wheels"),
            tmp_path / "target",
        )
