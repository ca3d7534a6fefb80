"""What is never served, and what goes back: failed self-tests, bundles that do not fit, data planes that refuse, breaches, people."""

from __future__ import annotations

import dataclasses
import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sealift_core.bundle.golden import GoldenCase
from sealift_core.bundle.manifest import Requirements
from sealift_core.errors import EngineError, IntegrityError, UpdateError
from sealift_core.signing.keys import PrivateKey
from sealift_runtime.update.records import ServingCounters
from sealift_runtime.update.table import ATTEMPTS, State
from support.devices import POLICY, Device
from support.models import MODELS, make_manifest, make_profile
from support.repositories import Repository, flip

WRONG = [GoldenCase(inputs=dict(MODELS["linear"].requests[0]), outputs={"scores": np.zeros((1, 3), np.float32), "label": np.zeros(1, np.int64)})]


def test_a_failed_self_test_rejects_and_never_activates(device: Device, repository: Repository) -> None:
    device.sync()
    repository.add_release("1.1.0", cases=WRONG)
    device.sync()
    assert device.stage() is State.REJECTED
    assert device.current().version == "1.0.0"
    assert device.data_plane.activated == ["1.0.0"]
    assert "wrong outputs" in device.last_detail("rejected")


def test_what_was_rejected_is_not_tried_again_until_retry(device: Device, repository: Repository) -> None:
    repository.add_release("1.1.0", cases=WRONG)
    device.sync()
    device.sync()
    assert device.kinds().count("rejected") == 1
    device.updater.retry("linear")
    device.sync()
    assert device.kinds().count("rejected") == 2


def test_what_was_rejected_gives_way_to_a_newer_version(device: Device, repository: Repository) -> None:
    repository.add_release("1.1.0", cases=WRONG)
    device.sync()
    repository.add_release("1.1.1")
    device.sync()
    assert device.current().version == "1.1.1"


REQUIRES = Requirements(onnxruntime=">=1.20", cpu_flags=(), memory_bytes=0, disk_bytes=0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"requires": dataclasses.replace(REQUIRES, onnxruntime=">=99")}, "It needs onnxruntime >=99"),
        ({"requires": dataclasses.replace(REQUIRES, onnxruntime="latest")}, "not a version range"),
        ({"requires": dataclasses.replace(REQUIRES, cpu_flags=("warp",))}, "The processor lacks warp."),
        ({"profile": make_profile("big", minimum_memory_mb=2**40)}, "no bundle of the release fits this machine"),
        ({"version": "2.0.0", "key": PrivateKey.generate()}, "model.sig"),
    ],
)
def test_what_does_not_fit_is_rejected_with_the_reason(device: Device, repository: Repository, changes: dict[str, Any], message: str) -> None:
    repository.add_release(**({"version": "2.0.0"} | changes))
    device.sync()
    assert device.stage() is State.REJECTED
    assert message in device.last_detail("rejected")
    assert device.state.deployment("linear") is None


def test_a_bundle_for_another_architecture_is_rejected(tmp_path: Path, repository: Repository) -> None:
    architecture = make_manifest().profile.cpu.arch
    machine = dataclasses.replace(
        Device(tmp_path / "probe", repository).updater._context.machine, arch="aarch64" if architecture == "x86_64" else "x86_64"
    )
    device = Device(tmp_path / "home", repository, machine=machine)
    device.sync()
    assert "no bundle for this architecture" in device.last_detail("rejected")


def test_a_data_plane_that_can_not_serve_it_gets_the_old_one_back(device: Device, repository: Repository) -> None:
    device.sync()
    repository.add_release("1.1.0")
    device.data_plane.refuses = {"1.1.0"}
    for attempt in range(1, ATTEMPTS):
        with pytest.raises(EngineError, match="does not load"):
            device.sync()
        assert device.data_plane.activated == ["1.0.0", *["1.1.0", "1.0.0"] * attempt]
        assert device.current().version == "1.0.0"
        assert device.stage() is State.SELF_TESTING
    device.sync()
    assert device.data_plane.activated == ["1.0.0", *["1.1.0", "1.0.0"] * ATTEMPTS]
    assert device.current().version == "1.0.0"
    assert device.stage() is State.ROLLED_BACK
    assert "it can't be served" in device.last_detail("rolled-back")


def test_a_first_version_that_can_not_serve_leaves_no_model(device: Device) -> None:
    device.data_plane.refuses = {"1.0.0"}
    for _ in range(1, ATTEMPTS):
        with pytest.raises(EngineError, match="does not load"):
            device.sync()
        assert device.state.deployment("linear") is None
    device.sync()
    assert device.state.deployment("linear") is None
    assert device.stage() is State.ROLLED_BACK
    assert device.data_plane.activated == ["1.0.0", None] * ATTEMPTS


def test_a_breach_during_probation_rolls_back_at_once(device: Device, repository: Repository) -> None:
    device.sync()
    repository.add_release("1.1.0")
    device.data_plane.counts = ServingCounters(requests=1000, failures=1)
    device.updater.refresh()
    device.updater.advance()
    assert device.stage() is State.PROBATION
    device.data_plane.counts = ServingCounters(requests=1100, failures=51)
    device.updater.advance()
    assert device.stage() is State.ROLLED_BACK
    assert device.current().version == "1.0.0"
    assert device.last_detail("rolled-back") == "50 of 100 requests failed; with the previous version it was 0.1%."


def test_a_clock_that_is_set_back_starts_the_probation_anew(device: Device) -> None:
    device.updater.refresh()
    device.updater.advance()
    device.clock.advance(-3600)
    advanced = device.updater.advance()
    assert device.stage() is State.PROBATION
    assert advanced.wait_until == device.clock.now() + datetime.timedelta(seconds=POLICY.probation.duration_s)


def test_a_person_can_go_back(device: Device, repository: Repository) -> None:
    device.sync()
    repository.add_release("1.1.0")
    device.sync()
    device.updater.rollback("linear", "complaints from the line")
    assert device.current().version == "1.0.0"
    assert device.data_plane.activated[-1] == "1.0.0"
    assert device.last_detail("rolled-back") == "complaints from the line"
    device.sync()
    assert device.current().version == "1.0.0", "the channel still names 1.1.0, but it is refused"
    with pytest.raises(UpdateError, match="there is no previous version to go back to"):
        device.updater.rollback("linear", "again")


def test_going_back_to_a_damaged_bundle_is_refused(device: Device, repository: Repository) -> None:
    device.sync()
    first = device.current()
    repository.add_release("1.1.0")
    device.sync()
    flip(first.directory / "model.onnx", 7)
    with pytest.raises(IntegrityError, match="model.onnx"):
        device.updater.rollback("linear", "complaints")
    assert device.current().version == "1.1.0"
