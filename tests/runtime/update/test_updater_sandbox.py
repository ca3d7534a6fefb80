"""A self-test that can't be confined, or that the agent's installation breaks, holds an update up; a sandbox with gaps is recorded once."""

from __future__ import annotations

import dataclasses
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from sealift_core.errors import SandboxError
from sealift_core.process import confined, landlock, seccomp
from sealift_core.process.child import ChildOutcome, run_child
from sealift_core.schema.documents import Document
from sealift_runtime.update.steps import SANDBOX_GAPS
from sealift_runtime.update.table import ATTEMPTS, State
from support.devices import POLICY, Device
from support.interpreters import broken_interpreter
from support.repositories import Repository


def test_a_process_that_can_t_be_set_up_holds_the_update_up_and_is_no_attempt(
    device: Device, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    device.sync()
    repository.add_release("1.1.0")
    with monkeypatch.context() as broken:
        broken.setattr(confined, "MODULE", "sealift_runtime.absent")
        for _ in range(ATTEMPTS + 1):
            with pytest.raises(SandboxError, match="did not start"):
                device.sync()
    assert device.stage() is State.SELF_TESTING
    assert device.current().version == "1.0.0"
    assert "did not start" in device.last_detail("held-up")
    device.sync()
    assert device.current().version == "1.1.0"


#: What is wrong with the agent's own installation or machine, as statements for `broken_interpreter`, and what the update then says.
FAULTS = {
    "a library lacks a name": ("import onnxruntime; del onnxruntime.GraphOptimizationLevel", "AttributeError: .*'GraphOptimizationLevel'"),
    "a library lacks a name that is looked up late": ("import onnxruntime; del onnxruntime.InferenceSession", "AttributeError: .*'InferenceSession'"),
    "a library is missing": ("sys.modules['onnxruntime'] = None", "could not be set up: found .*onnxruntime"),
    "a library can't be loaded": (
        "sys.modules['onnxruntime'] = type('Broken', (), {'__getattr__': lambda self, name: ctypes.CDLL('libabsent.so.9')})()",
        "libabsent.so.9: cannot open shared object file",
    ),
    "no memory for Python": ("raise MemoryError", "did not start: found it ended with exit status 1; .*MemoryError"),
    "killed for want of memory": ("os.kill(os.getpid(), 9)", "did not start: found it ended with signal 9 .*free memory"),
    "crashed by a library": ("os.kill(os.getpid(), 11)", "did not start: found it ended with signal 11"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_the_agent_s_own_installation_holds_the_update_up_and_refuses_nothing(
    name: str, device: Device, repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    statements, words = FAULTS[name]
    with monkeypatch.context() as broken:
        broken.setattr(sys, "executable", str(broken_interpreter(tmp_path / "python", statements)))
        with pytest.raises(SandboxError, match=words):
            device.sync()
    assert device.stage() is State.SELF_TESTING
    assert device.state.refusals() == []
    assert device.last_detail("held-up")
    device.sync()
    assert device.current().version == "1.0.0"


def test_a_fault_of_the_installation_is_no_attempt_however_often_it_is_met(device: Device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(sys, "executable", str(tmp_path / "absent"))
        for _ in range(ATTEMPTS + 1):
            with pytest.raises(SandboxError, match="a sandboxed process can't be started: found No such file"):
                device.sync()
    assert device.kinds().count("held-up") == 1
    device.sync()
    assert device.current().version == "1.0.0"


def without_landlock(command: Sequence[str], *, timeout_s: float, start_s: float) -> ChildOutcome:
    """What a service manager does that kills whoever calls Landlock."""
    confinement = next(word for word in command if word.startswith("{"))
    if Document.parse_json(confinement.encode(), where="confinement", max_bytes=10**6).integer("newest_abi"):
        return ChildOutcome(status=-signal.SIGSYS, result=b"", output="", timed_out=False)
    return run_child(command, timeout_s=timeout_s, start_s=start_s)


@pytest.mark.skipif(landlock.detect() == 0 or not seccomp.supported(), reason="the walls of this machine have gaps")
def test_a_gap_in_the_sandbox_is_an_event_when_it_comes_and_when_it_goes(
    device: Device, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as older:
        older.setattr(confined, "run_child", without_landlock)
        device.sync()
        repository.add_release("1.1.0")
        device.sync()
    assert device.kinds().count("sandbox") == 1
    assert "no Landlock" in device.last_detail("sandbox")
    assert "no Landlock" in (device.state.setting(SANDBOX_GAPS) or "")
    repository.add_release("1.2.0")
    device.sync()
    assert device.kinds().count("sandbox") == 2
    assert "the sandbox of self-tests is complete again" in device.last_detail("sandbox")


@pytest.mark.parametrize("sandbox", [True, False])
def test_the_policy_says_whether_there_are_walls(tmp_path: Path, repository: Repository, sandbox: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []

    def noting(command: Sequence[str], **limits: Any) -> ChildOutcome:
        confinement = next(word for word in command if word.startswith("{"))
        seen.append(Document.parse_json(confinement.encode(), where="confinement", max_bytes=10**6).boolean("walls"))
        return run_child(command, **limits)

    monkeypatch.setattr(confined, "run_child", noting)
    device = Device(tmp_path / "other", repository, policy=dataclasses.replace(POLICY, sandbox=sandbox))
    device.sync()
    assert device.current().version == "1.0.0"
    assert seen == [sandbox]
