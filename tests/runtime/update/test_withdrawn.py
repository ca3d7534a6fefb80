"""What was withdrawn, or taken from the channel: nobody begins it, nobody goes on with it, and whoever runs it keeps it."""

from __future__ import annotations

import shutil

import pytest

from sealift_core.errors import SealiftError
from sealift_runtime.transport.directory import DirectoryTransport
from sealift_runtime.update.table import State
from support.devices import Device
from support.repositories import Repository, flip


def begin(device: Device, repository: Repository, version: str) -> None:
    """Publish a version whose files don't come, so that its update is begun and held up."""
    before = set(repository.layout.blobs.iterdir())
    repository.add_release(version)
    device.updater.refresh()
    away = repository.directory.with_name("away")
    away.mkdir(exist_ok=True)
    moved = [path for path in repository.layout.blobs.iterdir() if path not in before]
    for path in moved:
        shutil.move(path, away / path.name)
    assert device.updater.advance().problems
    for path in moved:
        shutil.move(away / path.name, path)
    assert device.stage() is State.CHECKING


@pytest.mark.parametrize("then", ["withdraw", "promote"])
def test_an_update_under_way_ends_when_its_release_is_withdrawn_or_the_channel_goes_back(device: Device, repository: Repository, then: str) -> None:
    device.sync()
    begin(device, repository, "1.1.0")
    if then == "withdraw":
        repository.withdraw("1.1.0")
    else:
        repository.promote("1.0.0")
    device.sync()
    assert device.current().version == "1.0.0"
    assert device.state.update("linear") is None
    assert device.last_detail("abandoned") == "the channel stable no longer names it"
    assert "1.1.0" not in device.data_plane.activated


def test_a_first_install_under_way_ends_when_its_release_is_withdrawn(device: Device, repository: Repository) -> None:
    begin(device, repository, "1.1.0")
    repository.withdraw("1.1.0")
    device.sync()
    assert device.state.deployments() == []
    assert device.state.unfinished() == []


def test_a_version_that_runs_stays_when_it_is_withdrawn_and_is_told_once(device: Device, repository: Repository) -> None:
    device.sync()
    repository.withdraw("1.0.0")
    device.sync()
    device.sync()
    assert device.current().version == "1.0.0"
    assert device.kinds().count("withdrawn") == 1


def test_a_withdrawn_version_that_runs_gives_way_when_the_channel_names_another(device: Device, repository: Repository) -> None:
    device.sync()
    repository.withdraw("1.0.0")
    device.sync()
    repository.add_release("1.1.0")
    device.sync()
    assert device.current().version == "1.1.0"
    device.sync()
    assert device.state.setting("withdrawn") is None


def test_what_runs_is_repaired_though_the_channel_no_longer_names_it(device: Device, repository: Repository) -> None:
    device.sync()
    repository.withdraw("1.0.0")
    device.sync()
    flip(device.current().directory / "model.onnx", 100)
    device.updater.recover()
    assert device.stage() is State.CHECKING
    device.sync()
    assert device.current().version == "1.0.0"


def test_no_mirror_of_the_day_before_brings_a_withdrawn_release(device: Device, repository: Repository) -> None:
    device.sync()
    repository.add_release("1.1.0")
    yesterday = repository.directory.with_name("yesterday")
    shutil.copytree(repository.directory, yesterday)
    repository.withdraw("1.1.0")
    device.sync()
    old = device.reading_from(lambda: DirectoryTransport(yesterday))
    with pytest.raises(SealiftError, match="older than what this device already trusts"):
        old.refresh()
    old.advance()
    assert device.current().version == "1.0.0"
