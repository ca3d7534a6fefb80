"""A vendor whose keys come, go and are stolen, and a device that follows: with the installed commands, from the first root to the last."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path

import pytest
from tuf.api.metadata import Metadata, Timestamp

from sealift_core.signing.keys import PrivateKey
from sealift_packager.repository.keyring import tuf_signer
from support.agents import AgentUnderTest, device, wait_until
from support.cli import Ran, call
from support.models import make_bundle, make_release
from support.workshop import assert_refused


def repo(*words: object) -> Ran:
    return call("sealift", "repo", *words)


def follows(agent: AgentUnderTest, version: str) -> None:
    """Assert that the device comes to a version, once the probation of the one before is over."""
    wait_until(lambda: agent.command("sync").ok() and agent.version() == version, 30, f"the device to have {version}")


class Vendor:
    """A repository, its keys beside it, and one release on channel stable."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.directory = folder / "repo"
        self.keys = folder / "repo-keys"
        self.key = PrivateKey.generate()
        repo("init", self.directory).ok()
        self.release("1.0.0")

    def release(self, version: str) -> None:
        place = self.folder / version
        make_bundle(place / "bundle", version=version, key=self.key)
        make_release(place / "layout", place / "bundle", key=self.key)
        repo("add", self.directory, place / "layout").ok()
        repo("promote", self.directory, "linear", version, "--channel", "stable").ok()

    def keyid(self, role: str) -> str:
        roles = repo("status", self.directory, "--json").ok().json["roles"]
        (keyid,) = next(entry["keys"] for entry in roles if entry["role"] == role)
        return str(keyid)


@pytest.fixture
def vendor(tmp_path: Path) -> Vendor:
    return Vendor(tmp_path / "vendor")


@pytest.fixture
def agent(vendor: Vendor, tmp_path: Path) -> Iterator[AgentUnderTest]:
    """A device that trusts the vendor's first root, and has its first release."""
    with device(tmp_path / "device" / "home") as made:
        made.init(vendor.directory, vendor.directory / "metadata" / "1.root.json")
        made.command("sync").ok()
        assert made.version() == "1.0.0"
        yield made


def test_a_device_follows_two_rotations_of_every_key_at_once(vendor: Vendor, agent: AgentUnderTest) -> None:
    for _ in range(2):
        for role in ("root", "targets", "channels", "snapshot", "timestamp"):
            repo("rotate", vendor.directory, role).ok()
    for old in vendor.keys.glob("*.pem"):
        if not old.stem.endswith("-3"):
            old.unlink()
    vendor.release("1.1.0")
    follows(agent, "1.1.0")


def test_a_device_follows_to_a_root_that_two_of_three_people_hold(vendor: Vendor, agent: AgentUnderTest, tmp_path: Path) -> None:
    people = [tmp_path / f"{name}.pem" for name in ("alice", "bob", "carol")]
    for key in people:
        call("sealift", "keys", "generate", key).ok()
    request = tmp_path / "root.json"
    added = [word for key in people for word in ("--add-key", f"{key}.pub")]
    old = ("--remove-key", vendor.keyid("root"))
    repo("rotate", vendor.directory, "root", *added, *old, "--threshold", 2, "--request", request).ok()
    repo("sign", request, "--key", people[0]).ok()
    assert_refused(repo("publish", vendor.directory, request), 3, "not enough signatures of the role root")
    agent.command("sync").ok()
    repo("sign", request, "--key", people[2]).ok()
    repo("publish", vendor.directory, request).ok()
    (vendor.keys / "root.pem").unlink()
    repo("rotate", vendor.directory, "timestamp", "--request", request).ok()
    for key in people[1:]:
        repo("sign", request, "--key", key).ok()
    repo("publish", vendor.directory, request).ok()
    vendor.release("1.1.0")
    follows(agent, "1.1.0")


def test_what_a_thief_signs_with_a_revoked_key_is_refused_and_serving_goes_on(vendor: Vendor, agent: AgentUnderTest) -> None:
    thief = tuf_signer(PrivateKey.load(vendor.keys / "timestamp.pem"))
    repo("revoke", vendor.directory, vendor.keyid("timestamp")).ok()
    path = vendor.directory / "metadata" / "timestamp.json"
    true = path.read_bytes()
    forged = Metadata[Timestamp].from_bytes(true)
    forged.signed.version += 100
    forged.signed.expires += datetime.timedelta(days=1000)
    forged.sign(thief)
    path.write_bytes(forged.to_bytes())
    assert_refused(agent.command("sync"), 4, "timestamp.json: not enough valid signatures")
    assert agent.version() == "1.0.0"
    path.write_bytes(true)
    vendor.release("1.1.0")
    follows(agent, "1.1.0")


def test_a_device_gets_over_a_thief_who_had_signed_a_huge_version_before_the_key_was_revoked(vendor: Vendor, agent: AgentUnderTest) -> None:
    thief = tuf_signer(PrivateKey.load(vendor.keys / "timestamp.pem"))
    path = vendor.directory / "metadata" / "timestamp.json"
    true = path.read_bytes()
    forged = Metadata[Timestamp].from_bytes(true)
    forged.signed.version = 1_000_000
    forged.sign(thief)
    path.write_bytes(forged.to_bytes())
    agent.command("sync").ok()
    path.write_bytes(true)
    assert agent.command("sync").code == 4
    repo("revoke", vendor.directory, vendor.keyid("timestamp")).ok()
    vendor.release("1.1.0")
    follows(agent, "1.1.0")
