"""Whatever a bundle has onnxruntime do, its self-test can write nothing and read nothing but the bundle."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sealift_core.process import landlock, seccomp
from sealift_runtime.engine.devices import devices_of
from sealift_runtime.engine.facts import onnxruntime_version
from sealift_runtime.engine.selftest import confinement_of, run_self_test
from support.confined import behind_walls
from support.models import CORPUS, make_bundle

ABIS = [pytest.param(landlock.NEWEST_ABI, id="Landlock"), pytest.param(0, id="no Landlock")]
USERS = [pytest.param(0, id="own user"), pytest.param(12345, id="ordinary user", marks=pytest.mark.skipif(os.geteuid() != 0, reason="needs root"))]
#: The oldest onnxruntime that is supported lacks some of the entries that these tests forbid.
OLDEST = onnxruntime_version().startswith("1.20.")
pytestmark = pytest.mark.skipif(not seccomp.supported(), reason="this machine has no filters that are known")

#: Load a model from a folder with session entries and options, run nothing; `result` is how that ended.
LOAD = """
    import numpy
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    for key, value in {entries!r}.items():
        options.add_session_config_entry(key, value)
    for key, value in {attributes!r}.items():
        setattr(options, key, value)
    try:
        session = onnxruntime.InferenceSession({model!r}, options, providers=["CPUExecutionProvider"])
        sizes = {{node.name: [size if isinstance(size, int) else 1 for size in node.shape] for node in session.get_inputs()}}
        session.run(None, {{name: numpy.ones(shape, numpy.float32) for name, shape in sizes.items()}})
        if options.enable_profiling:
            session.end_profiling()
        result = "done"
    except Exception as error:
        result = str(error)
"""


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that any user could use, in which a model lies and an attack would write."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    folder.chmod(0o777)
    shutil.copytree(CORPUS / "sharded", folder / "bundle")
    shutil.copytree(CORPUS / "linear", folder / "linear")
    (folder / "existing").write_text("existing")
    for path in folder.rglob("*"):
        path.chmod(0o777 if path.is_dir() else 0o666)
    yield folder
    shutil.rmtree(folder)


def content(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def load(place: Path, *, abi: int = 0, uid: int = 0, model: str = "bundle", walls: bool = True, entries: Any = None, attributes: Any = None) -> str:
    """How a session ends; an ordinary user imports first, since the interpreter of the tests may be root's alone."""
    become = f"import numpy, onnxruntime, os; os.setgroups([]); os.setresuid({uid}, {uid}, {uid})" if uid else ""
    script = LOAD.format(entries=entries or {}, attributes=attributes or {}, model=str(place / model / "model.onnx"))
    outcome = behind_walls(
        script, before=become, readable=(place / "bundle", place / "linear"), newest_abi=abi, walls=walls, file_bytes=0 if walls else 10**6
    )
    assert outcome.status == 0, outcome.output
    return str(json.loads(outcome.result))


@pytest.mark.parametrize("abi", ABIS)
@pytest.mark.parametrize("uid", USERS)
def test_a_model_with_external_weights_runs(place: Path, abi: int, uid: int) -> None:
    assert load(place, abi=abi, uid=uid) == "done"


@pytest.mark.parametrize("abi", ABIS)
@pytest.mark.parametrize("uid", USERS)
def test_a_session_entry_writes_no_file(place: Path, abi: int, uid: int) -> None:
    before = content(place)
    for target in (place / "new", place / "existing"):
        load(place, abi=abi, uid=uid, model="linear", entries={"session.collect_node_memory_stats_to_file": str(target)})
    assert content(place) == before


@pytest.mark.parametrize("abi", ABIS)
@pytest.mark.parametrize("uid", USERS)
def test_an_optimized_model_or_a_profile_is_not_written(place: Path, abi: int, uid: int) -> None:
    before = content(place)
    load(place, abi=abi, uid=uid, model="linear", attributes={"optimized_model_filepath": str(place / "existing")})
    load(place, abi=abi, uid=uid, model="linear", attributes={"enable_profiling": True, "profile_file_prefix": str(place / "profile")})
    assert content(place) == before


def test_without_walls_they_are_written_so_that_the_tests_prove_something(place: Path) -> None:
    load(place, walls=False, model="linear", attributes={"optimized_model_filepath": str(place / "existing")})
    assert (place / "existing").read_bytes() != b"existing"
    load(place, walls=False, model="linear", attributes={"enable_profiling": True, "profile_file_prefix": str(place / "profile")})
    assert list(place.glob("profile*"))
    if not OLDEST:
        load(place, walls=False, model="linear", entries={"session.collect_node_memory_stats_to_file": str(place / "stats")})
        assert (place / "stats").exists()


def test_a_session_entry_that_opens_a_file_empties_none(place: Path) -> None:
    before = content(place)
    for abi in (landlock.NEWEST_ABI, 0):
        load(place, abi=abi, uid=0, model="linear", entries={"session.node_partition_config_file": str(place / "existing")})
    assert content(place) == before


@pytest.mark.skipif(landlock.detect() == 0, reason="this kernel has no Landlock")
@pytest.mark.skipif(OLDEST, reason="onnxruntime 1.20 doesn't know the entry")
@pytest.mark.parametrize("uid", USERS)
def test_weights_from_elsewhere_are_not_read(place: Path, uid: int) -> None:
    secrets = place / "secrets"
    shutil.copytree(place / "bundle" / "weights", secrets / "weights")
    entries = {"session.model_external_initializers_file_folder_path": str(secrets)}
    assert load(place, abi=0, uid=uid, entries=entries) == "done", "the entry works where nothing hinders it"
    assert re.search(f"[Pp]ermission denied|SystemError : {errno.EACCES}", load(place, abi=landlock.NEWEST_ABI, uid=uid, entries=entries))


def test_a_real_self_test_has_all_the_walls_of_this_machine(tmp_path: Path) -> None:
    make_bundle(tmp_path, model="sharded")
    walls = run_self_test(tmp_path, memory_bytes=None, timeout_s=30, slowdown_limit=None).walls
    assert walls is not None
    assert (walls.landlock_abi, walls.seccomp) == (landlock.detect(), True)
    assert walls.root == (os.geteuid() == 0 and landlock.detect() == 0)


def test_without_the_sandbox_a_self_test_still_runs(tmp_path: Path) -> None:
    make_bundle(tmp_path)
    walls = run_self_test(tmp_path, memory_bytes=None, timeout_s=30, slowdown_limit=None, sandbox=False).walls
    assert walls is not None
    assert (walls.landlock_abi, walls.seccomp) == (0, False)


def test_a_bundle_for_the_processor_gets_no_device(tmp_path: Path) -> None:
    make_bundle(tmp_path)
    assert devices_of(tmp_path) == ((), ())
    assert devices_of(tmp_path / "absent") == ((), ())
    confinement = confinement_of(tmp_path, 100, 9.5, True)
    assert confinement.readable == (tmp_path,)
    assert confinement.writable == confinement.devices == ()
    assert (confinement.memory_bytes, confinement.cpu_s, confinement.file_bytes) == (100, 130 * (os.cpu_count() or 1), 0)
