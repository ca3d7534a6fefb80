"""What hinders an update holds it up, is told, and is tried again with a back-off; only what a release itself is refuses it."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sealift_core import beneath
from sealift_core.bundle.manifest import Requirements
from sealift_core.errors import (
    DiskFullError,
    IntegrityError,
    MemoryShortageError,
    SandboxError,
    SealiftError,
    SelfTestError,
    StoreError,
    TransportError,
)
from sealift_runtime.engine.selftest import Failure, SelfTestResult
from sealift_runtime.update import steps
from sealift_runtime.update.records import RefusedRelease
from sealift_runtime.update.table import ATTEMPTS, State
from support.devices import POLICY, Device, RecordingDataPlane
from support.models import make_profile
from support.repositories import Repository, flip
from support.small_disk import small_disk

REQUIRES = Requirements(onnxruntime=">=1.20", cpu_flags=(), memory_bytes=0, disk_bytes=0)
PASSED = SelfTestResult(cases=1, worst_excess=0, load_time_ms=1, latency_ms=1, reference_latency_ms=None, peak_memory_bytes=1)


@pytest.fixture
def self_tests(monkeypatch: pytest.MonkeyPatch) -> list[SealiftError | Callable[[Path], None] | None]:
    """What the next self-tests come to, in order: an error, something done to the bundle's directory, or None for a pass; then all pass."""
    outcomes: list[SealiftError | Callable[[Path], None] | None] = []

    def run(directory: Path, **_: object) -> SelfTestResult:
        outcome = outcomes.pop(0) if outcomes else None
        if isinstance(outcome, SealiftError):
            raise outcome
        if outcome:
            outcome(directory)
        return PASSED

    monkeypatch.setattr(steps, "run_self_test", run)
    return outcomes


def failed(failure: Failure) -> SelfTestError:
    return SelfTestError(str(failure), failure=failure)


def hindered(device: Device, error: type[SealiftError] = SealiftError) -> SealiftError:
    """One try that is held up."""
    device.updater.refresh()
    problems = device.updater.advance().problems
    assert len(problems) == 1
    assert isinstance(problems[0], error)
    return problems[0]


# No room


def test_a_moment_s_full_disk_refuses_nothing(tmp_path: Path, repository: Repository) -> None:
    with small_disk(tmp_path / "disk") as disk:
        device = Device(tmp_path / "disk" / "home", repository, policy=dataclasses.replace(POLICY, reserve_bytes=2**20))
        device.updater.refresh()
        disk.leave(900)
        assert isinstance(device.updater.advance().problems[0], DiskFullError)
        assert device.state.refusals() == []
        assert not device.updater.plan(), "it is under way"
        disk.clear()
        device.sync()
        assert device.current().version == "1.0.0"
        device.state.close()


def test_a_bundle_that_asks_for_more_room_than_there_is_waits_for_it(device: Device, repository: Repository) -> None:
    repository.add_release("2.0.0", requires=dataclasses.replace(REQUIRES, disk_bytes=2**60))
    error = hindered(device, DiskFullError)
    assert "not enough free space" in str(error)
    assert device.state.refusals() == []
    repository.add_release("2.0.1")
    device.sync()
    assert device.current().version == "2.0.1", "a newer one takes its place"


def test_room_is_asked_for_only_for_what_is_not_here_yet(device: Device, repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    repository.add_release("2.0.0", requires=dataclasses.replace(REQUIRES, disk_bytes=10**9))
    device.sync()
    flip(device.current().directory / "MODEL_CARD.md", 5)
    monkeypatch.setattr("sealift_runtime.store.space.free_bytes", lambda _: 10**6)
    device.updater.recover()
    with pytest.raises(DiskFullError):
        device.sync()
    monkeypatch.setattr("sealift_runtime.store.space.free_bytes", lambda _: 2 * 10**9)
    device.sync()
    assert device.current().version == "2.0.0"


# No memory


def test_too_little_memory_holds_up_until_there_is_more(tmp_path: Path, repository: Repository) -> None:
    repository.add_release("2.0.0", requires=dataclasses.replace(REQUIRES, memory_bytes=2**40))
    small = Device(tmp_path / "home", repository)
    hindered(small, MemoryShortageError)
    assert small.state.refusals() == []
    machine = dataclasses.replace(small.updater._context.machine, memory_bytes=2**41)
    Device(tmp_path / "home", repository, machine=machine).sync()
    assert small.current().version == "2.0.0"


@pytest.mark.parametrize("error", [MemoryShortageError("it was killed"), SandboxError("ended from outside"), SandboxError("did not start")])
def test_a_self_test_that_is_hindered_is_no_attempt(
    device: Device, self_tests: list[SealiftError | Callable[[Path], None] | None], error: SealiftError
) -> None:
    self_tests += [error] * (3 * ATTEMPTS)
    for _ in range(3 * ATTEMPTS):
        hindered(device, type(error))
    assert device.stage() is State.SELF_TESTING
    assert device.state.refusals() == []
    assert device.kinds().count("held-up") == 1, "the same is told once"
    device.sync()
    assert device.current().version == "1.0.0"


def test_a_self_test_that_is_interrupted_is_no_attempt(device: Device, self_tests: list[SealiftError | Callable[[Path], None] | None]) -> None:
    def interrupt(_: Path) -> None:
        raise KeyboardInterrupt

    self_tests += [interrupt] * (3 * ATTEMPTS)
    for _ in range(3 * ATTEMPTS):
        with pytest.raises(KeyboardInterrupt):
            device.sync()
    device.sync()
    assert device.current().version == "1.0.0"


class Starved(RecordingDataPlane):
    """A data plane without memory for a second model beside the first."""

    starved = True

    def follow(self, *arguments: object, **named: object) -> None:
        super().follow(*arguments, **named)  # type: ignore[arg-type]
        if self.starved and self.activated and self.activated[-1] == "1.1.0":
            raise MemoryShortageError("the model does not load: out of memory", where="linear 1.1.0")


def test_a_data_plane_without_memory_serves_the_old_one_until_there_is_some(tmp_path: Path, repository: Repository) -> None:
    plane = Starved()
    device = Device(tmp_path / "home", repository, data_plane=plane)
    device.sync()
    repository.add_release("1.1.0")
    for _ in range(2 * ATTEMPTS):
        hindered(device, MemoryShortageError)
        assert device.current().version == "1.0.0"
        assert plane.activated[-1] == "1.0.0"
    assert device.state.refusals() == []
    plane.starved = False
    device.sync()
    assert device.current().version == "1.1.0"


# A busy machine


@pytest.mark.parametrize("failure", [Failure.TIME, Failure.CRASH, Failure.MEMORY, Failure.LOADING, Failure.RUNNING, Failure.SPEED])
def test_a_self_test_may_fail_once_and_refuses_after_the_attempts_of_the_table(
    device: Device, repository: Repository, self_tests: list[SealiftError | Callable[[Path], None] | None], failure: Failure
) -> None:
    self_tests.append(failed(failure))
    hindered(device, SelfTestError)
    assert f"(attempt 1 of {ATTEMPTS})" in device.last_detail("held-up")
    device.sync()
    assert device.current().version == "1.0.0"
    repository.add_release("1.1.0")
    self_tests += [failed(failure)] * ATTEMPTS
    for _ in range(ATTEMPTS - 1):
        hindered(device, SelfTestError)
        assert device.state.refusals() == []
    device.sync()
    assert device.stage() is State.REJECTED
    assert device.current().version == "1.0.0"


@pytest.mark.parametrize("failure", [Failure.OUTPUTS, Failure.DOCUMENT])
def test_wrong_answers_and_wrong_documents_refuse_at_once(
    device: Device, self_tests: list[SealiftError | Callable[[Path], None] | None], failure: Failure
) -> None:
    self_tests.append(failed(failure))
    device.sync()
    assert device.stage() is State.REJECTED


def test_an_update_that_is_held_up_rests_longer_each_time_and_gives_way_to_a_newer_release(
    device: Device, repository: Repository, self_tests: list[SealiftError | Callable[[Path], None] | None]
) -> None:
    self_tests += [SandboxError("did not start")] * 4
    device.updater.refresh()
    rests = []
    for _ in range(4):
        assert device.updater.due() or not device.state.unfinished()
        device.updater.advance(patient=True)
        update = device.state.update("linear")
        assert update
        assert update.retry_at
        assert not device.updater.due()
        assert device.updater.advance(patient=True).problems == (), "nobody tries before it is due"
        rests.append((update.retry_at - device.clock.now()).total_seconds())
        device.clock.advance(rests[-1])
    assert rests == [60, 120, 240, 480]
    device.clock.advance(-(10**7))
    assert device.updater.due(), "a clock that was set back delays nothing"
    self_tests.append(SandboxError("did not start"))
    device.updater.advance()
    repository.add_release("1.1.0")
    device.clock.advance(10**7)
    device.sync()
    assert device.current().version == "1.1.0"


def test_the_same_hindrance_with_other_figures_is_one_event(device: Device, self_tests: list[SealiftError | Callable[[Path], None] | None]) -> None:
    self_tests += [SandboxError(f"{free} bytes free") for free in range(100, 120)]
    for _ in range(20):
        hindered(device)
    assert device.kinds().count("held-up") == 1
    update = device.state.update("linear")
    assert update
    assert update.reason.startswith("119 bytes free"), "but the newest figures are kept"
    assert update.held_since == device.clock.now()


# This device's own disk


@pytest.mark.parametrize("name", ["model.onnx", "bundle.json", "golden.safetensors", "baseline.json"])
def test_a_bundle_damaged_between_its_check_and_its_self_test_is_fetched_again(
    device: Device, self_tests: list[SealiftError | Callable[[Path], None] | None], name: str
) -> None:
    def damage(directory: Path) -> None:
        flip(directory / name, 40)
        raise failed(Failure.DOCUMENT)

    self_tests.append(damage)
    device.sync()
    assert device.current().version == "1.0.0"
    assert name in device.last_detail("damaged")
    assert device.state.refusals() == []


class Damaging(RecordingDataPlane):
    """A data plane that finds what it is to load damaged on the disk, so many times."""

    def __init__(self, times: int, *, whole: bool = False) -> None:
        super().__init__()
        self.times = times
        self.whole = whole

    def follow(self, *arguments: object, **named: object) -> None:
        super().follow(*arguments, **named)  # type: ignore[arg-type]
        model = self.desired.model("linear")
        if self.times and model and model.current and model.current.version == "1.1.0" and self.activated[-1] == "1.1.0":
            self.times -= 1
            if not self.whole:
                flip(model.current.directory / "model.onnx", 40)
            raise IntegrityError("the content was changed", where="model.onnx")


@pytest.mark.parametrize("whole", [False, True])
def test_a_bundle_damaged_between_its_self_test_and_its_activation_is_fetched_again(tmp_path: Path, repository: Repository, whole: bool) -> None:
    device = Device(tmp_path / "home", repository, data_plane=Damaging(1, whole=whole))
    device.sync()
    repository.add_release("1.1.0", description="another")
    if whole:
        hindered(device, IntegrityError)
        assert device.current().version == "1.0.0"
    device.sync()
    assert device.current().version == "1.1.0"
    assert device.state.refusals() == []


def test_a_disk_that_damages_everything_is_not_written_to_for_ever(tmp_path: Path, repository: Repository) -> None:
    plane = Damaging(10**6)
    device = Device(tmp_path / "home", repository, data_plane=plane)
    device.sync()
    repository.add_release("1.1.0", description="another")
    hindered(device, StoreError)
    assert plane.times >= 10**6 - 2
    assert device.current().version == "1.0.0"
    assert device.state.refusals() == []


@contextlib.contextmanager
def unreadable(part: str, number: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A disk that fails to read every file whose descriptor leads to ``part``."""
    read = beneath.hash_rest

    def fail(file: object, max_bytes: int | None = None) -> tuple[str, int]:
        if part in str(Path(f"/proc/self/fd/{file.fileno()}").readlink()):  # type: ignore[attr-defined]
            raise OSError(number, os.strerror(number), part)
        return read(file, max_bytes)  # type: ignore[arg-type]

    with monkeypatch.context() as broken:
        broken.setattr(beneath, "hash_rest", fail)
        yield


def test_a_disk_that_can_not_be_read_holds_up_and_refuses_nothing(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    with unreadable("model.onnx", errno.EACCES, monkeypatch):
        assert "can't be read from this disk" in str(hindered(device, StoreError))
    assert device.state.refusals() == []
    device.sync()
    assert device.current().version == "1.0.0"


def test_a_model_that_the_disk_can_not_read_any_more_is_fetched_anew_and_the_others_are_checked(
    device: Device, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.add_release("1.0.0", name="other", model="text")
    device.sync()
    flip(device.current("other").directory / "model.onnx", 40)
    with unreadable(device.current().directory.name, errno.EIO, monkeypatch):
        device.updater.recover()
    assert device.state.deployment("linear") is None
    assert device.state.deployment("other") is None
    device.sync()
    assert (device.current().version, device.current("other").version) == ("1.0.0", "1.0.0")


# How a refusal ends


def refuse(device: Device, repository: Repository, version: str, self_tests: list[SealiftError | Callable[[Path], None] | None]) -> RefusedRelease:
    repository.add_release(version)
    self_tests.append(failed(Failure.OUTPUTS))
    device.sync()
    return device.state.refusals()[-1]


def test_a_refusal_ends_when_the_channel_names_another_release(
    device: Device, repository: Repository, self_tests: list[SealiftError | Callable[[Path], None] | None]
) -> None:
    device.sync()
    refusal = refuse(device, repository, "1.1.0", self_tests)
    assert refusal.since is not None
    device.sync()
    assert device.current().version == "1.0.0"
    repository.promote("1.0.0")
    device.sync()
    assert device.state.refusals() == []
    assert device.last_detail("refusal-ended") == "the channel names 1.0.0 now"
    repository.promote("1.1.0")
    device.sync()
    assert device.current().version == "1.1.0"


def test_a_person_s_rollback_is_forgotten_by_the_same_rule(device: Device, repository: Repository) -> None:
    device.sync()
    repository.add_release("1.1.0")
    device.sync()
    device.updater.rollback("linear", "complaints")
    device.sync()
    assert device.current().version == "1.0.0"
    repository.add_release("1.2.0", channel="beta")
    repository.promote("1.2.0")
    device.sync()
    assert device.current().version == "1.2.0"
    repository.promote("1.1.0")
    device.sync()
    assert device.current().version == "1.1.0"


def test_what_did_not_fit_the_machine_is_tried_again_on_another_one(tmp_path: Path, repository: Repository) -> None:
    repository.add_release("2.0.0", requires=dataclasses.replace(REQUIRES, onnxruntime=">=99"))
    device = Device(tmp_path / "home", repository)
    device.sync()
    assert device.stage() is State.REJECTED
    device.sync()
    assert device.kinds().count("rejected") == 1
    newer = Device(tmp_path / "home", repository, onnxruntime="99.1")
    newer.updater.refresh()
    newer.updater.advance()
    assert "refusal-ended" in newer.kinds()
    assert device.kinds().count("found") == 2


def test_what_a_person_rolled_back_stays_refused_on_any_machine(tmp_path: Path, repository: Repository) -> None:
    device = Device(tmp_path / "home", repository)
    device.sync()
    repository.add_release("1.1.0")
    device.sync()
    device.updater.rollback("linear", "complaints")
    machine = dataclasses.replace(device.updater._context.machine, cpu_flags=frozenset({"another"}))
    Device(tmp_path / "home", repository, machine=machine).sync()
    assert device.current().version == "1.0.0"


def test_the_time_of_a_refusal_that_an_older_agent_made_is_found_in_the_ledger(device: Device, repository: Repository) -> None:
    repository.add_release("2.0.0", profile=make_profile("big", minimum_memory_mb=2**40))
    device.sync()
    device.state._write("DROP TABLE refusal_facts")
    device.state.close()
    again = Device(device.home, repository)
    assert again.state.refusals()[0].since == repository.now
    assert POLICY.retry_s == 60
    assert datetime.timedelta(seconds=POLICY.longest_retry_s) == datetime.timedelta(minutes=15)


def test_an_activation_that_was_cut_off_goes_on_at_once_since_the_new_version_may_serve(
    device: Device, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    device.sync()
    repository.add_release("1.1.0")

    def cut_off(*_: object) -> None:
        raise TransportError("the data plane doesn't answer")

    with monkeypatch.context() as killed:
        killed.setattr(device.data_plane, "follow", cut_off)
        device.updater.refresh()
        device.updater.advance()
    assert device.stage() is State.ACTIVATING
    assert device.updater.due()
    device.updater.advance(patient=True)
    assert device.stage() is State.PROBATION
