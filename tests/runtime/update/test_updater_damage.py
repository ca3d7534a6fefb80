"""What is damaged on the device itself gives way, is fetched anew, and is never loaded."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sealift_core.errors import (
    IntegrityError,
    RollbackRefusedError,
)
from sealift_runtime.transport.directory import DirectoryTransport
from sealift_runtime.update.installed import check_installed
from support.devices import Device
from support.repositories import Repository, flip


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
    assert device.data_plane.activated[-1] == "1.0.0"
    assert name in device.last_detail("damaged")
    device.sync()
    assert device.current().version == "1.1.0", "it is fetched again"
    check_installed(device.store, device.current())


def test_the_only_bundle_damaged_on_this_disk_is_fetched_anew(device: Device) -> None:
    device.sync()
    flip(device.current().directory / "model.onnx", 50)
    device.updater.recover()
    assert device.state.deployment("linear") is None, "what is damaged is never loaded"
    assert device.data_plane.activated[-1] is None
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
    assert device.data_plane.activated == ["1.0.0"]
    assert "damaged" not in device.kinds()


def test_damaged_metadata_on_this_disk_is_fetched_anew_and_still_refuses_older(device: Device, repository: Repository, tmp_path: Path) -> None:
    shutil.copytree(repository.directory, tmp_path / "last-week")
    repository.add_release("1.1.0")
    device.sync()
    for path in (device.home / "trust").glob("timestamp.*.json"):
        flip(path, 20)
    old = device.reading_from(lambda: DirectoryTransport(tmp_path / "last-week"))
    with pytest.raises(RollbackRefusedError):
        old.refresh()
    assert "trusted metadata was changed" in device.last_detail("damaged")
    device.sync()
    assert device.current().version == "1.1.0"


def test_a_damaged_root_without_another_to_restore_it_from_is_an_error_that_says_so(device: Device) -> None:
    for path in (device.home / "trust").glob("*.json"):
        if path.name != "state.json":
            flip(path, 20)
    with pytest.raises(IntegrityError, match="the trusted root is damaged, and so is the one to restore it from"):
        device.updater.refresh()
