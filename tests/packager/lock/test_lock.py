"""sealift.lock: a build repeated bit by bit, and what a lock doesn't fit."""

from __future__ import annotations

import dataclasses
import datetime
import json
from pathlib import Path
from typing import Any

import pytest

from sealift_core.bundle import files
from sealift_core.errors import DocumentError, SealiftError
from sealift_packager.build.pipeline import Packed, pack
from sealift_packager.diff import artifact
from sealift_packager.diff.bundles import compare
from sealift_packager.errors import LockError, OutputError
from sealift_packager.lock.lockfile import Lock, check_profile, check_writable, default_place, read_lock, write_lock
from sealift_packager.measure import figures
from support import trained
from support.packing import here, request

LATER = datetime.datetime(2027, 5, 5, tzinfo=datetime.UTC)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Packed:
    """A build whose latency was really measured."""
    return pack(request(trained.onnx_net(), tmp_path_factory.mktemp("first") / "out", here()))


def contents(packed: Packed, place: Path, profile: str = "any-cpu") -> dict[str, bytes]:
    artifact.unpack(packed.directory, profile, place)
    return {name: path.read_bytes() for name, path in files.list_files(place).items()}


def test_a_locked_build_measures_nothing_and_gives_the_same_bytes(first: Packed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_lock(first.lock, tmp_path / "sealift.lock")
    monkeypatch.setattr(figures, "open_session", None)  # whoever measures fails
    second = pack(request(trained.onnx_net(), tmp_path / "out", here(), created=LATER), lock=read_lock(tmp_path / "sealift.lock"))
    assert second.digest == first.digest
    assert second.lock == first.lock
    mine, yours = contents(first, tmp_path / "a"), contents(second, tmp_path / "b")
    assert files.SIGNATURE in mine
    assert mine == yours
    assert compare(first.directory, second.directory) == []


def test_without_the_lock_what_is_computed_is_still_the_same(first: Packed, tmp_path: Path) -> None:
    second = pack(request(trained.onnx_net(), tmp_path / "out", here()))
    mine, yours = contents(first, tmp_path / "a"), contents(second, tmp_path / "b")
    if first.manifests["any-cpu"].model.precision == second.manifests["any-cpu"].model.precision:
        for name in (files.GRAPH, files.GOLDEN, files.BASELINE):
            assert mine[name] == yours[name]
    assert mine[files.MANIFEST] != yours[files.MANIFEST]
    fields = {difference.field for difference in compare(first.directory, second.directory) if difference.file == files.MANIFEST}
    assert any("latency" in field for field in fields)


def test_another_seed_differs_and_diff_says_where(first: Packed, tmp_path: Path) -> None:
    profile = here(name="fp32-only")
    profile = dataclasses.replace(profile, precisions=("fp32",))
    builds = [pack(request(trained.onnx_net(), tmp_path / str(seed), profile, seed=seed)) for seed in (0, 1)]
    differences = compare(builds[0].directory, builds[1].directory)
    assert files.GRAPH not in {difference.file for difference in differences}
    golden = [difference for difference in differences if difference.file == files.GOLDEN]
    assert "case 0 input image" in {difference.field for difference in golden}
    assert "values differ, the most by" in golden[0].first
    assert "$.predicate.buildDefinition.externalParameters.seed" in {difference.field for difference in differences}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"seed": 1}, "inputs.seed"),
        ({"data": "other"}, "inputs.data"),
        ({"model": "other"}, "inputs.source"),
        ({"max_drop": 0.5}, "inputs.max_drop"),
        ({"profiles": (here(threads=(1, 2)),)}, "profiles.any-cpu.digest"),
        ({"profiles": (here(name="another"),)}, "profiles.another"),
    ],
)
def test_a_lock_of_another_build_is_refused_naming_the_field(first: Packed, tmp_path: Path, changes: dict[str, Any], field: str) -> None:
    other = trained.program().model if "model" in changes else None
    if "data" in changes:
        other = tmp_path / "other.npz"
        other.write_bytes(trained.digits_holdout().read_bytes() + b" ")
    changes = {name: other if value == "other" else value for name, value in changes.items()}
    with pytest.raises(LockError, match=field):
        pack(request(trained.onnx_net(), tmp_path / "out", here(), **changes), lock=first.lock)
    assert not (tmp_path / "out").exists()


METRIC = "import numpy as np\n\ndef score(target, outputs):\n    return float(np.mean(outputs['output'].argmax(1) == target)){}\n"


def test_a_lock_of_other_code_behind_the_metric_is_refused(tmp_path: Path) -> None:
    metric_file = tmp_path / "own.py"
    metric_file.write_text(METRIC.format(""))
    pack_request = request(trained.onnx_net(), tmp_path / "out", metric=f"{metric_file}:score", max_drop=0.5)
    lock = pack(pack_request).lock
    metric_file.write_text(METRIC.format(" - 0.1"))
    with pytest.raises(LockError, match=r"inputs\.metric_code"):
        pack(dataclasses.replace(pack_request, out=tmp_path / "again"), lock=lock)


def test_other_tools_another_choice_and_missing_measurements_are_refused(first: Packed, tmp_path: Path) -> None:
    locked = first.lock.profiles["any-cpu"]
    other = "int8-static" if locked.chosen == "fp32" else "fp32"
    changes = {
        "chosen": dataclasses.replace(locked, chosen=other),
        "measured.figures": dataclasses.replace(locked, measured={"host": locked.measured["host"]}),
        "can't be read": dataclasses.replace(locked, measured={**locked.measured, "figures": {"fp32": 1}}),
    }
    locks = {field: dataclasses.replace(first.lock, profiles={"any-cpu": changed}) for field, changed in changes.items()}
    locks["tools.onnx"] = dataclasses.replace(first.lock, tools={**first.lock.tools, "onnx": "1.0"})
    for field, lock in locks.items():
        with pytest.raises(LockError, match=field):
            pack(request(trained.onnx_net(), tmp_path / "out", here()), lock=lock)


def test_a_lock_is_read_as_it_was_written_and_bad_ones_are_refused(first: Packed, tmp_path: Path) -> None:
    assert Lock.parse(first.lock.to_bytes(), where="x") == first.lock
    with pytest.raises(LockError, match="--locked"):
        read_lock(tmp_path / "nothing")
    fields = json.loads(first.lock.to_bytes())
    changes: list[dict[str, Any]] = [
        {"schema": "sealift.lock/9"},
        {"surprise": 1},
        {"created": "now"},
        {"profiles": {"a": {}}},
        {"tools": {"onnx": 1}},
    ]
    for change in changes:
        with pytest.raises(SealiftError):
            Lock.parse(json.dumps(fields | change).encode(), where="x")
    with pytest.raises(DocumentError):
        Lock.parse(b"{", where="x")


def test_a_lock_stands_with_the_options_that_it_holds_for_and_else_beside_its_release() -> None:
    assert default_place(Path("/out/churn-1.0"), Path("models/sealift.toml")) == Path("models/sealift.lock")
    assert default_place(Path("/out/churn-1.0"), None) == Path("/out/churn-1.0.lock")


def test_another_model_s_lock_is_not_overwritten(first: Packed, tmp_path: Path) -> None:
    place = tmp_path / "sealift.lock"
    check_writable(place, "model")
    write_lock(first.lock, place)
    check_writable(place, "model")
    with pytest.raises(OutputError, match="another model"):
        check_writable(place, "other")
    place.write_text("mine")
    with pytest.raises(OutputError, match="is not a lock"):
        check_writable(place, "model")


def test_a_profile_that_the_lock_lacks_is_named_with_those_it_has(first: Packed) -> None:
    with pytest.raises(LockError, match=r"profiles\.other: the lock has no such profile: expected one of any-cpu"):
        check_profile(first.lock, "other", "sha256:00")
