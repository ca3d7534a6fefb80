"""Stages that are done once: cached by content, bounded, and never trusted when damaged."""

from __future__ import annotations

import dataclasses
import importlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from sealift_packager.content import model_digest
from sealift_packager.errors import DataError, PackagerError
from sealift_packager.pipeline import Packed, pack
from sealift_packager.stages.entry import unpack_entry
from sealift_packager.stages.stage import Stages
from sealift_packager.stages.store import StageStore, default_store
from sealift_packager.stages.user_code import changed, code_of
from sealift_packager.structure import StructureError, decode, encode
from sealift_runtime.hardware.machine import detect_machine
from support import trained
from support.packing import elsewhere, here, request
from support.told import Told


@dataclasses.dataclass(frozen=True, kw_only=True)
class Row:
    name: str
    values: np.ndarray[Any, np.dtype[Any]]
    model: Any
    counts: Mapping[int, float] | None
    pair: tuple[str, int]
    many: tuple[float, ...]
    flags: frozenset[str]


def a_row(**changes: Any) -> Row:
    row = Row(name="a", values=np.array([[1, 2]], np.int8), model=None, counts={3: 0.1}, pair=("x", 1), many=(1.0, 2.5), flags=frozenset("ab"))
    return dataclasses.replace(row, **changes)


def test_values_come_back_as_they_were() -> None:
    model = onnx.load(trained.onnx_net().model)
    texts = np.array([["a", "ü"]], dtype=object)
    for row in (a_row(), a_row(model=model), a_row(counts=None, values=texts), a_row(values=np.array([np.nan, np.inf]))):
        parts: list[bytes] = []
        found = decode(Row, encode(row, parts), parts)
        np.testing.assert_array_equal(found.values, row.values)
        assert found.values.dtype == row.values.dtype
        assert dataclasses.replace(found, values=row.values) == row


@pytest.mark.parametrize("data", [{}, {"name": 1}, [], None, {"name": "a", "surprise": 1}])
def test_a_document_of_another_type_is_refused(data: Any) -> None:
    with pytest.raises(StructureError):
        decode(Row, data)


def test_a_second_build_does_nothing_but_write_and_is_the_same(tmp_path: Path) -> None:
    store, first, second = StageStore(tmp_path / "cache"), Told(), Told()
    one = pack(request(trained.cancer(), tmp_path / "a", here()), first, cache=store)
    start = time.monotonic()
    two = pack(request(trained.cancer(), tmp_path / "b", here()), second, cache=store)
    assert time.monotonic() - start < 2
    assert one.digest == two.digest  # what was measured is what was measured
    assert one.lock == two.lock
    assert second.known == ["any-cpu: everything"]
    assert second.ran == ["any-cpu: write the bundle", "Write the release"]
    assert "Load model and data" in first.ran


def test_what_a_release_is_called_is_not_cached(tmp_path: Path) -> None:
    store, told = StageStore(tmp_path / "cache"), Told()
    pack(request(trained.cancer(), tmp_path / "a"), cache=store)
    renamed = pack(request(trained.cancer(), tmp_path / "b", name="other", version="2.0.0", description="New."), told, cache=store)
    manifest = renamed.manifests["elsewhere"]
    assert (manifest.name, manifest.version, manifest.description) == ("other", "2.0.0", "New.")
    assert told.known == ["elsewhere: everything"]


def test_another_seed_profile_or_content_is_another_result_and_another_budget_keeps_the_conversion(tmp_path: Path) -> None:
    store = StageStore(tmp_path / "cache")
    pack(request(trained.cancer(), tmp_path / "a"), cache=store)
    told = {name: Told() for name in ("seed", "profile", "budget")}
    pack(request(trained.cancer(), tmp_path / "b", seed=1), told["seed"], cache=store)
    pack(request(trained.cancer(), tmp_path / "c", elsewhere(threads=(2,))), told["profile"], cache=store)
    pack(request(trained.cancer(), tmp_path / "d", max_drop=0.2), told["budget"], cache=store)
    assert told["seed"].known == []
    for name in ("profile", "budget"):
        assert told[name].known[1].startswith("Convert from scikit-learn")
        assert not any("everything" in title for title in told[name].known)


def test_a_damaged_entry_is_a_miss(tmp_path: Path) -> None:
    store = StageStore(tmp_path / "cache")
    first = pack(request(trained.cancer(), tmp_path / "a"), cache=store)
    for path in (tmp_path / "cache").rglob("*.stage"):
        data = path.read_bytes()
        path.write_bytes(data[: len(data) // 2] if len(data) % 2 else data[:-1] + bytes([data[-1] ^ 1]))
    told = Told()
    assert pack(request(trained.cancer(), tmp_path / "b"), told, cache=store).digest == first.digest
    assert told.known == []


def test_a_stage_whose_user_code_changed_is_done_again(tmp_path: Path) -> None:
    store, metric = StageStore(tmp_path / "cache"), tmp_path / "own_metric_of_test_stages.py"
    asked = {"metric": f"{metric}:score", "max_drop": 0.5}
    metric.write_text("def score(target, outputs):\n    return 0.25\n")
    pack(request(trained.cancer(), tmp_path / "a", **asked), cache=store)
    metric.write_text("def score(target, outputs):\n    return 0.75\n")
    found = pack(request(trained.cancer(), tmp_path / "b", **asked), cache=store).manifests["elsewhere"].evaluation.accuracy
    assert found is not None
    assert found.packaged == 0.75


FACTORY = "from support.trained import SmallNet, example_inputs\n\ndef build():\n    return SmallNet()\n"
NEGATED = """
from support.trained import SmallNet, example_inputs

class Negated(SmallNet):
    def forward(self, image):
        return -super().forward(image)

def build():
    return Negated()
"""


def test_a_factory_of_the_same_name_in_another_folder_is_another_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, told = StageStore(tmp_path / "cache"), Told()
    for place, text in (("a", FACTORY), ("b", NEGATED), ("c", FACTORY)):
        (tmp_path / place).mkdir()
        (tmp_path / place / "model.py").write_text(text)
    asked = {"factory": "model.py:build", "data": None}
    found = []
    for place in ("a", "b", "c"):
        monkeypatch.chdir(tmp_path / place)
        found.append(pack(request(trained.state_dict(), tmp_path / place / "out", **asked), told, cache=store).digest)
    assert found[0] != found[1]
    assert found[0] == found[2]  # the same content in another place is the same model
    assert told.known == ["elsewhere: everything"]


def test_code_is_its_files_by_content_and_all_that_they_import_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write(folder: Path, depth: int) -> dict[str, str]:
        package = folder / "own_of_test_stages"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text("")
        (package / "net.py").write_text("import numpy\nfrom . import layers\n\ndef build():\n    from own_of_test_stages.late import x\n")
        (package / "layers.py").write_text(f"DEPTH = {depth}\n")
        (package / "late.py").write_text("x = 1\n")
        monkeypatch.chdir(folder)
        return code_of("own_of_test_stages.net:build")

    first, same, other = write(tmp_path / "a", 1), write(tmp_path / "b", 1), write(tmp_path / "c", 2)
    assert list(first) == [f"own_of_test_stages{name}" for name in ("", ".late", ".layers", ".net")]
    assert first == same
    assert {name for name in first if first[name] != other[name]} == {"own_of_test_stages.layers"}


def test_a_package_that_holds_the_metric_counts_by_content_though_it_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "site-packages"
    place.mkdir()
    monkeypatch.syspath_prepend(str(place))
    (place / "installed_of_test_stages.py").write_text("def score(target, outputs):\n    return 0.25\n")
    before = code_of("installed_of_test_stages:score")
    (place / "installed_of_test_stages.py").write_text("def score(target, outputs):\n    return 0.75\n")
    assert before != code_of("installed_of_test_stages:score")


def a_folder_without_init(folder: Path, depth: int) -> Path:
    """``models.nets`` with code in it; neither has an ``__init__.py``."""
    nets = folder / "models_of_test_stages" / "nets"
    nets.mkdir(parents=True)
    (nets / "small.py").write_text("from . import layers\nimport models_of_test_stages.gone.entirely\n\ndef build():\n    pass\n")
    (nets / "layers.py").write_text(f"DEPTH = {depth}\n")
    (folder / "model.py").write_text("def build():\n    from models_of_test_stages.nets import small\n")
    return folder


@pytest.mark.parametrize("reference", ["models_of_test_stages.nets.small:build", "model.py:build"])
def test_code_in_folders_without_init_counts_by_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reference: str) -> None:
    found = []
    for name, depth in (("a", 1), ("b", 1), ("c", 2)):
        folder = a_folder_without_init(tmp_path / name, depth)
        monkeypatch.chdir(folder)
        with monkeypatch.context() as path:
            path.syspath_prepend(str(folder))
            found.append(code_of(reference))
    first, same, other = found
    assert {"models_of_test_stages.nets.small", "models_of_test_stages.nets.layers"} <= set(first)
    assert first == same
    assert {name for name in first if first[name] != other[name]} == {"models_of_test_stages.nets.layers"}


def test_a_folder_without_init_may_lie_in_two_places_and_the_package_among_them_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for place, name in (("a", "one"), ("b", "two")):
        folder = tmp_path / place / "split_of_test_stages" / "nets"
        folder.mkdir(parents=True)
        (folder / f"{name}.py").write_text("")
        monkeypatch.syspath_prepend(str(tmp_path / place))
    for name in ("one", "two"):
        assert list(code_of(f"split_of_test_stages.nets.{name}:build")) == [f"split_of_test_stages.nets.{name}"]
    whole = tmp_path / "a" / "split_of_test_stages" / "whole"
    (tmp_path / "b" / "split_of_test_stages" / "whole").mkdir()
    whole.mkdir()
    (whole / "__init__.py").write_text("")
    importlib.invalidate_caches()
    assert list(code_of("split_of_test_stages.whole:build")) == ["split_of_test_stages.whole"]


def test_a_factory_in_a_folder_without_init_is_cached_by_its_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, told = StageStore(tmp_path / "cache"), Told()
    nets = tmp_path / "factory_of_test_stages" / "nets"
    nets.mkdir(parents=True)
    (nets / "small.py").write_text(FACTORY)
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b"):
        pack(request(trained.state_dict(), tmp_path / name, factory="factory_of_test_stages.nets.small:build", data=None), told, cache=store)
    assert told.known == ["elsewhere: everything"]


def test_an_installed_metric_s_code_is_told_without_importing_anything() -> None:
    code = """if True:
    import sys
    from sealift_packager.stages.user_code import code_of
    before = set(sys.modules)
    assert "sklearn.metrics" in code_of("sklearn.metrics:accuracy_score")
    assert not [name for name in set(sys.modules) - before if name.startswith(("sklearn", "setuptools", "numpy"))]
    """
    subprocess.run([sys.executable, "-c", code], check=True, timeout=100)


def test_what_a_strange_finder_says_of_a_module_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Strange:
        def find_spec(self, *_: Any) -> None:
            raise RuntimeError("no")

    monkeypatch.setattr(sys, "meta_path", [Strange(), *sys.meta_path])
    assert code_of("nowhere_of_test_stages.inside:build") == {}


def test_golden_cases_of_other_answers_are_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, told = StageStore(tmp_path / "cache"), Told()
    pack(request(trained.onnx_net(), tmp_path / "a"), cache=store)

    def emulated(*given: Any) -> tuple[dict[str, Any], str]:
        return {name: value * np.float32(1.001) for name, value in given[4].items()}, ""

    monkeypatch.setattr("sealift_packager.profile_build._emulator", lambda *_: "another")
    monkeypatch.setattr("sealift_packager.search.run.as_the_profile_computes", emulated)
    pack(request(trained.onnx_net(), tmp_path / "b"), told, cache=store)
    assert told.known[1].startswith("Convert from ONNX")
    assert not [title for title in told.known if "golden" in title or "everything" in title]


def test_another_processor_s_results_are_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, told = StageStore(tmp_path / "cache"), Told()
    pack(request(trained.cancer(), tmp_path / "a"), cache=store)
    machine = detect_machine()
    flags = machine.cpu_flags ^ {"avx512_vnni"}
    monkeypatch.setattr("sealift_packager.pipeline.detect_machine", lambda: dataclasses.replace(machine, cpu_flags=flags))
    pack(request(trained.cancer(), tmp_path / "b"), told, cache=store)
    assert told.known == []


#: What each stage depends on, in the order of `stages.keys`.
EVERY = {"inputs", "tools", "environment", "suffix", "factory", "arithmetic"}
STAGES = {
    "Convert from": set(),
    "Check parity": {"converted"},
    "Ask the source": set(),
    "any-cpu: build and judge": {"profile", "gate", "spec", "shared", "emulator"},
    "any-cpu: measure": {"profile", "gate", "candidates", "host", "node", "flags", "seconds"},
    "any-cpu: golden": {"profile", "gate", "chosen"},
    "any-cpu: everything": {"profile", "gate", "given", "host", "node", "seconds", "flags", "emulator"},
}


def test_every_stage_has_its_inputs_in_its_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, tuple[Any, Any, Any]] = {}
    key = Stages._key
    monkeypatch.setattr(Stages, "_key", lambda self, *given: (seen.update({given[0]: (self, given[1], given[2])}), key(self, *given))[1])
    pack(request(trained.cancer(), tmp_path / "a", here(precisions=("fp32",))), cache=StageStore(tmp_path / "cache"))
    assert {next(name for name in STAGES if title.startswith(name)) for title in seen} == set(STAGES)
    for title, (stages, kind, depends) in seen.items():
        assert set(stages._base) == EVERY
        assert set(depends) == next(names for name, names in STAGES.items() if title.startswith(name))
        keys = {key(stages, title, kind, {**depends, name: "another"}) for name in depends}
        for name in EVERY:
            other = Stages(None, Told(), {**stages._base, name: "another"})
            other._base = {**stages._base, name: "another"}
            keys.add(key(other, title, kind, depends))
        assert len(keys - {key(stages, title, kind, depends)}) == len(depends) + len(EVERY)


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
    assert Stages(StageStore(tmp_path / "file"), Told(), {"a": 1}).run("one", int, lambda: 7) == 7


def test_a_stage_that_fails_keeps_nothing(tmp_path: Path) -> None:
    stages = Stages(StageStore(tmp_path), Told(), {"a": 1})

    def fail() -> int:
        raise DataError("no")

    with pytest.raises(DataError):
        stages.run("one", int, fail)
    assert stages.run("one", int, lambda: 3) == 3


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
from sealift_packager.pipeline import Packed, pack
from sealift_packager.stages.store import StageStore
from support.packing import elsewhere, request
from support.told import Told
model, data, place, point = sys.argv[1:]
what = SimpleNamespace(model=Path(model), data=Path(data), target="target")
asked = request(what, Path(place) / "out", elsewhere(), signer=None)
told = Told(die_after=point)
pack(asked, told, cache=StageStore(Path(place) / "cache"))
print(*told.known, sep="|")
"""


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Packed:
    """The build that is killed elsewhere, done without a stop."""
    return pack(request(trained.onnx_net(), tmp_path_factory.mktemp("fresh") / "out", signer=None))


@pytest.mark.parametrize("point", ["Check parity", "int8-static"])
def test_a_build_killed_in_the_middle_goes_on_from_the_last_finished_stage(tmp_path: Path, point: str, fresh: Packed) -> None:
    words = [sys.executable, "-c", KILLED, trained.onnx_net().model, trained.onnx_net().data, tmp_path]
    paths = [str(Path(__file__).parents[1]), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    killed = subprocess.run([*map(str, words), point], capture_output=True, text=True, timeout=100, env=environment, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert not (tmp_path / "out").exists()
    resumed = subprocess.run([*map(str, words), ""], capture_output=True, text=True, timeout=100, env=environment, check=True)
    known = resumed.stdout.strip().split("|")
    assert known[1].startswith("Convert from ONNX")
    assert any(point in title for title in known)
    assert (tmp_path / "out" / "index.json").read_bytes() == (fresh.directory / "index.json").read_bytes()


def test_two_builds_at_once_share_a_cache_and_both_are_whole(tmp_path: Path, fresh: Packed) -> None:
    paths = [str(Path(__file__).parents[1]), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
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
