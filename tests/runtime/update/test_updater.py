"""The updater from a channel to what serves, with a real repository, real bundles and the real self-test."""

from __future__ import annotations

import dataclasses
import datetime
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sealift_runtime.bundle.digest import Digest
from sealift_runtime.bundle.golden import GoldenCase
from sealift_runtime.bundle.manifest import Requirements
from sealift_runtime.errors import (
    BusyError,
    ConfigurationError,
    DiskFullError,
    ExpiredError,
    IntegrityError,
    RollbackRefusedError,
    SealiftError,
    TransportError,
    TrustError,
    UpdateError,
)
from sealift_runtime.signing.keys import PrivateKey
from sealift_runtime.transport.base import Transport
from sealift_runtime.transport.directory import DirectoryTransport
from sealift_runtime.transport.http import HttpSettings, HttpTransport
from sealift_runtime.update.installed import check_installed
from sealift_runtime.update.lock import HomeLock
from sealift_runtime.update.policy import Subscription
from sealift_runtime.update.records import ServingCounters
from sealift_runtime.update.table import State
from support.devices import POLICY, Device
from support.models import CORPUS, MODELS, make_manifest, make_profile
from support.repositories import DAY, Repository, flip, snapshot_of
from support.static_server import serve_directory

WRONG = [GoldenCase(inputs=dict(MODELS["linear"].requests[0]), outputs={"scores": np.zeros((1, 3), np.float32), "label": np.zeros(1, np.int64)})]


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    repository = Repository(tmp_path / "repository")
    repository.add_release("1.0.0")
    return repository


@pytest.fixture
def device(tmp_path: Path, repository: Repository) -> Device:
    return Device(tmp_path / "home", repository)


def state_of(device: Device, name: str = "linear") -> State:
    update = device.state.update(name)
    assert update
    return update.state


def test_a_release_goes_from_the_channel_to_committed(device: Device) -> None:
    device.sync()
    assert state_of(device) is State.COMMITTED
    assert device.current().version == "1.0.0"
    check_installed(device.store, device.current())
    assert device.server.activated == ["1.0.0"]
    assert device.kinds() == ["found", "activated", "installed"]
    device.state.verify_ledger()


def test_with_nothing_new_nothing_happens(device: Device) -> None:
    device.sync()
    before = snapshot_of(device.home / "bundles")
    device.sync()
    assert device.kinds() == ["found", "activated", "installed"]
    assert device.server.activated == ["1.0.0"]
    assert snapshot_of(device.home / "bundles") == before


def test_a_new_version_takes_over_and_the_old_one_stays_at_hand(device: Device, repository: Repository) -> None:
    device.sync()
    repository.add_release("1.1.0")
    device.sync()
    deployment = device.state.deployment("linear")
    assert deployment
    assert deployment.previous
    assert (device.current().version, deployment.previous.version) == ("1.1.0", "1.0.0")
    check_installed(device.store, deployment.previous)


def test_a_third_version_lets_the_first_go(device: Device, repository: Repository) -> None:
    device.sync()
    first = device.current()
    for version in ("1.1.0", "1.2.0"):
        repository.add_release(version)
        device.sync()
    device.updater.collect_garbage()
    assert not first.directory.exists()
    assert not device.store.layout.has(first.digest)
    assert len(list(device.store.bundles.iterdir())) == 2


def test_a_channel_may_go_back_to_an_older_version(device: Device, repository: Repository) -> None:
    device.sync()
    repository.add_release("1.1.0")
    device.sync()
    repository.promote("1.0.0")
    device.sync()
    assert device.current().version == "1.0.0"


def test_a_release_outside_of_the_channel_is_not_installed(device: Device, repository: Repository) -> None:
    repository.add_release("2.0.0", channel="beta")
    device.sync()
    assert device.current().version == "1.0.0"


def test_only_the_models_that_a_device_subscribes_to_are_installed(tmp_path: Path, repository: Repository) -> None:
    repository.add_release("1.0.0", name="other")
    device = Device(tmp_path / "home", repository, subscription=Subscription(models=frozenset({"other"})))
    device.sync()
    assert [row.name for row in device.state.deployments()] == ["other"]


def test_a_model_that_the_channel_lacks_is_named(tmp_path: Path, repository: Repository) -> None:
    device = Device(tmp_path / "home", repository, subscription=Subscription(models=frozenset({"lineal"})))
    with pytest.raises(UpdateError, match="doesn't name a model.*expected one of linear, found lineal"):
        device.sync()


def test_a_device_without_root_of_trust_says_what_to_do(device: Device) -> None:
    shutil.rmtree(device.home / "trust")
    with pytest.raises(ConfigurationError, match="Enrol it"):
        device.updater.refresh()


def test_a_device_is_enrolled_once(device: Device, repository: Repository) -> None:
    with pytest.raises(ConfigurationError, match="already has a root of trust"):
        device.updater.trust.enrol(repository.trusted_root())


def test_a_failed_self_test_rejects_and_never_activates(device: Device, repository: Repository) -> None:
    device.sync()
    repository.add_release("1.1.0", cases=WRONG)
    device.sync()
    assert state_of(device) is State.REJECTED
    assert device.current().version == "1.0.0"
    assert device.server.activated == ["1.0.0"]
    assert "wrong outputs" in device.last_detail("rejected")


def test_what_was_rejected_is_not_tried_again_until_told(device: Device, repository: Repository) -> None:
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
        ({"requires": dataclasses.replace(REQUIRES, onnxruntime=">=99")}, "onnxruntime >=99 is needed"),
        ({"requires": dataclasses.replace(REQUIRES, onnxruntime="latest")}, "not a version range"),
        ({"requires": dataclasses.replace(REQUIRES, cpu_flags=("warp",))}, "The processor lacks warp."),
        ({"requires": dataclasses.replace(REQUIRES, memory_bytes=2**60)}, f"{2**60} bytes of memory are needed"),
        ({"requires": dataclasses.replace(REQUIRES, disk_bytes=2**60)}, f"{2**60} bytes of disk are needed"),
        ({"profile": make_profile("big", minimum_memory_mb=2**40)}, "no bundle fits this machine"),
        ({"version": "2.0.0", "key": PrivateKey.generate()}, "model.sig"),
    ],
)
def test_what_does_not_fit_is_rejected_with_the_reason(device: Device, repository: Repository, changes: dict[str, Any], message: str) -> None:
    repository.add_release(**({"version": "2.0.0"} | changes))
    device.sync()
    assert state_of(device) is State.REJECTED
    assert message in device.last_detail("rejected")
    assert device.state.deployment("linear") is None


def test_a_bundle_for_another_architecture_is_rejected(tmp_path: Path, repository: Repository) -> None:
    there = make_manifest().profile.cpu.arch
    machine = dataclasses.replace(Device(tmp_path / "probe", repository).updater._context.machine, arch="aarch64" if there == "x86_64" else "x86_64")
    device = Device(tmp_path / "home", repository, machine=machine)
    device.sync()
    assert "no bundle for this architecture" in device.last_detail("rejected")


def test_a_data_plane_that_can_not_serve_it_gets_the_old_one_back(device: Device, repository: Repository) -> None:
    device.sync()
    repository.add_release("1.1.0")
    device.server.refuses = {"1.1.0"}
    device.sync()
    assert device.server.activated == ["1.0.0", "1.1.0", "1.0.0"]
    assert device.current().version == "1.0.0"
    assert state_of(device) is State.ROLLED_BACK
    assert "it can't be served" in device.last_detail("rolled-back")


def test_a_first_version_that_can_not_serve_leaves_no_model(device: Device) -> None:
    device.server.refuses = {"1.0.0"}
    device.sync()
    assert device.state.deployment("linear") is None
    assert device.server.activated == ["1.0.0", None]


def test_a_breach_during_probation_rolls_back_at_once(device: Device, repository: Repository) -> None:
    device.sync()
    repository.add_release("1.1.0")
    device.server.counts = ServingCounters(requests=1000, failures=1)
    device.updater.refresh()
    device.updater.advance()
    assert state_of(device) is State.PROBATION
    device.server.counts = ServingCounters(requests=1100, failures=51)
    device.updater.advance()
    assert state_of(device) is State.ROLLED_BACK
    assert device.current().version == "1.0.0"
    assert device.last_detail("rolled-back") == "50 of 100 requests failed, 0.1% with the previous version."


def test_a_clock_that_is_set_back_starts_the_probation_anew(device: Device) -> None:
    device.updater.refresh()
    device.updater.advance()
    device.clock.advance(-3600)
    advanced = device.updater.advance()
    assert state_of(device) is State.PROBATION
    assert advanced.wait_until == device.clock.now() + datetime.timedelta(seconds=POLICY.probation.duration_s)


def test_a_person_can_go_back(device: Device, repository: Repository) -> None:
    device.sync()
    repository.add_release("1.1.0")
    device.sync()
    device.updater.rollback("linear", "complaints from the line")
    assert device.current().version == "1.0.0"
    assert device.server.activated[-1] == "1.0.0"
    assert device.last_detail("rolled-back") == "complaints from the line"
    device.sync()
    assert device.current().version == "1.0.0", "the channel still names 1.1.0, but it is refused"
    with pytest.raises(UpdateError, match="nothing to go back to"):
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


@pytest.mark.parametrize(("name", "version"), [("unknown", "1.0.0"), ("linear", "9.9.9")])
def test_a_channel_that_names_an_unknown_release_is_refused_and_recorded(device: Device, repository: Repository, name: str, version: str) -> None:
    device.sync()
    repository.promote(version, name=name)
    for _ in range(2):
        with pytest.raises(TrustError, match=f"releases/{name}/{version}"):
            device.updater.refresh()
    assert device.kinds().count("refused") == 1
    assert f"releases/{name}/{version}" in device.last_detail("refused")
    assert device.current().version == "1.0.0"


def test_last_weeks_metadata_is_refused_and_recorded(device: Device, repository: Repository, tmp_path: Path) -> None:
    shutil.copytree(repository.directory, tmp_path / "last-week")
    repository.now += 7 * DAY
    repository.add_release("1.1.0")
    device.clock.set(repository.now)
    device.sync()
    medium = device.updater.reading_from(lambda: DirectoryTransport(tmp_path / "last-week"))
    with pytest.raises(RollbackRefusedError, match=r"metadata/timestamp.json: older timestamp metadata.*version 3 or newer, found version 2"):
        medium.refresh()
    assert "metadata/timestamp.json" in device.last_detail("refused")
    assert device.current().version == "1.1.0"


def test_stale_metadata_warns_and_too_stale_metadata_installs_nothing_new(device: Device, repository: Repository) -> None:
    device.clock.advance(20 * DAY.total_seconds())
    for _ in range(2):
        assert "expired" in str(device.updater.refresh())
    assert device.kinds().count("stale") == 1
    device.sync()
    repository.add_release("1.1.0")
    device.clock.advance(40 * DAY.total_seconds())
    with pytest.raises(ExpiredError):
        device.updater.refresh()
    assert isinstance(device.updater.advance().problems[0], ExpiredError)
    assert device.current().version == "1.0.0"


def test_a_clock_that_ran_ahead_does_not_stay_ahead(device: Device, repository: Repository) -> None:
    device.clock.advance(10_000 * DAY.total_seconds())
    with pytest.raises(ExpiredError):
        device.updater.refresh()
    device.clock.set(repository.now)
    device.sync()
    assert device.current().version == "1.0.0"


def test_a_device_without_clock_lives_by_what_was_signed(device: Device) -> None:
    device.clock.set(datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC))
    device.sync()
    assert device.current().version == "1.0.0"


def _files(repository: Repository) -> list[str]:
    newest = repository.snapshot.signed.version
    metadata = [f"metadata/{name}.json" for name in ("timestamp", f"{newest}.snapshot", f"{newest}.targets", f"{newest}.channels")]
    return metadata + sorted(f"blobs/sha256/{path.name}" for path in repository.layout.blobs.iterdir())


def test_one_flipped_bit_in_any_file_is_refused_by_name_and_the_old_version_stays(device: Device, repository: Repository, tmp_path: Path) -> None:
    device.sync()
    here = {path.name for path in device.store.layout.blobs.iterdir()}
    repository.add_release("1.1.0")
    tampered = [path for path in _files(repository) if Path(path).name not in here]
    assert len(tampered) > 9
    for path in tampered:
        mirror, home = tmp_path / "mirror", tmp_path / "copy"
        shutil.copytree(repository.directory, mirror)
        shutil.copytree(device.home, home)
        flip(mirror / path, 1000)
        other = Device(home, repository, transport=lambda mirror=mirror: DirectoryTransport(mirror))  # type: ignore[misc]
        with pytest.raises(SealiftError) as caught:
            other.sync()
        name = Path(path).name
        role = ".".join(name.split(".")[-2:])
        assert name in str(caught.value) or role in str(caught.value), path
        assert name in other.last_detail("refused") or role in other.last_detail("refused"), path
        assert other.current().version == "1.0.0"
        check_installed(other.store, other.current())
        other.state.close()
        shutil.rmtree(mirror)
        shutil.rmtree(home)


def test_a_mended_mirror_is_used_at_once(device: Device, repository: Repository) -> None:
    graph = repository.layout.path(Digest.of_file(CORPUS / "linear" / "model.onnx"))
    flip(graph, 100)
    for _ in range(2):
        with pytest.raises(IntegrityError):
            device.sync()
    assert state_of(device) is State.FETCHING
    assert device.kinds() == ["found", "refused"], "the same refusal is recorded once"
    flip(graph, 100)
    device.sync()
    assert device.current().version == "1.0.0"


def test_a_line_that_breaks_holds_the_update_up_and_no_longer(tmp_path: Path, repository: Repository) -> None:
    with serve_directory(repository.directory) as server:
        transport = HttpTransport(server.url, settings=HttpSettings(attempts=1))
        device = Device(tmp_path / "home", repository, transport=lambda: transport)
        device.updater.refresh()
        server.faults.cut_after_bytes = [10]
        advanced = device.updater.advance()
        assert isinstance(advanced.problems[0], TransportError)
        assert "held-up" in device.kinds()
        device.sync()
        transport.close()
    assert device.current().version == "1.0.0"


def test_a_full_disk_holds_the_update_up_with_numbers(tmp_path: Path, repository: Repository) -> None:
    device = Device(tmp_path / "home", repository)
    device.updater.refresh()
    full = Device(tmp_path / "home", repository, policy=dataclasses.replace(POLICY, reserve_bytes=2**60))
    advanced = full.updater.advance()
    assert isinstance(advanced.problems[0], DiskFullError)
    assert str(2**60) in full.last_detail("held-up")
    device.sync()
    assert device.current().version == "1.0.0"


def test_two_updaters_can_not_work_on_one_home(device: Device, repository: Repository, tmp_path: Path) -> None:
    other = Device(device.home, repository)
    with device.updater.hold():
        device.updater.refresh()
        for act in (other.updater.refresh, other.updater.advance, other.updater.recover, other.updater.collect_garbage):
            with pytest.raises(BusyError, match="update.lock"):
                act()
    other.sync()


def test_the_lock_of_a_dead_process_is_free(tmp_path: Path) -> None:
    code = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from sealift_runtime.update.lock import HomeLock\n"
        "with HomeLock(Path(sys.argv[1])).hold():\n    print('held', flush=True)\n    time.sleep(60)\n"
    )
    path = tmp_path / "lock"
    with subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(BusyError), HomeLock(path).hold():
            pass
        holder.kill()
    with HomeLock(path).hold():
        pass


@pytest.mark.parametrize("name", ["model.onnx", "bundle.json", "golden.safetensors", "model.sig", "MODEL_CARD.md", "baseline.json"])
def test_a_bundle_damaged_on_this_disk_gives_way_to_the_previous_one(device: Device, repository: Repository, name: str) -> None:
    device.sync()
    repository.add_release("1.1.0", description="another")
    device.sync()
    if name in ("bundle.json", "model.sig"):
        flip(device.current().directory / name, 300)
    else:
        (device.current().directory / name).unlink()
        (device.current().directory / name).write_bytes(b"other")
    device.updater.recover()
    assert device.current().version == "1.0.0"
    assert device.server.activated[-1] == "1.0.0"
    assert name in device.last_detail("damaged")
    device.sync()
    assert device.current().version == "1.1.0", "it is fetched anew"
    check_installed(device.store, device.current())


def test_the_only_bundle_damaged_on_this_disk_is_fetched_anew(device: Device) -> None:
    device.sync()
    flip(device.current().directory / "model.onnx", 50)
    device.updater.recover()
    assert device.state.deployment("linear") is None, "what is damaged is never loaded"
    assert device.server.activated[-1] is None
    device.sync()
    check_installed(device.store, device.current())


def test_a_damaged_store_is_noticed_as_well(device: Device) -> None:
    device.sync()
    flip(device.store.layout.path(device.current().digest), 50)
    device.updater.recover()
    assert device.state.deployment("linear") is None
    assert "blobs/sha256/" in device.last_detail("damaged")
    device.sync()
    check_installed(device.store, device.current())


def test_what_is_whole_is_left_alone(device: Device) -> None:
    device.sync()
    device.updater.recover()
    assert device.server.activated == ["1.0.0"]
    assert "damaged" not in device.kinds()


def test_damaged_metadata_on_this_disk_is_fetched_anew_and_still_refuses_older(device: Device, repository: Repository, tmp_path: Path) -> None:
    shutil.copytree(repository.directory, tmp_path / "last-week")
    repository.add_release("1.1.0")
    device.sync()
    for path in (device.home / "trust").glob("timestamp.*.json"):
        flip(path, 20)
    old = device.updater.reading_from(lambda: DirectoryTransport(tmp_path / "last-week"))
    with pytest.raises(RollbackRefusedError):
        old.refresh()
    assert "trusted metadata was changed" in device.last_detail("damaged")
    device.sync()
    assert device.current().version == "1.1.0"


def test_a_damaged_root_is_an_error_that_says_so(device: Device) -> None:
    for path in (device.home / "trust").glob("root.*.json"):
        flip(path, 20)
    with pytest.raises(IntegrityError, match="the trusted root is damaged"):
        device.updater.refresh()


def test_a_newer_wish_replaces_an_update_that_is_not_running_yet(device: Device, repository: Repository) -> None:
    graph = repository.layout.path(Digest.of_file(CORPUS / "linear" / "model.onnx"))
    flip(graph, 100)
    device.updater.refresh()
    device.updater.advance()
    assert state_of(device) is State.FETCHING
    flip(graph, 100)
    repository.add_release("1.1.0")
    device.sync()
    assert device.current().version == "1.1.0"
    deployment = device.state.deployment("linear")
    assert deployment
    assert deployment.previous is None


def test_a_transport_is_made_only_when_something_is_to_be_fetched(device: Device) -> None:
    device.sync()

    def none() -> Transport:
        raise AssertionError

    device.updater.reading_from(none).recover()
