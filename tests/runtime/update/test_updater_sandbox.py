"""A self-test that can't be confined holds an update up; a sandbox with gaps is told once."""

from __future__ import annotations

import dataclasses
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from sealift_runtime.documents import Document
from sealift_runtime.errors import SandboxError
from sealift_runtime.process import confined, landlock, seccomp
from sealift_runtime.process.child import ChildOutcome, run_child
from sealift_runtime.update.steps import SANDBOX_GAPS
from sealift_runtime.update.table import State
from support.devices import POLICY, Device
from support.repositories import Repository


def test_a_process_that_can_t_be_set_up_holds_the_update_up_and_is_no_attempt(
    device: Device, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    device.sync()
    repository.add_release("1.1.0")
    with monkeypatch.context() as broken:
        broken.setattr(confined, "MODULE", "sealift_runtime.absent")
        for _ in range(POLICY.self_test_attempts + 1):
            with pytest.raises(SandboxError, match="did not come up"):
                device.sync()
    assert device.stage() is State.SELF_TESTING
    assert device.current().version == "1.0.0"
    assert "did not come up" in device.last_detail("held-up")
    device.sync()
    assert device.current().version == "1.1.0"


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
    assert "nothing is missing" in device.last_detail("sandbox")


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
