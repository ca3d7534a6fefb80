"""Stages that are done once: cached by content, bounded, and never trusted when damaged."""

from __future__ import annotations

import dataclasses
import inspect
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from sealift_core.bundle.evaluation import Accuracy
from sealift_core.bundle.tensors import TensorSpec
from sealift_core.hardware.machine import detect_machine
from sealift_packager.build import keys
from sealift_packager.build.pipeline import Packed, pack
from sealift_packager.cache.entry import unpack_entry
from sealift_packager.cache.keys import entry_key
from sealift_packager.cache.stage import Stage, Stages
from sealift_packager.cache.store import StageStore, default_store
from sealift_packager.candidates.candidate import Candidate
from sealift_packager.candidates.from_profile import FP32, SETTINGS
from sealift_packager.candidates.judgement import Judgement
from sealift_packager.candidates.result import CandidateResult
from sealift_packager.errors import DataError, PackagerError
from sealift_packager.graph.content import model_digest
from sealift_packager.graph.result import Converted
from sealift_packager.measure.host import Host
from sealift_packager.plugins.user_code import changed
from support import trained
from support.packing import elsewhere, here, request
from support.recording_progress import RecordingProgress


def test_a_second_build_does_nothing_but_write_and_is_the_same(tmp_path: Path) -> None:
    store, first, second = StageStore(tmp_path / "cache"), RecordingProgress(), RecordingProgress()
    one = pack(request(trained.cancer(), tmp_path / "a", here()), first, cache=store)
    start = time.monotonic()
    two = pack(request(trained.cancer(), tmp_path / "b", here()), second, cache=store)
    assert time.monotonic() - start < 2
    assert one.digest == two.digest  # what was measured is what was measured
    assert one.lock == two.lock
    assert second.cached_titles == ["any-cpu: everything"]
    assert second.ran == ["any-cpu: write the bundle", "Write the release"]
    assert "Load model and data" in first.ran


def test_what_a_release_is_called_is_not_cached(tmp_path: Path) -> None:
    store, progress = StageStore(tmp_path / "cache"), RecordingProgress()
    pack(request(trained.cancer(), tmp_path / "a"), cache=store)
    renamed = pack(request(trained.cancer(), tmp_path / "b", name="other", version="2.0.0", description="New."), progress, cache=store)
    manifest = renamed.manifests["elsewhere"]
    assert (manifest.name, manifest.version, manifest.description) == ("other", "2.0.0", "New.")
    assert progress.cached_titles == ["elsewhere: everything"]


def test_another_seed_profile_or_content_is_another_result_and_another_budget_keeps_the_conversion(tmp_path: Path) -> None:
    store = StageStore(tmp_path / "cache")
    pack(request(trained.cancer(), tmp_path / "a"), cache=store)
    progress = {name: RecordingProgress() for name in ("seed", "profile", "budget")}
    pack(request(trained.cancer(), tmp_path / "b", seed=1), progress["seed"], cache=store)
    pack(request(trained.cancer(), tmp_path / "c", elsewhere(threads=(2,))), progress["profile"], cache=store)
    pack(request(trained.cancer(), tmp_path / "d", max_drop=0.2), progress["budget"], cache=store)
    assert progress["seed"].cached_titles == []
    for name in ("profile", "budget"):
        assert progress[name].cached_titles[1].startswith("Convert from scikit-learn")
        assert not any("everything" in title for title in progress[name].cached_titles)


def test_a_damaged_entry_is_a_miss(tmp_path: Path) -> None:
    store = StageStore(tmp_path / "cache")
    first = pack(request(trained.cancer(), tmp_path / "a"), cache=store)
    for path in (tmp_path / "cache").rglob("*.stage"):
        data = path.read_bytes()
        path.write_bytes(data[: len(data) // 2] if len(data) % 2 else data[:-1] + bytes([data[-1] ^ 1]))
    progress = RecordingProgress()
    assert pack(request(trained.cancer(), tmp_path / "b"), progress, cache=store).digest == first.digest
    assert progress.cached_titles == []


def test_golden_cases_of_other_answers_are_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, progress = StageStore(tmp_path / "cache"), RecordingProgress()
    pack(request(trained.onnx_net(), tmp_path / "a"), cache=store)

    def emulated(*given: Any) -> tuple[dict[str, Any], str]:
        return {name: value * np.float32(1.001) for name, value in given[4].items()}, ""

    monkeypatch.setattr("sealift_packager.build.profile_build._emulator", lambda *_: "another")
    monkeypatch.setattr("sealift_packager.search.run.as_the_profile_computes", emulated)
    pack(request(trained.onnx_net(), tmp_path / "b"), progress, cache=store)
    assert progress.cached_titles[1].startswith("Convert from ONNX")
    assert not [title for title in progress.cached_titles if "golden" in title or "everything" in title]


def test_another_processor_s_results_are_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, progress = StageStore(tmp_path / "cache"), RecordingProgress()
    pack(request(trained.cancer(), tmp_path / "a"), cache=store)
    machine = detect_machine()
    flags = machine.cpu_flags ^ {"avx512_vnni"}
    monkeypatch.setattr("sealift_packager.build.pipeline.detect_machine", lambda: dataclasses.replace(machine, cpu_flags=flags))
    pack(request(trained.cancer(), tmp_path / "b"), progress, cache=store)
    assert progress.cached_titles == []


#: What each stage depends on, in the order of `build.keys`.
EVERY = {"inputs", "tools", "environment", "suffix", "arithmetic"}
STAGES = {
    "Convert from": set(),
    "Check parity": {"converted"},
    "Run the source model": set(),
    "any-cpu: build and evaluate": {"profile", "gate", "candidate", "reference", "emulator"},
    "any-cpu: measure": {"profile", "gate", "candidates", "place"},
    "any-cpu: golden": {"profile", "gate", "chosen"},
    "any-cpu: everything": {"profile", "gate", "given", "place", "emulator"},
}


def test_every_stage_of_a_build_has_its_inputs_in_its_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, Any, dict[str, Any], dict[str, Any]]] = []

    def recording(title: str, result: Any, inputs: dict[str, Any], base: dict[str, Any]) -> str:
        seen.append((title, result, inputs, base))
        return entry_key(title, result, inputs, base)

    monkeypatch.setattr("sealift_packager.cache.stage.entry_key", recording)
    pack(request(trained.cancer(), tmp_path / "a", here(precisions=("fp32",))), cache=StageStore(tmp_path / "cache"))
    assert {next(name for name in STAGES if title.startswith(name)) for title, *_ in seen} == set(STAGES)
    for title, result, inputs, base in seen:
        assert set(base) == EVERY
        assert set(inputs) == next(names for name, names in STAGES.items() if title.startswith(name))
        others = [entry_key(title, result, {**inputs, name: "another"}, base) for name in inputs]
        others += [entry_key(title, result, inputs, {**base, name: "another"}) for name in base]
        assert len({*others, entry_key(title, result, inputs, base)}) == 1 + len(inputs) + len(base)


def results(*names: str, weight: float = 1.0) -> list[CandidateResult]:
    graph = onnx.helper.make_graph([], "g", [], [], [onnx.numpy_helper.from_array(np.array([weight], np.float32), "w")])
    model = onnx.helper.make_model(graph)
    accuracy = Accuracy(metric="accuracy", reference=1.0, packaged=1.0, loss=0.0, loss_low=0.0, loss_high=0.0, budget=0.1)
    judgement = Judgement(outputs={"y": np.array([weight])}, accuracy=accuracy)
    return [dataclasses.replace(CandidateResult.built(Candidate(name=name, precision=name), model), judgement=judgement) for name in names]


def converted(weight: float = 1.0, *inputs: str) -> Converted:
    specs = tuple(TensorSpec(name=name, dtype="float32", shape=("n",)) for name in inputs)
    return Converted(model=results("fp32", weight=weight)[0].model, inputs=specs, outputs=())


HOST = Host(measures=True, machine="m", measured="measured on m", cores=2)
GATE = keys.Gate(metric="accuracy", output=None, max_drop=0.1, code={"module": "sha256:0"})
PLACE = keys.Place(host=HOST, node="a", cpu_flags=frozenset({"avx2"}), seconds=1.0)
#: For the arguments of the functions in `keys`: one value, and others that are to give other keys.
ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "framework": ("scikit-learn", "PyTorch"),
    "converted": (converted(), converted(1.0, "x"), converted(2.0, "y")),
    "profile": (here(), here(threads=(3,))),
    "gate": (
        GATE,
        dataclasses.replace(GATE, metric="f1"),
        dataclasses.replace(GATE, max_drop=None),
        dataclasses.replace(GATE, code={"module": "sha256:1"}),
    ),
    "candidate": (FP32, Candidate(name="fp32", precision="fp32", quantization=SETTINGS["fp16"](here().int8))),
    "reference": ("0", "1"),
    "emulator": ("", "qemu-x86_64"),
    "results": (results("fp32"), results("fp32", "int8"), results("int8"), results("fp32", weight=2.0)),
    "place": (
        PLACE,
        dataclasses.replace(PLACE, host=dataclasses.replace(HOST, machine="n")),
        dataclasses.replace(PLACE, node="b"),
        dataclasses.replace(PLACE, cpu_flags=frozenset({"avx2", "avx512_vnni"})),
        dataclasses.replace(PLACE, seconds=2.0),
    ),
    "chosen": (*results("fp32", "int8"), *results("fp32", weight=2.0), dataclasses.replace(results("fp32")[0], judgement=None)),
    "locked": ("", "0"),
}
STAGE_FUNCTIONS: list[Callable[..., Stage[Any]]] = [
    keys.conversion,
    keys.parity,
    keys.source_answers,
    keys.fp32,
    keys.quantized,
    keys.measuring,
    keys.golden_and_baseline,
    keys.everything,
]


@pytest.mark.parametrize("function", STAGE_FUNCTIONS, ids=lambda function: function.__name__)
def test_another_value_of_any_input_of_a_stage_is_another_key(function: Callable[..., Stage[Any]]) -> None:
    def key(**arguments: Any) -> str:
        stage = function(**arguments)
        return entry_key(stage.title, stage.result, stage.inputs, {})

    given = {name: ARGUMENTS[name][0] for name in inspect.signature(function).parameters}
    others = [key(**{**given, name: other}) for name in given for other in ARGUMENTS[name][1:]]
    assert len({*others, key(**given)}) == 1 + len(others)


def test_no_stage_is_missing_in_these_tests() -> None:
    stages: list[Any] = [value for value in vars(keys).values() if inspect.isfunction(value) and "Stage[" in str(value.__annotations__.get("return"))]
    assert [value for value in stages if value.__module__ == keys.__name__] == STAGE_FUNCTIONS


@pytest.mark.parametrize(
    ("name", "other"),
    [("inputs", {"seed": 1}), ("suffix", {"data": Path("rows.parquet")}), ("arithmetic", {"cpu_flags": frozenset({"avx512_vnni"})})],
)
def test_options_the_data_s_format_and_the_machine_s_arithmetic_are_in_every_key(name: str, other: dict[str, Any], tmp_path: Path) -> None:
    pack_request, machine = request(trained.cancer(), tmp_path / "out"), dataclasses.replace(detect_machine(), cpu_flags=frozenset[str]())
    before = keys.base(pack_request, {"seed": 0, "max_drop": 0.1}, machine)
    inputs = {"seed": other.get("seed", 0), "max_drop": 0.2}  # the budget only matters where candidates are judged
    request_then = dataclasses.replace(pack_request, **{field: value for field, value in other.items() if field == "data"})
    after = keys.base(request_then, inputs, dataclasses.replace(machine, cpu_flags=other.get("cpu_flags", machine.cpu_flags)))
    assert before is not None
    assert after is not None
    assert {field for field in EVERY if before[field] != after[field]} == {name}


def test_the_cache_is_bounded_and_throws_out_what_was_used_longest_ago(tmp_path: Path) -> None:
    store = StageStore(tmp_path, limit_bytes=2500)
    for number in range(3):
        key = f"{number}" * 64
        store.write(key, bytes(1000))
        os.utime(tmp_path / key[:2] / f"{key}.stage", ns=(number, number))
    assert store.read("0" * 64) is None
    assert store.read("1" * 64) is not None  # used now
    store.write("3" * 64, bytes(1000))
    assert [store.read(f"{number}" * 64) is None for number in range(4)] == [True, False, True, False]
    store.write("4" * 64, bytes(5000))
    assert store.read("4" * 64) is None


def test_a_cache_that_cannot_be_written_keeps_nothing_and_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert Stages(StageStore(tmp_path / "file"), RecordingProgress(), {"a": 1}).run(Stage(title="one", result=int), lambda: 7) == 7


def test_a_stage_that_fails_keeps_nothing(tmp_path: Path) -> None:
    stages = Stages(StageStore(tmp_path), RecordingProgress(), {"a": 1})
    one: Stage[int] = Stage(title="one", result=int)

    def fail() -> int:
        raise DataError("no")

    with pytest.raises(DataError):
        stages.run(one, fail)
    assert stages.run(one, lambda: 3) == 3


def test_the_directory_and_its_size_come_from_the_environment(tmp_path: Path) -> None:
    store = default_store({"SEALIFT_CACHE": str(tmp_path), "SEALIFT_CACHE_BYTES": "10"})
    assert (store.directory, store.limit_bytes) == (tmp_path, 10)
    assert default_store({}).directory.name == "sealift"
    with pytest.raises(PackagerError, match="SEALIFT_CACHE_BYTES"):
        default_store({"SEALIFT_CACHE_BYTES": "much"})


def test_external_weights_count_as_content(tmp_path: Path) -> None:
    model = onnx.load(trained.onnx_net().model)
    onnx.save(model, tmp_path / "m.onnx", save_as_external_data=True, location="w.bin", size_threshold=0)
    before = model_digest(tmp_path / "m.onnx")
    data = bytearray((tmp_path / "w.bin").read_bytes())
    data[5] ^= 1
    (tmp_path / "w.bin").write_bytes(data)
    assert model_digest(tmp_path / "m.onnx") != before
    assert changed({"gone_of_test_stages": "sha256:0"})


KILLED = """
import sys
from pathlib import Path
from types import SimpleNamespace
from sealift_packager.build import keys
from sealift_packager.build.pipeline import Packed, pack
from sealift_packager.cache.store import StageStore
from support.packing import elsewhere, request
from support.recording_progress import RecordingProgress
model, data, place, point = sys.argv[1:]
what = SimpleNamespace(model=Path(model), data=Path(data), target="target")
asked = request(what, Path(place) / "out", elsewhere(), signer=None)
progress = RecordingProgress(die_after=point)
pack(asked, progress, cache=StageStore(Path(place) / "cache"))
print(*progress.cached_titles, sep="|")
"""


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Packed:
    """The build that is killed elsewhere, done without a stop."""
    return pack(request(trained.onnx_net(), tmp_path_factory.mktemp("fresh") / "out", signer=None))


@pytest.mark.parametrize("point", ["Check parity", "int8-static"])
def test_a_build_killed_in_the_middle_goes_on_from_the_last_finished_stage(tmp_path: Path, point: str, fresh: Packed) -> None:
    words = [sys.executable, "-c", KILLED, trained.onnx_net().model, trained.onnx_net().data, tmp_path]
    paths = [str(Path(__file__).parents[2]), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    killed = subprocess.run([*map(str, words), point], capture_output=True, text=True, timeout=100, env=environment, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert not (tmp_path / "out").exists()
    resumed = subprocess.run([*map(str, words), ""], capture_output=True, text=True, timeout=100, env=environment, check=True)
    cached = resumed.stdout.strip().split("|")
    assert cached[1].startswith("Convert from ONNX")
    assert any(point in title for title in cached)
    assert (tmp_path / "out" / "index.json").read_bytes() == (fresh.directory / "index.json").read_bytes()


def test_two_builds_at_once_share_a_cache_and_both_are_whole(tmp_path: Path, fresh: Packed) -> None:
    paths = [str(Path(__file__).parents[2]), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    code = KILLED.replace('"cache"', '"../cache"')
    both = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        words = [sys.executable, "-c", code, trained.onnx_net().model, trained.onnx_net().data, tmp_path / name, ""]
        both.append(subprocess.Popen([*map(str, words)], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE))
    assert [process.communicate(timeout=200)[1][-500:] * bool(process.returncode) for process in both] == [b"", b""]
    for name in ("a", "b"):
        assert (tmp_path / name / "out" / "index.json").read_bytes() == (fresh.directory / "index.json").read_bytes()
    entries = [path.read_bytes() for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert entries
    assert all(unpack_entry(data) for data in entries)
