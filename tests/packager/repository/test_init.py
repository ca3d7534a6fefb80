"""A new repository: its files, its keys, and the places where none is made."""

from __future__ import annotations

from pathlib import Path

import pytest
from tuf.api.metadata import Metadata, Root, Targets

from sealift_core.errors import StoreError
from sealift_packager.errors import OutputError, RepositoryError
from sealift_packager.repository import publisher
from sealift_packager.repository.keyring import default_keys
from sealift_packager.repository.publisher import Repository
from sealift_packager.repository.roles import ROLES
from support.publishing import EXPIRY, NOW, versions
from support.repositories import snapshot_of
from support.small_disk import small_disk


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return publisher.init(tmp_path / "repo", tmp_path / "repo-keys", expiry=EXPIRY, now=NOW)


def test_a_new_repository_has_the_agreed_files(repository: Repository) -> None:
    names = {str(path.relative_to(repository.directory)) for path in repository.directory.rglob("*") if path.is_file()}
    metadata = {"1.root.json", "root.json", "timestamp.json", "1.snapshot.json", "1.targets.json", "1.channels.json"}
    assert names == {"oci-layout", "index.json", *(f"metadata/{name}" for name in metadata)}
    assert (repository.directory / "metadata/root.json").read_bytes() == (repository.directory / "metadata/1.root.json").read_bytes()


def test_each_role_has_its_own_p256_key_and_channels_is_a_terminating_delegation(repository: Repository) -> None:
    root = Metadata[Root].from_file(str(repository.root_file)).signed
    targets = Metadata[Targets].from_file(str(repository.directory / "metadata/1.targets.json")).signed
    assert targets.delegations is not None
    assert targets.delegations.roles is not None
    channels = targets.delegations.roles["channels"]
    assert root.consistent_snapshot
    assert (channels.paths, channels.terminating, channels.threshold) == (["channels/*"], True, 1)
    keys = [root.roles[role].keyids for role in ("root", "targets", "snapshot", "timestamp")] + [channels.keyids]
    assert len({keyid for keyids in keys for keyid in keyids}) == 5
    assert {key.scheme for key in [*root.keys.values(), *targets.delegations.keys.values()]} == {"ecdsa-sha2-nistp256"}


def test_keys_are_beside_the_repository_and_only_their_owner_may_read_them(repository: Repository) -> None:
    folder = default_keys(repository.directory)
    assert folder.parent == repository.directory.parent
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {(folder / f"{role}.pem").stat().st_mode & 0o777 for role in ROLES} == {0o600}


def test_init_refuses_an_existing_repository_and_changes_nothing(repository: Repository, tmp_path: Path) -> None:
    before = snapshot_of(tmp_path)
    with pytest.raises(OutputError, match="there is a repository in this folder already"):
        publisher.init(repository.directory, tmp_path / "fresh", expiry=EXPIRY, now=NOW)
    assert snapshot_of(tmp_path) == before


def test_init_refuses_a_directory_with_other_things_in_it(tmp_path: Path) -> None:
    (tmp_path / "repo").mkdir()
    (tmp_path / "repo" / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="is not empty"):
        publisher.init(tmp_path / "repo", tmp_path / "keys", expiry=EXPIRY, now=NOW)


def test_init_takes_an_empty_directory(tmp_path: Path) -> None:
    (tmp_path / "repo").mkdir()
    assert versions(publisher.init(tmp_path / "repo", tmp_path / "keys", expiry=EXPIRY, now=NOW))["timestamp"] == 1


def test_init_makes_a_repository_at_the_root_of_an_empty_stick_and_leaves_nothing_there_if_it_fails(tmp_path: Path) -> None:
    with small_disk(tmp_path / "stick") as stick:
        (tmp_path / "in-the-way").write_text("no folder")
        with pytest.raises(StoreError):
            publisher.init(stick.directory, tmp_path / "keys", expiry=EXPIRY, now=NOW, request=tmp_path / "in-the-way" / "request.json")
        assert stick.names() == set()
        assert versions(publisher.init(stick.directory, tmp_path / "keys", expiry=EXPIRY, now=NOW))["timestamp"] == 1
        assert not [path.name for path in stick.directory.iterdir() if path.name.endswith(".partial")]


@pytest.mark.parametrize("place", ["repo", "repo/keys", "repo/../repo/blobs"])
def test_keys_are_never_put_inside_the_repository(tmp_path: Path, place: str) -> None:
    with pytest.raises(RepositoryError, match="would be published"):
        publisher.init(tmp_path / "repo", tmp_path / place, expiry=EXPIRY, now=NOW)


def test_init_never_overwrites_keys(repository: Repository, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="Keys are never overwritten"):
        publisher.init(tmp_path / "second", default_keys(repository.directory), expiry=EXPIRY, now=NOW)
