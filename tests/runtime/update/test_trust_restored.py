"""What a device trusts after its disk damaged that: as much as can be proven again, and nothing older than before."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from tuf.api.metadata import Metadata

from sealift_core.errors import IntegrityError, RollbackRefusedError, SealiftError
from sealift_core.messages.roles import CHANNELS, ROOT, SNAPSHOT, TARGETS, TIMESTAMP
from sealift_runtime.transport.directory import DirectoryTransport
from support.devices import Device
from support.repositories import DAY, Repository, flip


@pytest.fixture
def followed(device: Device, repository: Repository, tmp_path: Path) -> dict[str, int]:
    """The floors of a device that followed two new roots, one of which replaced the key of timestamp; what it had before is in ``last-week``."""
    (device.home / "root.json").write_bytes(repository.trusted_root())
    device.updater.refresh()
    repository.replace_key(TIMESTAMP)
    repository.publish_root()
    repository.publish_targets()
    shutil.copytree(repository.directory, tmp_path / "last-week")
    repository.now += DAY
    repository.publish_targets()
    device.clock.set(repository.now)
    device.updater.refresh()
    floors = dict(device.updater.trust.load().state.versions)
    assert floors[ROOT] == 3
    return floors


def damage(device: Device, pattern: str) -> None:
    for path in (device.home / "trust").glob(pattern):
        flip(path, 20)


def no_chain(device: Device) -> None:
    """As a home that an earlier agent wrote."""
    for path in (device.home / "trust").glob("chain.*.json"):
        path.unlink()


def test_a_damaged_root_is_restored_without_a_network_and_every_floor_stays(device: Device, followed: dict[str, int]) -> None:
    damage(device, "root.*.json")
    restored = device.updater.trust.load()
    assert restored.state.files[ROOT] == (device.home / "trust" / "chain.3.json").read_bytes()
    assert restored.state.versions == followed
    assert [path.name.partition(".")[0] for path in restored.damaged] == ["root"]
    device.updater.refresh()
    assert device.updater.trust.load().damaged == ()
    assert "trusted metadata was changed on this disk" in device.last_detail("damaged")


@pytest.mark.parametrize("lost", ["chain.3.json", "chain.*.json"])
def test_roots_that_are_damaged_too_come_from_the_repository_and_no_floor_is_lost_by_that(
    device: Device, followed: dict[str, int], tmp_path: Path, lost: str
) -> None:
    damage(device, "root.*.json")
    damage(device, lost)
    older = device.reading_from(lambda: DirectoryTransport(tmp_path / "last-week"))
    with pytest.raises(RollbackRefusedError, match="timestamp"):
        older.refresh()
    device.updater.refresh()
    assert device.updater.trust.load().state.versions == followed


def test_a_repository_without_the_newest_root_is_refused_once_that_was_lost(device: Device, followed: dict[str, int], repository: Repository) -> None:
    assert followed[ROOT] == 3
    damage(device, "root.*.json")
    no_chain(device)
    (repository.metadata / "3.root.json").rename(repository.metadata / "gone")
    with pytest.raises(RollbackRefusedError, match="the root metadata is older than what this device already trusts"):
        device.updater.refresh()
    (repository.metadata / "gone").rename(repository.metadata / "3.root.json")
    device.updater.refresh()


@pytest.mark.parametrize("content", [None, b"", b"{", b"null"])
def test_a_damaged_record_is_made_anew_from_the_files_beside_it(
    device: Device, followed: dict[str, int], tmp_path: Path, content: bytes | None
) -> None:
    record = device.home / "trust" / "state.json"
    if content is None:
        record.unlink()
    else:
        record.write_bytes(content)
    assert device.updater.trust.load().state.versions == followed
    with pytest.raises(RollbackRefusedError):
        device.reading_from(lambda: DirectoryTransport(tmp_path / "last-week")).refresh()
    device.updater.refresh()
    assert json.loads(record.read_bytes())["versions"] == followed


def test_a_record_that_nothing_can_replace_is_an_error(device: Device, followed: dict[str, int]) -> None:
    assert followed
    (device.home / "trust" / "state.json").write_bytes(b"")
    damage(device, "timestamp.*.json")
    with pytest.raises(IntegrityError, match="the record of what this device trusts is damaged"):
        device.updater.refresh()


@pytest.mark.parametrize("failing", [SNAPSHOT, TARGETS, CHANNELS])
def test_what_was_verified_is_kept_when_a_later_role_fails(device: Device, repository: Repository, tmp_path: Path, failing: str) -> None:
    shutil.copytree(repository.directory, tmp_path / "last-week")
    device.updater.refresh()
    before = dict(device.updater.trust.load().state.versions)
    repository.publish_targets()
    metadata: Metadata[Any] = getattr(repository, failing)
    (repository.metadata / f"{metadata.signed.version}.{failing}.json").write_bytes(b"{}")
    with pytest.raises(SealiftError):
        device.updater.refresh()
    after = device.updater.trust.load().state.versions
    assert after[TIMESTAMP] == before[TIMESTAMP] + 1
    assert after[SNAPSHOT] == before[SNAPSHOT] + 1
    assert (after[TARGETS] > before[TARGETS]) is (failing != SNAPSHOT)
    with pytest.raises(RollbackRefusedError):
        device.reading_from(lambda: DirectoryTransport(tmp_path / "last-week")).refresh()
