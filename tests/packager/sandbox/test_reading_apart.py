"""An unknown model is read and run in a process of its own: behind walls, for a bounded time, and never where the key is."""

from __future__ import annotations

import importlib
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import catboost
import joblib
import lightgbm
import numpy as np
import onnx
import pandas as pd
import pytest
import skops.io
import xgboost
from PIL import Image
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from sealift_core.process import landlock
from sealift_core.signing.keys import PrivateKey
from sealift_packager.diff import artifact
from support import graphs, trained, unending
from support.cli import BIN, Ran, run
from support.versions import since

#: Long enough for a small model on a machine that does much else.
SHORT_S = 10.0
#: What a build takes before and after, on such a machine.
AROUND_S = 120.0


def pack(model: Path, *words: object, env: dict[str, str] | None = None) -> Ran:
    options = ["--name", "model", "--version", "1.0.0", "--profile", "arm64-baseline", "--no-cache"]
    options += [] if "--out" in words else ["--out", str(model.parent / "out")]
    return run("sealift", "pack", model, *options, *words, env=env)


def assert_gives_up(done: Ran, *messages: str) -> None:
    assert done.code == 3, done.err
    assert len(done.complaint.splitlines()) == 1
    for words in messages:
        assert words in done.err


def children(process: int) -> list[int]:
    return [int(number) for number in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def is_alive(process: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


def until(happens: Callable[[], object], within_s: float = AROUND_S) -> None:
    deadline = time.monotonic() + within_s
    while not happens():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.long
def test_a_loop_without_end_is_given_up_on(tmp_path: Path) -> None:
    start = time.monotonic()
    done = pack(unending.loop(tmp_path / "loop.onnx", trips=unending.FOREVER), "--model-timeout", SHORT_S)
    assert_gives_up(done, "loop.onnx: the model did not answer 2 rows within 10 s. The model may contain an endless loop. --model-timeout raises")
    assert time.monotonic() - start < SHORT_S + AROUND_S
    assert [path.name for path in tmp_path.iterdir()] == ["loop.onnx"]


@pytest.mark.long
def test_a_loop_that_only_some_rows_make_long_is_given_up_on(tmp_path: Path) -> None:
    model, data = unending.loop(tmp_path / "loop.onnx", trips=None), unending.rows(tmp_path / "rows.npz", huge=20)
    assert_gives_up(pack(model, "--data", data, "--model-timeout", SHORT_S), "the model did not answer 40 rows within")
    assert not (tmp_path / "out").exists()


def test_a_loop_that_ends_is_packed(tmp_path: Path) -> None:
    model, data = unending.loop(tmp_path / "loop.onnx", trips=None), unending.rows(tmp_path / "rows.npz", huge=0)
    assert pack(model, "--data", data, "--metric", "agreement").code == 0


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize(
    "make", [unending.script, pytest.param(unending.program, marks=since("torch", "2.6", "run a while_loop that was read from a file"))]
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_torch_model_without_end_is_given_up_on(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    data = unending.rows(tmp_path / "rows.npz", huge=0)
    done = pack(make(tmp_path / "model.pt"), "--data", data, "--model-timeout", 60)
    assert_gives_up(done, "model.pt: ", " within 60 s")


def test_a_model_that_wants_all_memory_is_refused(tmp_path: Path) -> None:
    data = unending.rows(tmp_path / "rows.npz", huge=0)
    done = pack(unending.greedy(tmp_path / "greedy.onnx", side=400_000), "--data", data)  # 640 GB
    assert_gives_up(done, "onnxruntime can't run the graph", "Failed to allocate memory")


PROBE = """
import os, socket, subprocess
from pathlib import Path

def attempt(what):
    try:
        what()
    except (OSError, PermissionError) as error:
        return type(error).__name__
    return "done"

def metric(target, label):
    there = Path(__file__).parent
    outcomes = {
        "reads": attempt(lambda: (there.parent / "secret").read_text()),
        "writes": attempt(lambda: (there.parent / "written").write_text("x")),
        "lists": attempt(lambda: os.listdir(there.parent)),
        "connects": attempt(lambda: socket.create_connection(("127.0.0.1", PORT), timeout=5)),
        "starts": attempt(lambda: subprocess.run(["/bin/true"], check=True)),
        "signals": attempt(lambda: os.kill(os.getppid(), 0)),
        "passphrase": "SEALIFT_KEY_PASSPHRASE" in os.environ,
    }
    raise ValueError(str(outcomes))
"""


@pytest.mark.parametrize("walls", [True, False])
def test_what_runs_beside_an_unknown_model_reads_its_own_files_and_reaches_nothing(tmp_path: Path, walls: bool) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    (tmp_path / "secret").write_text("of somebody else")
    (folder / "net.onnx").write_bytes(trained.onnx_net().model.read_bytes())
    with socket.create_server(("127.0.0.1", 0)) as server:
        (folder / "probe.py").write_text(PROBE.replace("PORT", str(server.getsockname()[1])))
        words = ["--data", trained.onnx_net().data, "--metric", f"{folder / 'probe.py'}:metric", *([] if walls else ["--no-sandbox"])]
        done = pack(folder / "net.onnx", *words, env={"SEALIFT_KEY_PASSPHRASE": "correct horse"})
    assert done.code == 3
    kept_out = ["reads", "writes", "lists", "connects", "starts", "signals"]
    for what in kept_out:
        assert (f"'{what}': 'PermissionError'" if walls else f"'{what}': 'done'") in done.err
    assert "'passphrase': False" in done.err
    assert (tmp_path / "written").exists() is not walls


class Mover:
    """Unpickled, it moves a file away, and says what it saw of keys."""

    def __init__(self, source: Path, target: Path, seen: Path) -> None:
        self.arguments = (str(source), str(target), str(seen))

    def __reduce__(self) -> tuple[object, ...]:
        source, target, seen = self.arguments
        code = (
            f"(__import__('os').rename({source!r}, {target!r}), "
            f"open({seen!r}, 'w').write(__import__('json').dumps(["
            "sorted(name for name in __import__('os').environ if 'PASSPHRASE' in name), "
            "sum(type(row).__name__ in ('PrivateKey', 'ECPrivateKey') for row in __import__('gc').get_objects())])))"
        )
        return (eval, (code,))


def fitted(model: Any) -> Any:
    return model.fit(np.array([[0.0, 1.0], [1.0, 0.0]] * 4), [0, 1] * 4)


def hostile_pickle(path: Path, mover: Mover) -> Path:
    model = fitted(LogisticRegression())
    model.mover = mover
    joblib.dump(model, path)
    return path


def test_the_key_is_loaded_after_the_model_was_read_and_never_in_its_process(tmp_path: Path) -> None:
    key, away, seen = tmp_path / "key.pem", tmp_path / "away.pem", tmp_path / "seen.json"
    PrivateKey.generate().save(key, b"correct horse")
    model = hostile_pickle(tmp_path / "model.joblib", Mover(key, away, seen))
    done = pack(model, "--trust-pickle", "--key", key, env={"SEALIFT_KEY_PASSPHRASE": "correct horse"})
    assert_gives_up(done, "key.pem: the key file can't be read (No such file or directory)")
    assert json.loads(seen.read_text()) == [[], 0]
    assert not (tmp_path / "out").exists()


def test_a_key_that_was_replaced_during_the_build_does_not_sign(tmp_path: Path) -> None:
    key, other, seen = tmp_path / "key.pem", tmp_path / "other.pem", tmp_path / "seen.json"
    for path in (key, other):
        PrivateKey.generate().save(path)
    model = hostile_pickle(tmp_path / "model.joblib", Mover(other, key, seen))
    assert_gives_up(pack(model, "--trust-pickle", "--key", key), "the key was replaced during the build")


def test_an_encrypted_key_signs_at_the_end(tmp_path: Path) -> None:
    key = PrivateKey.generate()
    key.save(tmp_path / "key.pem", b"correct horse")
    (tmp_path / "net.onnx").write_bytes(trained.onnx_net().model.read_bytes())
    assert pack(tmp_path / "net.onnx", "--key", tmp_path / "key.pem", env={"SEALIFT_KEY_PASSPHRASE": "correct horse"}).code == 0
    artifact.verify(tmp_path / "out", key.public_key)
    mine = (os.geteuid(), os.getegid())
    assert {(path.lstat().st_uid, path.lstat().st_gid) for path in (tmp_path / "out").rglob("*")} == {mine}


@pytest.mark.parametrize(
    ("passphrase", "words"), [("wrong", "key.pem: the passphrase is wrong"), (None, "key.pem: the key is encrypted and needs a passphrase")]
)
def test_a_wrong_passphrase_is_told_before_the_model_is_read(tmp_path: Path, passphrase: str | None, words: str) -> None:
    PrivateKey.generate().save(tmp_path / "key.pem", b"correct horse")
    model = unending.loop(tmp_path / "loop.onnx", trips=unending.FOREVER)
    done = pack(model, "--key", tmp_path / "key.pem", "--model-timeout", 10_000, env={"SEALIFT_KEY_PASSPHRASE": passphrase} if passphrase else None)
    assert_gives_up(done, words)


def started(model: Path) -> tuple[subprocess.Popen[str], int]:
    """A build that won't end, and the process that runs its model by now."""
    words = ["pack", model, "--name", "model", "--version", "1.0.0", "--profile", "arm64-baseline", "--out", model.parent / "out", "--no-cache"]
    process = subprocess.Popen([BIN / "sealift", *map(str, words)], stderr=subprocess.PIPE, text=True)
    until(lambda: any(b"confined" in Path(f"/proc/{child}/cmdline").read_bytes() for child in children(process.pid)))
    return process, children(process.pid)[0]


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGKILL, -9)])
def test_the_model_s_process_ends_with_the_command(tmp_path: Path, sent: signal.Signals, code: int) -> None:
    process, worker = started(unending.loop(tmp_path / "loop.onnx", trips=unending.FOREVER))
    with process:
        time.sleep(1)
        process.send_signal(sent)
        assert process.wait(timeout=60) == code
    until(lambda: not is_alive(worker))
    if sent != signal.SIGKILL:
        assert [path.name for path in tmp_path.iterdir()] == ["loop.onnx"]


CRASHING = """
import os, signal
from sklearn.linear_model import LogisticRegression

class Crashing(LogisticRegression):
    def predict(self, X):
        os.kill(os.getpid(), signal.SIGSEGV)
"""


def test_a_model_that_breaks_its_process_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "crashing.py").write_text(CRASHING)
    monkeypatch.syspath_prepend(tmp_path)
    model = fitted(importlib.import_module("crashing").Crashing())
    joblib.dump(model, tmp_path / "model.joblib")
    done = pack(tmp_path / "model.joblib", "--trust-pickle", env={"PYTHONPATH": str(tmp_path)})
    assert_gives_up(done, "model.joblib: the process crashes when the model answers", "(SIGSEGV)")


X, Y = np.random.default_rng(0).normal(size=(60, 4)), np.arange(60) % 2


def xgboost_file(folder: Path) -> Path:
    fitted_to(xgboost.XGBClassifier(n_estimators=3, n_jobs=1)).save_model(folder / "m.ubj")
    return folder / "m.ubj"


def lightgbm_file(folder: Path) -> Path:
    fitted_to(lightgbm.LGBMClassifier(n_estimators=3, n_jobs=1, verbose=-1)).booster_.save_model(folder / "m.txt")
    return folder / "m.txt"


def catboost_file(folder: Path) -> Path:
    fitted_to(catboost.CatBoostClassifier(iterations=3, verbose=False, allow_writing_files=False)).save_model(str(folder / "m.cbm"))
    return folder / "m.cbm"


def skops_file(folder: Path) -> Path:
    skops.io.dump(fitted_to(RandomForestClassifier(3)), folder / "m.skops")
    return folder / "m.skops"


def weights_beside(folder: Path) -> Path:
    (folder / "model" / "deep").mkdir(parents=True)
    model = onnx.load(trained.onnx_net().model)
    onnx.save_model(model, folder / "model" / "m.onnx", save_as_external_data=True, location="w.bin", size_threshold=0)
    (folder / "linked").symlink_to(folder / "model")
    return folder / "linked" / "m.onnx"


def fitted_to(model: Any) -> Any:
    return model.fit(X, Y)


@pytest.mark.slow
@pytest.mark.parametrize("make", [xgboost_file, lightgbm_file, catboost_file, skops_file, weights_beside, lambda _: trained.program().model])
def test_every_kind_of_model_that_is_no_code_is_read_behind_walls(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    model = make(tmp_path)
    done = pack(model, "--out", tmp_path / "release", "-q").ok()
    assert "no Landlock" not in done.out or not landlock.detect()
    assert done.err == ""


def images(folder: Path) -> Path:
    for number in range(20):
        place = folder / "images" / str(number % 10)
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8, 8), number, np.uint8)).save(place / f"{number}.png")
    return folder / "images"


def parquet(folder: Path) -> Path:
    pd.DataFrame({f"c{number}": np.ones(20) for number in range(64)} | {"target": np.ones(20)}).to_parquet(folder / "d.parquet")
    return folder / "d.parquet"


def linked(folder: Path) -> Path:
    (folder / "linked.npz").symlink_to(trained.digits_holdout())
    return folder / "linked.npz"


@pytest.mark.slow
@pytest.mark.parametrize("make", [images, parquet, linked])
def test_every_kind_of_data_is_read_behind_walls(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    model = table_net(tmp_path / "net.onnx") if make is parquet else trained.onnx_net().model
    pack(model, "--out", tmp_path / "release", "--data", make(tmp_path), "--metric", "agreement").ok()


def table_net(path: Path) -> Path:
    nodes = [onnx.helper.make_node("MatMul", ["x", "w"], ["y"])]
    onnx.save(graphs.model(nodes, [graphs.value("x", ["n", 64])], [graphs.value("y", ["n", 2])], [graphs.weights("w", 64, 2)]), path)
    return path
