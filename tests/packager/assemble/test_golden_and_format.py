"""Which rows become golden cases, and what --format overrides."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from sealift_core.bundle import files
from sealift_core.bundle.golden import GoldenCase, decode_golden
from sealift_core.bundle.tensors import TensorSpec
from sealift_packager.build.pipeline import pack
from sealift_packager.cli import cli
from sealift_packager.cli.config import read_config
from sealift_packager.cli.pack import pack as pack_command
from sealift_packager.data.anonymized import MIN_ROWS, make_anonymized
from sealift_packager.diff import artifact
from sealift_packager.errors import DataError, SourceModelError
from sealift_packager.frameworks.loaders import LOADERS, load_model
from sealift_packager.model.detect import FORMATS
from sealift_packager.model.source import LoadOptions
from sealift_packager.project.file import read_project
from sealift_packager.project.job import PackJob
from support import trained
from support.packing import request


def golden_of(out: Path) -> tuple[GoldenCase, ...]:
    directory = out.parent / f"{out.name}-bundle"
    manifest = artifact.unpack(out, "elsewhere", directory)
    return tuple(decode_golden((directory / files.GOLDEN).read_bytes(), manifest.inputs, manifest.outputs, manifest.golden.cases))


def rows_of(cases: tuple[GoldenCase, ...], name: str) -> np.ndarray[Any, np.dtype[Any]]:
    return np.concatenate([case.inputs[name] for case in cases])


def test_golden_cases_are_no_rows_of_the_holdout_unless_somebody_chose_them(tmp_path: Path) -> None:
    pack(request(trained.onnx_net(), tmp_path / "out", max_drop=1.0))
    with np.load(trained.digits_holdout()) as archive:
        images, digits = archive["image"], archive["target"]
    golden = rows_of(golden_of(tmp_path / "out"), "image")
    assert len(golden) == 7 + 4
    assert not (golden[:, None] == images[None]).all(axis=(2, 3, 4)).any()
    np.savez(tmp_path / "few.npz", image=images[5:8])
    pack(request(trained.onnx_net(), tmp_path / "chosen", max_drop=1.0, golden_from=tmp_path / "few.npz"))
    cases = golden_of(tmp_path / "chosen")
    assert [len(case.inputs["image"]) for case in cases] == [1, 1, 1, 3]
    np.testing.assert_array_equal(rows_of(cases[:3], "image"), images[5:8])
    np.savez(tmp_path / "many.npz", image=images[:65], target=digits[:65])
    with pytest.raises(DataError, match=r"many\.npz: too few or too many golden rows: expected 1 to 64 rows, found 65"):
        pack(request(trained.onnx_net(), tmp_path / "many", max_drop=1.0, golden_from=tmp_path / "many.npz"))


def test_chosen_golden_rows_count_as_an_input_of_the_build(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", image=np.zeros((1, 1, 8, 8), np.float32))
    pack_request = request(trained.onnx_net(), tmp_path / "out", golden_from=tmp_path / "a.npz")
    before = pack_request.options()["golden_from"]
    np.savez(tmp_path / "a.npz", image=np.ones((1, 1, 8, 8), np.float32))
    assert str(before).startswith("sha256:")
    assert pack_request.options()["golden_from"] != before


SPECS = [
    TensorSpec(name="x", dtype="float32", shape=("batch", 3)),
    TensorSpec(name="ids", dtype="int64", shape=("batch", 2)),
    TensorSpec(name="word", dtype="string", shape=("batch", 1)),
    TensorSpec(name="on", dtype="bool", shape=("batch", 1)),
]


def observed(rows: int) -> dict[str, Any]:
    random = np.random.default_rng(3)
    words = np.array(["often"] * (rows - 1) + ["Erika Mustermann"], dtype=object).reshape(-1, 1)
    values = np.stack([random.normal(100, 1, rows), np.full(rows, np.nan), np.full(rows, 5.0)], axis=1).astype(np.float32)
    return {"x": values, "ids": random.integers(1000, 2000, (rows, 2)), "word": words, "on": np.ones((rows, 1), bool)}


def test_anonymized_rows_are_in_the_data_s_range_and_hold_nothing_rare() -> None:
    anonymized = make_anonymized(SPECS, observed(200), rows=50, seed=1)
    assert abs(anonymized["x"][:, 0].mean() - 100) < 1
    assert np.isfinite(anonymized["x"]).all()
    assert (anonymized["x"][:, 2] == 5).all()
    assert anonymized["ids"].min() >= 1000
    assert set(anonymized["word"].ravel()) == {"often"}
    again = make_anonymized(SPECS, observed(200), rows=50, seed=1)
    assert all(np.array_equal(again[name], value) for name, value in anonymized.items())


def test_numbers_beyond_the_largest_int64_are_anonymized_too() -> None:
    hashes = np.arange(2**63 + 5, 2**63 + 5 + 2 * MIN_ROWS, dtype=np.uint64).reshape(-1, 1)
    anonymized = make_anonymized([TensorSpec(name="hash", dtype="uint64", shape=("batch", 1))], {"hash": hashes}, rows=4, seed=1)
    assert (anonymized["hash"] >= hashes.min()).all()
    assert (anonymized["hash"] <= hashes.max()).all()


def test_of_a_handful_of_rows_nothing_is_told() -> None:
    few = make_anonymized(SPECS, observed(MIN_ROWS - 1), rows=4, seed=1)
    none = make_anonymized(SPECS, None, rows=4, seed=1)
    assert all(np.array_equal(none[name], value) for name, value in few.items())


def test_a_format_overrides_what_the_content_shows_and_each_has_a_loader() -> None:
    assert set(LOADERS) == set(FORMATS)
    with pytest.raises(SourceModelError, match="as TorchScript"):
        load_model(trained.program().model, LoadOptions(format="torchscript", examples={"image": np.zeros((1, 1, 8, 8))}))
    with pytest.raises(SourceModelError, match="no such model file"):
        load_model(Path("no.pt"), LoadOptions(format="onnx"))


def test_an_unknown_format_is_named_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(SourceModelError, match=r"--format: unknown model format: .*Did you mean 'torchscript'"):
        request(trained.onnx_net(), tmp_path / "out", format="torch-script")


TOML = """
model = "m.pt"
version = "1.0.0"
profile = ["arm64-dotprod"]
format = "torchscript"
golden-from = "few.npz"
dynamic = ["ids:1=tokens"]
image-mean = [0.5, 0.25, 1]
image-std = [2]
data = "own.py:rows"
"""


def test_all_of_it_can_stand_in_both_files(tmp_path: Path) -> None:
    values = read_config(b"[pack]\n" + TOML.encode(), Path("/x/sealift.toml"), pack_command.params)
    assert (values["format"], values["golden_from"], values["data"]) == ("torchscript", "/x/few.npz", "/x/own.py:rows")
    assert (values["dynamic"], values["image_mean"]) == (["ids:1=tokens"], (0.5, 0.25, 1.0))
    text = b"[pack]\ndata = 'package.module:rows'"
    assert read_config(text, Path("/x/sealift.toml"), pack_command.params) == {"data": "package.module:rows"}
    (tmp_path / "project.toml").write_text("[models.m]\n" + TOML)
    (job,) = read_project(tmp_path / "project.toml")
    assert (job.format, job.golden_from, job.dynamic, job.image_mean, job.image_std) == (
        "torchscript",
        "few.npz",
        ("ids:1=tokens",),
        (0.5, 0.25, 1.0),
        (2.0,),
    )
    assert PackJob.from_json(job.to_json()) == job


def test_the_command_takes_images_by_its_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["pack", str(trained.onnx_net().model), "--name", "m", "--version", "1.0.0", "--profile", "arm64-dotprod", "--out", "out", "--no-cache"]
    np.savez("few.npz", image=np.zeros((2, 1, 8, 8), np.float32))
    done = CliRunner().invoke(cli, [*words, "--format", "onnx", "--golden-from", "few.npz", "--image-mean", "0.5,x"])
    assert done.exit_code == 2
    assert "not a list of numbers" in done.output
    done = CliRunner().invoke(cli, [*words, "--format", "onnx", "--golden-from", "few.npz", "--image-mean", "0.5", "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["name"] == "m"
