"""Publishing: what is written, what is refused, and what an interruption leaves."""

from __future__ import annotations

import datetime
import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sealift_core.bundle.digest import Digest
from sealift_core.errors import BusyError, DocumentError, TrustError
from sealift_core.messages.channel import Channel
from sealift_core.signing.keys import PrivateKey
from sealift_packager.errors import RepositoryError
from sealift_packager.repository import publisher
from sealift_packager.repository.keyring import default_keys
from sealift_packager.repository.publisher import Repository
from sealift_packager.repository.roles import ROLES
from sealift_packager.repository.status import repository_status
from support.publishing import EXPIRY, NOW, add, promote, release_in, ring, versions
from support.repositories import snapshot_of


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return publisher.init(tmp_path / "repo", tmp_path / "repo-keys", expiry=EXPIRY, now=NOW)


def test_adding_a_release_makes_it_a_target_and_brings_every_blob(repository: Repository, tmp_path: Path) -> None:
    done = add(repository, release_in(tmp_path))
    (release,) = repository_status(repository, NOW).releases
    assert (release.name, release.version, release.profiles, release.missing_blobs) == ("linear", "1.0.0", ("any-cpu", "other"), ())
    target = repository.read_metadata().targets.signed.targets["releases/linear/1.0.0"]
    assert target.length == repository.layout.path(release.digest).stat().st_size
    assert done.changed
    assert done.new_blobs == sum(1 for _ in repository.layout.blobs.iterdir())
    assert all(Digest.of_file(path).hex == path.name for path in repository.layout.blobs.iterdir())
    assert versions(repository) == {"root": 1, "targets": 2, "channels": 1, "snapshot": 2, "timestamp": 2}
    assert [release.annotations["org.opencontainers.image.ref.name"] for release in repository.layout.index()] == ["linear:1.0.0"]


def test_blobs_that_versions_share_come_once(repository: Repository, tmp_path: Path) -> None:
    first = add(repository, release_in(tmp_path, "1.0.0"))
    assert add(repository, release_in(tmp_path, "1.1.0")).new_blobs < first.new_blobs


def test_adding_the_same_release_again_changes_no_metadata(repository: Repository, tmp_path: Path) -> None:
    release = release_in(tmp_path)
    add(repository, release)
    before = snapshot_of(repository.directory)
    assert not add(repository, release).changed
    assert snapshot_of(repository.directory) == before


def test_adding_again_mends_a_damaged_blob(repository: Repository, tmp_path: Path) -> None:
    release = release_in(tmp_path)
    add(repository, release)
    victim = next(repository.layout.blobs.iterdir())
    victim.unlink()
    victim.write_bytes(b"damaged")
    assert add(repository, release).new_blobs == 1
    assert Digest.of_file(victim).hex == victim.name


def test_a_published_version_never_changes(repository: Repository, tmp_path: Path) -> None:
    add(repository, release_in(tmp_path))
    with pytest.raises(RepositoryError, match="published with other content.*Pack the new content with a new version"):
        add(repository, release_in(tmp_path, description="other bytes"))


def test_a_promoted_channel_names_the_version_and_keeps_its_other_models(repository: Repository, tmp_path: Path) -> None:
    for name, version in (("linear", "1.0.0"), ("linear", "1.1.0"), ("second", "2.0.0")):
        add(repository, release_in(tmp_path, version, name=name))
    promote(repository, "1.0.0")
    promote(repository, "2.0.0", name="second")
    promote(repository, "1.1.0", channel="beta", new=True)
    promote(repository, "1.1.0")
    assert repository_status(repository, NOW).channels == {"beta": {"linear": "1.1.0"}, "stable": {"linear": "1.1.0", "second": "2.0.0"}}
    target_file = repository.read_metadata().channels.signed.targets["channels/stable.json"]
    data = repository.layout.path(Digest(target_file.hashes["sha256"])).read_bytes()
    assert Channel.parse(data, where="stable").models == {"linear": "1.1.0", "second": "2.0.0"}
    assert versions(repository) == {"root": 1, "targets": 4, "channels": 5, "snapshot": 8, "timestamp": 8}


def test_promoting_what_is_promoted_changes_nothing(repository: Repository, tmp_path: Path) -> None:
    add(repository, release_in(tmp_path))
    promote(repository, "1.0.0")
    before = snapshot_of(repository.directory)
    assert not promote(repository, "1.0.0").changed
    assert snapshot_of(repository.directory) == before


@pytest.mark.parametrize(
    ("name", "version", "message"),
    [
        ("linear", "1.0.1", "no such version in this repository: expected one of 1.0.0. Did you mean '1.0.0'"),
        ("lineal", "1.0.0", "no such model in this repository: expected one of linear. Did you mean 'linear'"),
    ],
)
def test_a_release_that_is_not_published_can_not_be_promoted(repository: Repository, tmp_path: Path, name: str, version: str, message: str) -> None:
    add(repository, release_in(tmp_path))
    with pytest.raises(RepositoryError, match=message):
        promote(repository, version, name=name)


@pytest.mark.parametrize("channel", ["", "Stable", "../x", "a/b", "x" * 65])
def test_a_channel_name_that_is_no_name_is_refused(repository: Repository, tmp_path: Path, channel: str) -> None:
    add(repository, release_in(tmp_path))
    with pytest.raises(DocumentError, match="--channel"):
        promote(repository, "1.0.0", channel=channel)


def test_refresh_gives_snapshot_and_timestamp_later_expiries(repository: Repository) -> None:
    later = NOW + datetime.timedelta(days=20)
    publisher.refresh(repository, ring(repository), expiry=EXPIRY, now=later)
    roles = {role.role: (role.version, role.expires) for role in repository_status(repository, later).roles}
    assert roles["timestamp"] == (2, later + datetime.timedelta(days=30))
    assert roles["snapshot"] == (2, later + datetime.timedelta(days=90))
    assert roles["targets"] == (1, NOW + datetime.timedelta(days=365))


def test_refresh_can_sign_the_offline_roles_too(repository: Repository) -> None:
    later = NOW + datetime.timedelta(days=300)
    publisher.refresh(repository, ring(repository), ("root", "targets", "channels"), expiry=EXPIRY, now=later)
    assert versions(repository) == dict.fromkeys(ROLES, 2)
    assert (repository.directory / "metadata/2.root.json").read_bytes() == repository.root_file.read_bytes()
    assert not repository_status(repository, later).stale


def test_status_says_what_expires_soon_and_what_has_expired(repository: Repository) -> None:
    states = {role.role: role.state for role in repository_status(repository, NOW + datetime.timedelta(days=25)).roles}
    assert states == {"root": "fresh", "targets": "fresh", "channels": "fresh", "snapshot": "fresh", "timestamp": "expires soon"}
    state = repository_status(repository, NOW + datetime.timedelta(days=95))
    assert state.stale
    assert {role.role for role in state.roles if role.state == "expired"} == {"snapshot", "timestamp"}


def test_status_names_missing_blobs(repository: Repository, tmp_path: Path) -> None:
    add(repository, release_in(tmp_path))
    (release,) = repository_status(repository, NOW).releases
    victim = next(path for path in repository.layout.blobs.iterdir() if path.stat().st_size > 200 and path.name != release.digest.hex)
    victim.unlink()
    assert any(victim.name in missing for missing in repository_status(repository, NOW).releases[0].missing_blobs)


def test_a_command_needs_only_its_own_keys(repository: Repository, tmp_path: Path) -> None:
    add(repository, release_in(tmp_path))
    keys = default_keys(repository.directory)
    (keys / "root.pem").unlink()
    (keys / "targets.pem").unlink()
    promote(repository, "1.0.0")
    with pytest.raises(RepositoryError, match=r"targets.pem: the key of the role targets is missing.*--keys"):
        add(repository, release_in(tmp_path, "1.1.0"))


def test_a_key_that_is_not_the_roles_is_refused_before_anything_is_written(repository: Repository, tmp_path: Path) -> None:
    PrivateKey.generate().save(default_keys(repository.directory) / "timestamp.pem")
    before = snapshot_of(repository.directory)
    with pytest.raises(RepositoryError, match="isn't that of the role timestamp"):
        publisher.refresh(repository, ring(repository), expiry=EXPIRY, now=NOW)
    assert snapshot_of(repository.directory) == before


def test_tampered_metadata_is_never_signed_over(repository: Repository) -> None:
    path = repository.directory / "metadata/1.targets.json"
    path.write_bytes(path.read_bytes() + b"\n")
    with pytest.raises(TrustError, match=r"1.targets.json: not the bytes"):
        publisher.refresh(repository, ring(repository), expiry=EXPIRY, now=NOW)


def test_metadata_signed_by_nobody_we_know_is_refused(repository: Repository) -> None:
    path = repository.directory / "metadata/timestamp.json"
    fields = json.loads(path.read_bytes())
    fields["signed"]["version"] = 7
    path.write_text(json.dumps(fields))
    with pytest.raises(TrustError, match=r"timestamp.json: not signed by the role timestamp"):
        repository.read_metadata()


def test_a_directory_that_is_no_repository_is_named(tmp_path: Path) -> None:
    with pytest.raises(RepositoryError, match="sealift repo init"):
        repository_status(Repository(tmp_path), NOW)


def test_two_publishers_do_not_meet(repository: Repository) -> None:
    descriptor = os.open(repository.directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        with pytest.raises(BusyError, match="another publisher"):
            publisher.refresh(repository, ring(repository), expiry=EXPIRY, now=NOW)
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("writes", range(7))
def test_a_publication_that_dies_leaves_the_old_state_and_the_next_one_succeeds(repository: Repository, tmp_path: Path, writes: int) -> None:
    release = release_in(tmp_path)
    script = (
        "import sys, os, datetime; from pathlib import Path; from sealift_core import durable;"
        "from sealift_packager.repository import publisher as p; from sealift_packager.repository.intake import check_release;"
        "from sealift_packager.repository.keyring import KeyRing; from sealift_packager.repository.roles import Expiry\n"
        "left, real = [int(sys.argv[4])], durable.write_bytes\n"
        "def dying(target, data, *, mode=0o644):\n"
        "    if left[0] == 0: os._exit(9)\n"
        "    left[0] -= 1; real(target, data, mode=mode)\n"
        "durable.write_bytes = dying\n"
        "now = datetime.datetime(2026, 2, 1, tzinfo=datetime.UTC)\n"
        "p.add(p.Repository(Path(sys.argv[1])), check_release(Path(sys.argv[2]), None), KeyRing(Path(sys.argv[3])), expiry=Expiry(), now=now)\n"
    )
    keys = default_keys(repository.directory)
    died = subprocess.run([sys.executable, "-c", script, str(repository.directory), str(release), str(keys), str(writes)], check=False, timeout=60)
    published = writes >= 4  # index.json, targets, snapshot, timestamp
    assert died.returncode == (0 if published else 9)
    assert versions(repository)["timestamp"] == (2 if published else 1)
    assert len(repository_status(repository, NOW).releases) == (1 if published else 0)
    add(repository, release)
    assert repository_status(repository, NOW).releases[0].missing_blobs == ()
    assert versions(repository) == {"root": 1, "targets": 2, "channels": 1, "snapshot": 2, "timestamp": 2}
