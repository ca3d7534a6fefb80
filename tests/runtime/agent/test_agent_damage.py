"""Damaged files of the agent's own, and damaged inputs, are named; none of them stops what goes on."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from sealift_core.bundle.tensors import TensorSpec
from sealift_core.errors import RequestError
from sealift_runtime.agent import supervisor
from sealift_runtime.agent.monitors import Monitors
from sealift_runtime.cli.infer import read_inputs
from sealift_runtime.update.desired import DataPlaneSettings
from support.clocks import ManualClock

#: Crashes when it runs for the first time, then ends for good.
CRASHING_ONCE = "import pathlib, sys; mark = pathlib.Path(sys.argv[1]); first = not mark.exists(); mark.touch(); sys.exit(1 if first else 2)"


def test_a_process_starts_again_although_its_crash_can_not_be_recorded(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "state.sqlite").write_bytes(b"not a database, " * 100)
    child = supervisor.Child("server", [sys.executable, "-c", CRASHING_ONCE, str(tmp_path / "mark")])
    keeper = supervisor.Supervisor([child], lambda name, code: supervisor._record_crash(tmp_path, name, code))
    keeper._keep(child)
    assert child.process
    assert child.process.returncode == 2
    assert "the crash of server can't be recorded" in caplog.text


def test_windows_that_this_disk_damaged_are_named_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "windows.json").write_bytes(b"{")
    with caplog.at_level(logging.WARNING):
        monitors = Monitors(DataPlaneSettings(), ManualClock(), tmp_path / "windows.json")
    assert monitors.windows() == []
    assert "windows.json" in caplog.text


def npy(value: np.ndarray[tuple[int, ...], np.dtype[np.float64]], save: Callable[..., None]) -> bytes:
    file = io.BytesIO()
    save(file, value)
    return file.getvalue()


ZIPPED = npy(np.ones(3000), np.savez_compressed)


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("x.npz", b"", "the inputs can't be read"),
        ("x.npz", ZIPPED[:100], "the inputs can't be read"),
        ("x.npz", ZIPPED[:60] + b"\xff" + ZIPPED[61:], "the inputs can't be read"),
        ("x.npz", npy(np.ones(3), np.save), "the file doesn't name its inputs"),
        ("x.json", b"[" * 100_000, "the inputs can't be read"),
        ("x.json", b"[]", "the file doesn't name its inputs"),
    ],
    ids=["empty", "cut off", "damaged", "one array", "deep JSON", "a list"],
)
def test_inputs_that_can_not_be_read_are_an_error_that_names_the_file(tmp_path: Path, name: str, data: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(RequestError, match=rf"{name}: {words}"):
        read_inputs(str(tmp_path / name), (TensorSpec(name="x", dtype="float64", shape=(3,)),))
