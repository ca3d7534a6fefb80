"""The updater from a channel to what serves, with a real repository, real bundles and the real self-test."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from sealift_core.bundle.digest import Digest
from sealift_core.errors import (
    BusyError,
    DiskFullError,
    TransportError,
    UpdateError,
)
from sealift_runtime.transport.base import Transport
from sealift_runtime.transport.http import HttpSettings, HttpTransport
from sealift_runtime.update.installed import check_installed
from sealift_runtime.update.lock import HomeLock
from sealift_runtime.update.policy import Subscription
from sealift_runtime.update.table import State
from support.devices import POLICY, Device
from support.models import CORPUS
from support.repositories import Repository, flip, snapshot_of
from support.static_server import serve_directory


def test_a_release_goes_from_the_channel_to_committed(device: Device) -> None:
    device.sync()
    assert device.stage() is State.COMMITTED
    assert device.current().version == "1.0.0"
    check_installed(device.store, device.current())
    assert device.data_plane.activated == ["1.0.0"]
    assert device.kinds() == ["found", "activated", "installed"]
    device.state.verify_ledger()


def test_with_nothing_new_nothing_happens(device: Device) -> None:
    device.sync()
    before = snapshot_of(device.home / "bundles")
    device.sync()
    assert device.kinds() == ["found", "activated", "installed"]
    assert device.data_plane.activated == ["1.0.0"]
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
    assert [deployment.name for deployment in device.state.deployments()] == ["other"]


def test_a_model_that_the_channel_lacks_is_named(tmp_path: Path, repository: Repository) -> None:
    device = Device(tmp_path / "home", repository, subscription=Subscription(models=frozenset({"lineal"})))
    with pytest.raises(UpdateError, match="lacks a model.*expected one of linear, found lineal"):
        device.sync()


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


def test_a_newer_wish_replaces_an_update_that_is_not_running_yet(device: Device, repository: Repository) -> None:
    graph = repository.layout.path(Digest.of_file(CORPUS / "linear" / "model.onnx"))
    flip(graph, 100)
    device.updater.refresh()
    device.updater.advance()
    assert device.stage() is State.FETCHING
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

    device.reading_from(none).recover()
