"""A kit that was built for some models only: the rest isn't begun, isn't an error, and is told once."""

from __future__ import annotations

import pytest

from sealift_core.bundle.digest import Digest
from sealift_core.messages.kit import KitContents
from sealift_runtime.update.table import State
from support.devices import Device
from support.repositories import Repository


def release_index(repository: Repository, name: str) -> Digest:
    target = repository.targets.signed.targets[f"releases/{name}/1.0.0"]
    return Digest(target.hashes["sha256"])


@pytest.fixture
def kit(repository: Repository) -> Repository:
    """A repository with two models in the channel, one of them without blobs, as kit.json says."""
    repository.add_release("1.0.0", name="second")
    repository.layout.path(release_index(repository, "second")).rename(repository.directory / "second-index")
    (repository.directory / "kit.json").write_bytes(KitContents(channels=("stable",), releases=(("linear", "1.0.0"),)).to_bytes())
    return repository


def test_what_the_kit_has_is_installed_and_the_rest_is_told_once(device: Device, kit: Repository) -> None:
    for _ in range(3):
        device.sync()  # raises a problem, if there is one
    assert kit.directory.exists()
    assert device.current().version == "1.0.0"
    assert device.state.update("second") is None
    assert device.kinds().count("left-out") == 1
    assert device.last_detail("left-out") == "the kit was built without it"


def test_a_later_medium_that_has_it_brings_it(device: Device, kit: Repository) -> None:
    device.sync()
    (kit.directory / "second-index").rename(kit.layout.path(release_index(kit, "second")))
    (kit.directory / "kit.json").unlink()
    device.sync()
    assert device.current("second").version == "1.0.0"
    assert device.state.setting("left-out") is None


def test_an_update_that_another_place_began_waits_while_a_kit_has_something_else(device: Device, kit: Repository) -> None:
    contents = (kit.directory / "kit.json").read_bytes()
    (kit.directory / "kit.json").unlink()
    device.updater.refresh()
    assert device.updater.advance().problems  # a whole repository must have it
    (kit.directory / "kit.json").write_bytes(contents)
    assert device.updater.advance().problems == ()
    assert device.stage("second") is State.CHECKING


@pytest.mark.parametrize("data", [b"<html>not here</html>", b'{"schema": "sealift.kit/1", "releases": 3}'])
def test_a_kit_json_that_cant_be_read_excuses_nothing(device: Device, kit: Repository, data: bytes) -> None:
    (kit.directory / "kit.json").write_bytes(data)
    device.updater.refresh()
    (problem,) = device.updater.advance().problems
    assert "blobs/sha256" in str(problem)
    assert device.current().version == "1.0.0"
