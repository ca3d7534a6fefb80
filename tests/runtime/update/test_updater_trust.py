"""What the updater refuses to believe: unknown releases, old and stale metadata, flipped bits, clocks that are wrong."""

from __future__ import annotations

import datetime
import shutil
from pathlib import Path

import pytest

from sealift_core.bundle.digest import Digest
from sealift_core.errors import (
    ConfigurationError,
    ExpiredError,
    IntegrityError,
    RollbackRefusedError,
    SealiftError,
    TrustError,
)
from sealift_runtime.transport.directory import DirectoryTransport
from sealift_runtime.update.installed import check_installed
from sealift_runtime.update.table import State
from support.devices import Device
from support.models import CORPUS
from support.repositories import DAY, Repository, flip


def test_a_device_without_root_of_trust_says_what_to_do(device: Device) -> None:
    shutil.rmtree(device.home / "trust")
    with pytest.raises(ConfigurationError, match="Run sealift-agent init with --root"):
        device.updater.refresh()


def test_a_device_is_enrolled_once(device: Device, repository: Repository) -> None:
    with pytest.raises(ConfigurationError, match="already has a root of trust"):
        device.updater.trust.enrol(repository.trusted_root())


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


def test_another_sites_repository_is_named_as_that(device: Device, repository: Repository, tmp_path: Path) -> None:
    device.sync()
    other = Repository(tmp_path / "other-site")
    other.add_release("1.1.0")
    medium = device.reading_from(lambda: DirectoryTransport(other.directory))
    with pytest.raises(
        TrustError, match=r"other-site, metadata/1.root.json: this is another repository.*kit of another site.*expected root of trust"
    ):
        medium.refresh()
    assert device.current().version == "1.0.0"


def test_damaged_metadata_of_the_own_repository_isnt_called_another_one(device: Device, repository: Repository) -> None:
    device.sync()
    (repository.metadata / "timestamp.json").write_text("{}")
    with pytest.raises(TrustError) as caught:
        device.updater.refresh()
    assert "another repository" not in str(caught.value)


def test_last_weeks_metadata_is_refused_and_recorded(device: Device, repository: Repository, tmp_path: Path) -> None:
    shutil.copytree(repository.directory, tmp_path / "last-week")
    repository.now += 7 * DAY
    repository.add_release("1.1.0")
    device.clock.set(repository.now)
    device.sync()
    medium = device.reading_from(lambda: DirectoryTransport(tmp_path / "last-week"))
    with pytest.raises(
        RollbackRefusedError,
        match=r"metadata/timestamp.json: the timestamp metadata is older than what this device already trusts.*version 3 or newer, found version 2",
    ):
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
    stored = {path.name for path in device.store.layout.blobs.iterdir()}
    repository.add_release("1.1.0")
    tampered = [path for path in _files(repository) if Path(path).name not in stored]
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
    assert device.stage() is State.FETCHING
    assert device.kinds() == ["found", "refused"], "the same refusal is recorded once"
    flip(graph, 100)
    device.sync()
    assert device.current().version == "1.0.0"
