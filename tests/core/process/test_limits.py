"""What a process of ours takes and inherits is bounded, with walls or without."""

from __future__ import annotations

import json
import os
import signal
import sys
import textwrap
import time
from pathlib import Path

import pytest

from sealift_core.onnxruntime_environment import SET
from sealift_core.process.child import clean_environment, run_child
from support.confined import behind_walls

MIB = 2**20


@pytest.mark.parametrize("walls", [True, False])
def test_memory_beyond_the_limit_is_refused(walls: bool) -> None:
    script = """
        from sealift_core.process.memory import limit_memory
        limit_memory(confinement.memory_bytes)
        held = bytearray(20 * 2**20)
        try:
            bytearray(200 * 2**20)
        except MemoryError:
            result = "refused"
    """
    assert json.loads(behind_walls(script, memory_bytes=100 * MIB, walls=walls).result) == "refused"


def test_threads_are_bounded_by_the_memory_of_their_stacks() -> None:
    script = """
        import threading
        from sealift_core.process.memory import limit_memory
        threading.stack_size(8 * 2**20)
        limit_memory(confinement.memory_bytes)
        wait, result = threading.Event(), 0
        try:
            for result in range(1000):
                threading.Thread(target=wait.wait, daemon=True).start()
        except RuntimeError:
            wait.set()
    """
    assert json.loads(behind_walls(script, memory_bytes=100 * MIB).result) < 20


@pytest.mark.parametrize("walls", [True, False])
def test_processor_time_beyond_the_limit_ends_the_process(walls: bool) -> None:
    start = time.monotonic()
    outcome = behind_walls("while True: pass", cpu_s=1, walls=walls)
    assert outcome.status == -signal.SIGXCPU
    assert time.monotonic() - start < 50


@pytest.mark.parametrize("walls", [True, False])
def test_no_file_grows_no_core_is_dumped_and_threads_are_counted(walls: bool, tmp_path: Path) -> None:
    before = f"file = open({str(tmp_path / 'open')!r}, 'wb', buffering=0)"
    script = """
        import resource
        try:
            file.write(b"x")
        except OSError as error:
            result = [error.strerror, resource.getrlimit(resource.RLIMIT_CORE), resource.getrlimit(resource.RLIMIT_NPROC)[0] <= 8192]
    """
    assert json.loads(behind_walls(script, before=before, walls=walls).result) == ["File too large", [0, 0], True]


def test_no_descriptor_is_inherited_but_the_result_s(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    script = """
        import os, sys, json
        open_ones = []
        for number in range(3, 256):
            try:
                os.fstat(number)
            except OSError:
                continue
            open_ones.append(number)
        os.write(int(sys.argv[-1]), json.dumps([open_ones, int(sys.argv[-1]), os.readlink("/proc/self/fd/0"), os.getcwd()]).encode())
    """
    with secret.open() as file:
        os.set_inheritable(file.fileno(), True)
        outcome = run_child([sys.executable, "-c", textwrap.dedent(script)], timeout_s=20)
    assert outcome.status == 0, outcome.output
    open_ones, result, stdin, folder = json.loads(outcome.result)
    assert open_ones == [result]
    assert (stdin, folder) == ("/dev/null", "/")


def test_the_environment_is_handed_on_by_a_list_without_secrets_and_code(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = {"PATH": "/bin", "HOME": "/root", "LANG": "C.UTF-8", "LC_ALL": "C", "TZ": "UTC", "OMP_NUM_THREADS": "2", "CUDA_VISIBLE_DEVICES": "0"}
    dropped = {
        "LD_PRELOAD": "x.so",
        "LD_AUDIT": "x.so",
        "PYTHONPATH": "/x",
        "PYTHONSTARTUP": "/x",
        "HTTPS_PROXY": "http://me:secret@proxy",
        "AWS_SECRET_ACCESS_KEY": "x",
        "SEALIFT_HOME": "/x",
    }
    assert clean_environment(kept | dropped) == kept | SET
    monkeypatch.setenv("SEALIFT_TOKEN", "secret")
    outcome = run_child([sys.executable, "-c", "import os, sys; os.write(int(sys.argv[1]), repr(dict(os.environ)).encode())"], timeout_s=20)
    assert b"secret" not in outcome.result
    assert b"ORT_DISABLE_TELEMETRY" in outcome.result


def test_the_time_counts_from_the_first_byte_of_the_result() -> None:
    script = "import os, sys, time; time.sleep(1); os.write(int(sys.argv[1]), b'up'); time.sleep({})"
    assert run_child([sys.executable, "-c", script.format(0)], timeout_s=0.5, start_s=30).result == b"up"
    assert run_child([sys.executable, "-c", script.format(60)], timeout_s=0.5, start_s=30).timed_out
