"""Keys of a repository through the installed commands: encrypted, of several people, rotated and revoked."""

from __future__ import annotations

import contextlib
import copy
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tuf.api.metadata import Metadata, Root

from sealift_core import durable
from sealift_core.signing.keys import PrivateKey, PublicKey
from sealift_packager.keys.passphrase import VARIABLE
from sealift_packager.repository.directory import JOURNAL, Repository
from sealift_packager.repository.keyring import tuf_key, tuf_signer
from sealift_packager.repository.request import Request
from sealift_runtime.trust import workflow
from support.cli import Ran, call
from support.models import make_bundle, make_release, shared_key
from support.repositories import snapshot_of
from support.workshop import assert_refused, refused_as_json

NAMES = ("alice", "bob", "carol")


def repo(*words: object, env: dict[str, str] | None = None) -> Ran:
    return call("sealift", "repo", *words, env=env)


def root_of(directory: Path) -> Root:
    return Metadata[Root].from_file(str(directory / "metadata" / "root.json")).signed


def status(directory: Path) -> dict[str, Any]:
    return {role["role"]: role for role in repo("status", directory, "--json").ok().json["roles"]}


def release(tmp_path: Path, version: str = "1.0.0", key: PrivateKey | None = None) -> Path:
    place = tmp_path / f"release-{version}"
    make_bundle(place / "bundle", version=version, key=key or shared_key())
    make_release(place / "layout", place / "bundle", key=key or shared_key())
    return place / "layout"


@pytest.fixture
def people(tmp_path: Path) -> dict[str, Path]:
    """Three people's own root keys, each where its owner alone has it."""
    for name in NAMES:
        call("sealift", "keys", "generate", tmp_path / name / f"{name}.pem").ok()
    return {name: tmp_path / name / f"{name}.pem" for name in NAMES}


def keyid(key: Path) -> str:
    return tuf_key(PublicKey.load(key.with_name(key.name + ".pub"))).keyid


@pytest.fixture
def joint(tmp_path: Path, people: dict[str, Path]) -> Path:
    """A repository whose root two of the three must sign; its first root is published."""
    directory, request = tmp_path / "repo", tmp_path / "root-1.json"
    others = [word for key in people.values() for word in ("--role-key", f"root={key}.pub")]
    repo("init", directory, *others, "--threshold", "root=2", "--request", request).ok()
    for name in ("alice", "bob"):
        repo("sign", request, "--key", people[name]).ok()
    repo("publish", directory, request).ok()
    return directory


# Encrypted keys.


def test_all_keys_of_a_repository_can_be_encrypted_and_every_verb_opens_them(tmp_path: Path) -> None:
    (tmp_path / "word").write_text("correct horse\n")
    directory, words = tmp_path / "repo", ("--passphrase-file", tmp_path / "word")
    repo("init", directory, *words).ok()
    keys = sorted((tmp_path / "repo-keys").glob("*.pem"))
    assert len(keys) == 5
    assert all(b"ENCRYPTED" in path.read_bytes() for path in keys)
    assert {stat.S_IMODE(path.stat().st_mode) for path in keys} == {0o600}
    repo("add", directory, release(tmp_path), *words).ok()
    repo("promote", directory, "linear", "1.0.0", "--channel", "stable", env={VARIABLE: "correct horse"}).ok()
    repo("refresh", directory, "--role", "root", "--role", "targets", *words).ok()
    repo("rotate", directory, "timestamp", *words).ok()
    assert b"ENCRYPTED" in (tmp_path / "repo-keys" / "timestamp-2.pem").read_bytes()


def test_without_the_passphrase_nothing_is_signed(tmp_path: Path) -> None:
    directory = tmp_path / "repo"
    repo("init", directory, env={VARIABLE: "correct horse"}).ok()
    before = snapshot_of(directory)
    assert_refused(repo("refresh", directory), 3, "snapshot.pem: the key is encrypted and needs a passphrase. Pass --passphrase-file")
    assert_refused(repo("refresh", directory, env={VARIABLE: "wrong"}), 3, "snapshot.pem: the passphrase is wrong")
    assert snapshot_of(directory) == before


def test_keys_of_a_timer_can_be_left_plain_and_others_have_passphrases_of_their_own(tmp_path: Path) -> None:
    directory = tmp_path / "repo"
    repo("init", directory, "--plain", "snapshot", "--plain", "timestamp", env={VARIABLE: "one"}).ok()
    repo("refresh", directory).ok()
    repo("rotate", directory, "targets", "--generate", 1, "--threshold", 2, env={VARIABLE: "one"}).ok()
    PrivateKey.load(tmp_path / "repo-keys" / "targets-2.pem", b"one").save(tmp_path / "repo-keys" / "targets-2.pem", b"two")
    for name in ("one", "two"):
        (tmp_path / name).write_text(name)
    repo("refresh", directory, "--role", "targets", "--passphrase-file", tmp_path / "one", "--passphrase-file", tmp_path / "two").ok()


# Several people.


def test_a_new_repository_has_no_root_before_enough_people_signed_it(tmp_path: Path, people: dict[str, Path]) -> None:
    directory, request = tmp_path / "repo", tmp_path / "root-1.json"
    others = [word for key in people.values() for word in ("--role-key", f"root={key}.pub")]
    made = repo("init", directory, *others, "--threshold", "root=2", "--request", request, "--json").ok().json
    assert made["request"] == str(request)
    assert made["root_digest"] is None
    assert not (tmp_path / "repo-keys" / "root.pem").exists()
    assert_refused(repo("status", directory), 3, "the repository's first root isn't signed yet")
    repo("sign", request, "--key", people["alice"]).ok()
    assert_refused(
        repo("publish", directory, request), 3, "not enough signatures of the role root", "expected 2 of", f"found {keyid(people['alice'])[:16]}"
    )
    assert not (directory / "metadata" / "root.json").exists()
    repo("sign", request, "--key", people["carol"]).ok()
    repo("publish", directory, request).ok()
    assert status(directory)["root"]["threshold"] == 2
    workflow.start((directory / "metadata" / "1.root.json").read_bytes())


def test_people_sign_copies_apart_and_all_are_published_together(joint: Path, people: dict[str, Path], tmp_path: Path) -> None:
    request = tmp_path / "root-2.json"
    refreshed = repo("refresh", joint, "--role", "root", "--request", request, "--json").ok().json
    assert refreshed["changed"] is False
    copies = [tmp_path / name / "root-2.json" for name in ("bob", "carol")]
    for path, name in zip(copies, ("bob", "carol"), strict=True):
        path.write_bytes(request.read_bytes())
        repo("sign", path, "--key", people[name]).ok()
    assert_refused(repo("publish", joint, copies[0]), 3, "not enough signatures of the role root")
    repo("publish", joint, *copies).ok()
    assert root_of(joint).version == 2


def test_the_same_person_counts_once(joint: Path, people: dict[str, Path], tmp_path: Path) -> None:
    request = tmp_path / "root-2.json"
    repo("refresh", joint, "--role", "root", "--request", request).ok()
    second = tmp_path / "copy.json"
    second.write_bytes(request.read_bytes())
    for path in (request, request, second):
        repo("sign", path, "--key", people["alice"]).ok()
    assert_refused(repo("publish", joint, request, second), 3, "not enough signatures of the role root")


def test_signing_shows_in_full_what_is_signed_and_who_is_missing(joint: Path, people: dict[str, Path], tmp_path: Path) -> None:
    request = tmp_path / "request.json"
    repo("rotate", joint, "timestamp", "--request", request).ok()
    new = keyid_of(tmp_path / "repo-keys" / "timestamp-2.pub")
    shown = repo("sign", request, "--json").ok().json
    assert shown["signed"] == []
    assert shown["roles"]["root"]["changes"] == ["keys of timestamp"]
    assert shown["roles"]["root"]["says"]["keys of timestamp"] == f"1 of {new}"
    assert shown["roles"]["root"]["missing_signatures"] == 2
    text = repo("sign", request, "--key", people["bob"]).ok().out
    assert f"* keys of timestamp: 1 of {new}" in text
    assert f"signed by {keyid(people['bob'])[:16]}; 1 more needed" in text
    assert "Signed: root" in text


def keyid_of(public: Path) -> str:
    return tuf_key(PublicKey.load(public)).keyid


def test_a_stranger_s_signature_is_not_asked_for_and_does_not_count(joint: Path, people: dict[str, Path], tmp_path: Path) -> None:
    request = tmp_path / "root-2.json"
    repo("refresh", joint, "--role", "root", "--request", request).ok()
    call("sealift", "keys", "generate", tmp_path / "mallory.pem").ok()
    message = refused_as_json(repo("sign", request, "--key", tmp_path / "mallory.pem", "--json"), 3, "RepositoryError")
    assert "the request doesn't need a signature by this key" in message
    repo("sign", request, "--key", people["alice"]).ok()
    forged = json.loads(request.read_bytes())
    mallory = PrivateKey.load(tmp_path / "mallory.pem")
    payload = Metadata[Root].from_dict(copy.deepcopy(forged["metadata"]["root"])).signed_bytes
    for name in (keyid_of(tmp_path / "mallory.pem.pub"), keyid(people["bob"])):
        forged["metadata"]["root"]["signatures"].append({"keyid": name, "sig": mallory.sign(payload).hex()})
    request.write_text(json.dumps(forged))
    assert_refused(repo("publish", joint, request), 3, "not enough signatures of the role root")


def test_what_a_request_says_was_in_force_decides_nothing_where_it_is_published(joint: Path, people: dict[str, Path], tmp_path: Path) -> None:
    """A base, and a new root, with a threshold of one."""
    request = tmp_path / "root-2.json"
    repo("refresh", joint, "--role", "root", "--request", request).ok()
    forged = json.loads(request.read_bytes())
    for part in ("base", "metadata"):
        forged[part]["root"]["signed"]["roles"]["root"]["threshold"] = 1
    request.write_text(json.dumps(forged))
    assert repo("sign", request, "--key", people["alice"], "--json").ok().json["roles"]["root"]["missing_signatures"] == 0
    assert_refused(repo("publish", joint, request), 3, "not enough signatures of the role root", "expected 2 of")
    assert root_of(joint).version == 1


def test_a_request_that_was_overtaken_or_that_is_none_is_refused(joint: Path, people: dict[str, Path], tmp_path: Path) -> None:
    late = tmp_path / "late.json"
    repo("refresh", joint, "--role", "root", "--request", late).ok()
    for name in ("alice", "bob"):
        repo("sign", late, "--key", people[name]).ok()
    repo("publish", joint, late).ok()
    assert_refused(repo("publish", joint, late), 3, "the request doesn't follow the published version: expected version 3, found version 2")
    assert_refused(repo("publish", joint, tmp_path / "none.json"), 3, "the request can't be read")
    os.mkfifo(tmp_path / "pipe.json")
    assert_refused(repo("publish", joint, tmp_path / "pipe.json"), 4, "not a regular file: found a pipe")
    for text in ("{}", "[]", '{"schema": "sealift.repository-request/1", "metadata": {}}'):
        (tmp_path / "odd.json").write_text(text)
        assert repo("publish", joint, tmp_path / "odd.json").code == 3
        assert repo("sign", tmp_path / "odd.json").code == 3
    wrong = json.loads(late.read_bytes())
    wrong["metadata"] = {"timestamp": wrong["metadata"]["root"]}
    (tmp_path / "odd.json").write_text(json.dumps(wrong))
    assert_refused(repo("sign", tmp_path / "odd.json"), 3, "timestamp")


@pytest.mark.parametrize(("moment", "message"), [("2090-01-01T00:00:00Z", "the request says that it was signed in the future"), ("x", "not a time")])
def test_a_request_from_the_future_is_refused(joint: Path, people: dict[str, Path], tmp_path: Path, moment: str, message: str) -> None:
    request = tmp_path / "root-2.json"
    repo("refresh", joint, "--role", "root", "--request", request).ok()
    document = json.loads(request.read_bytes())
    document["metadata"]["root"]["signed"] |= {"dev.sealift.signed-at": moment, "expires": "2091-01-01T00:00:00Z"}
    document["metadata"]["root"]["signatures"] = []
    request.write_text(json.dumps(document))
    for name in ("alice", "bob"):
        assert_refused(repo("sign", request, "--key", people[name]), 3, message)
    signed = Request.read(request)
    for name in ("alice", "bob"):
        signed.sign(tuf_signer(PrivateKey.load(people[name])))
    signed.write(request)
    assert_refused(repo("publish", joint, request), 3, message)
    assert root_of(joint).version == 1


def test_a_release_and_a_channel_can_need_several_people_too(tmp_path: Path) -> None:
    directory = tmp_path / "repo"
    two = ("--threshold", "targets=2", "--generate", "targets=2", "--threshold", "channels=2", "--generate", "channels=2")
    repo("init", directory, *two).ok()
    keys, away = tmp_path / "repo-keys", tmp_path / "away"
    away.mkdir()
    for role in ("targets", "channels"):
        (keys / f"{role}-2.pem").rename(away / f"{role}.pem")
    assert_refused(repo("add", directory, release(tmp_path)), 3, "not enough signatures of the role targets", "--request FILE")
    assert repo("status", directory, "--json").ok().json["releases"] == []
    repo("add", directory, release(tmp_path), "--request", tmp_path / "add.json").ok()
    assert repo("status", directory, "--json").ok().json["releases"] == []
    shown = repo("sign", tmp_path / "add.json", "--key", away / "targets.pem", "--json").ok().json["roles"]["targets"]
    assert {"releases/linear/1.0.0", "dev.sealift.bundle-key"} == set(shown["changes"])
    repo("publish", directory, tmp_path / "add.json").ok()
    repo("promote", directory, "linear", "1.0.0", "--channel", "stable", "--request", tmp_path / "promote.json").ok()
    statements = repo("sign", tmp_path / "promote.json", "--key", away / "channels.pem", "--json").ok().json["roles"]["channels"]["says"]
    assert statements["channels/stable.json"].endswith(", linear 1.0.0")
    repo("publish", directory, tmp_path / "promote.json").ok()
    assert repo("status", directory, "--json").ok().json["channels"] == {"stable": {"linear": "1.0.0"}}


def test_a_request_for_a_release_that_the_repository_does_not_have_is_refused(tmp_path: Path) -> None:
    directory = tmp_path / "repo"
    repo("init", directory).ok()
    repo("add", directory, release(tmp_path), "--request", tmp_path / "add.json").ok()
    for blob in (directory / "blobs" / "sha256").iterdir():
        blob.unlink()
    assert_refused(
        repo("publish", directory, tmp_path / "add.json"), 3, "releases/linear/1.0.0: the request refers to content that the repository doesn't have"
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--threshold", "root=2"), "root: the threshold can't be met: expected a threshold from 1 to the number of the role's keys, 1, found 2"),
        (("--threshold", "rot=2"), "no such role"),
        (("--threshold", "root=0"), "not a threshold: expected 1 to 32"),
        (("--threshold", "root=999999999999"), "not a threshold"),
        (("--generate", "root=33"), "not a number of keys"),
        (("--generate", "timestamp=0"), "the threshold can't be met"),
        (("--role-key", "root=nowhere.pub"), "the key file can't be read"),
    ],
)
def test_keys_that_can_not_meet_a_threshold_are_refused_and_nothing_is_left(tmp_path: Path, words: tuple[str, ...], message: str) -> None:
    assert_refused(repo("init", tmp_path / "repo", *words), 3, message)
    assert list(tmp_path.iterdir()) == []


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value in a document."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*path, key)
        yield from places(item, (*path, key))


@pytest.mark.parametrize("odd", [None, -1, "", 1.5, [1], {"a": 1}], ids=repr)
def test_a_request_that_is_not_what_it_should_be_is_refused_in_words(tmp_path: Path, odd: object) -> None:
    repo("init", tmp_path / "repo").ok()
    repo("rotate", tmp_path / "repo", "channels", "--request", tmp_path / "true.json").ok()
    true, request = (tmp_path / "true.json").read_bytes(), tmp_path / "request.json"
    for path in places(json.loads(true)):
        document = json.loads(true)
        place = document
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = odd
        request.write_text(json.dumps(document))
        for words in (("sign", request), ("sign", request, "--key", tmp_path / "repo-keys" / "targets.pem")):
            assert repo(*words).code in (0, 3, 4), path


# Keys that come and go.


@pytest.mark.parametrize("role", ["root", "targets", "channels", "snapshot", "timestamp"])
def test_a_role_s_key_is_replaced_and_publishing_goes_on(tmp_path: Path, role: str) -> None:
    directory = tmp_path / "repo"
    repo("init", directory).ok()
    repo("add", directory, release(tmp_path)).ok()
    (before,) = status(directory)[role]["keys"]
    done = repo("rotate", directory, role, "--json").ok().json
    (after,) = status(directory)[role]["keys"]
    assert done["roles"] == {role: {"keys": [after], "threshold": 1}}
    assert done["new_keys"] == [str(tmp_path / "repo-keys" / f"{role}-2.pem")]
    assert before != after
    (tmp_path / "repo-keys" / f"{role}.pem").unlink()
    repo("promote", directory, "linear", "1.0.0", "--channel", "stable").ok()
    repo("add", directory, release(tmp_path, "1.1.0")).ok()
    repo("refresh", directory, "--role", "root", "--role", "targets", "--role", "channels").ok()


def test_a_revoked_key_is_gone_from_its_role_and_what_it_signed_is_signed_anew(tmp_path: Path) -> None:
    directory = tmp_path / "repo"
    repo("init", directory).ok()
    for role in ("targets", "channels", "snapshot", "timestamp", "root"):
        (stolen,) = status(directory)[role]["keys"]
        repo("revoke", directory, stolen[:12]).ok()
        assert stolen not in status(directory)[role]["keys"]
        assert stolen not in (directory / "metadata" / "timestamp.json").read_text()
    repo("refresh", directory).ok()


def test_several_keys_are_added_removed_and_their_threshold_changed(joint: Path, people: dict[str, Path], tmp_path: Path) -> None:
    call("sealift", "keys", "generate", tmp_path / "dave.pem").ok()
    words = ("--add-key", tmp_path / "dave.pem.pub", "--remove-key", keyid(people["carol"])[:10], "--threshold", 3, "--request", tmp_path / "r.json")
    repo("rotate", joint, "root", *words).ok()
    for key in (people["alice"], people["bob"]):
        repo("sign", tmp_path / "r.json", "--key", key).ok()
    assert_refused(repo("publish", joint, tmp_path / "r.json"), 3, "not enough signatures of the role root", "expected 3 of")  # as the new root says
    repo("sign", tmp_path / "r.json", "--key", tmp_path / "dave.pem").ok()
    repo("publish", joint, tmp_path / "r.json").ok()
    assert set(status(joint)["root"]["keys"]) == {keyid(people["alice"]), keyid(people["bob"]), keyid(tmp_path / "dave.pem")}
    state = workflow.start((joint / "metadata" / "1.root.json").read_bytes())
    workflow.accept_root(state, (joint / "metadata" / "2.root.json").read_bytes())


def test_a_new_root_needs_the_old_one_s_threshold(joint: Path, people: dict[str, Path], tmp_path: Path) -> None:
    for name in ("dave", "erin"):
        call("sealift", "keys", "generate", tmp_path / f"{name}.pem").ok()
    added = [word for name in ("dave", "erin") for word in ("--add-key", tmp_path / f"{name}.pem.pub")]
    removed = [word for key in people.values() for word in ("--remove-key", keyid(key))]
    repo("rotate", joint, "root", *added, *removed, "--request", tmp_path / "r.json").ok()
    for name in ("dave", "erin"):
        repo("sign", tmp_path / "r.json", "--key", tmp_path / f"{name}.pem").ok()
    assert_refused(repo("publish", joint, tmp_path / "r.json"), 3, "not enough signatures of the role root")
    for name in ("alice", "carol"):
        repo("sign", tmp_path / "r.json", "--key", people[name]).ok()
    repo("publish", joint, tmp_path / "r.json").ok()


@pytest.mark.parametrize("role", ["targets", "channels", "snapshot"])
def test_keys_that_others_must_agree_to_are_rotated_by_a_request(joint: Path, people: dict[str, Path], tmp_path: Path, role: str) -> None:
    repo("rotate", joint, role, "--request", tmp_path / "r.json").ok()
    for name in ("alice", "carol") if role != "channels" else ():  # targets vouches for the keys of channels
        assert_refused(repo("publish", joint, tmp_path / "r.json"), 3, "not enough signatures of the role root")
        repo("sign", tmp_path / "r.json", "--key", people[name]).ok()
    repo("publish", joint, tmp_path / "r.json").ok()
    (tmp_path / "repo-keys" / f"{role}.pem").unlink()
    repo("add", joint, release(tmp_path)).ok()
    repo("promote", joint, "linear", "1.0.0", "--channel", "stable").ok()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("root",), "the role has several keys"),
        (("root", "--remove-key", "0123456789"), "no key of the role root"),
        (("root", "--remove-key", ""), "no key of the role root"),
        (("root", "--threshold", "4"), "the threshold can't be met"),
        (("timestamp", "--threshold", "2"), "the threshold can't be met"),
    ],
)
def test_a_rotation_that_can_not_be_is_refused_and_leaves_no_key(joint: Path, tmp_path: Path, words: tuple[str, ...], message: str) -> None:
    before = snapshot_of(tmp_path / "repo-keys")
    assert_refused(repo("rotate", joint, *words), 3, message)
    assert snapshot_of(tmp_path / "repo-keys") == before


def test_a_key_that_the_role_has_is_not_added_again(joint: Path, people: dict[str, Path]) -> None:
    assert_refused(repo("rotate", joint, "root", "--add-key", f"{people['alice']}.pub"), 3, "the role has this key already")


def test_an_unknown_key_is_not_revoked(joint: Path) -> None:
    assert_refused(repo("revoke", joint, "0" * 64), 3, "no key of this repository")
    assert_refused(repo("revoke", joint, "0"), 3, "no key of this repository")


@pytest.mark.parametrize("writes", range(7))
def test_a_rotation_that_dies_in_between_is_finished_by_the_next_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writes: int) -> None:
    directory = tmp_path / "repo"
    repo("init", directory).ok()
    left, real = [writes + 2], durable.write_bytes  # the key's public half and the journal come first

    class PowerCut(BaseException):
        pass

    def dying(target: Path, data: bytes, *, mode: int = 0o644) -> None:
        if left[0] == 0:
            raise PowerCut
        left[0] -= 1
        real(target, data, mode=mode)

    with monkeypatch.context() as patch:
        patch.setattr(durable, "write_bytes", dying)
        died = True
        with contextlib.suppress(PowerCut):
            died = repo("rotate", directory, "targets").code != 0
    assert died == (directory / JOURNAL).exists()
    assert Repository(directory).read_metadata().root.signed.version == 2
    repo("refresh", directory).ok()
    assert not (directory / JOURNAL).exists()
    root = root_of(directory)
    assert root.version == 2
    assert status(directory)["targets"]["version"] == 2


# The key of bundles.


def test_a_release_by_another_key_than_the_repository_s_is_refused_without_consent(tmp_path: Path) -> None:
    directory, first, second = tmp_path / "repo", PrivateKey.generate(), PrivateKey.generate()
    repo("init", directory).ok()
    assert repo("add", directory, release(tmp_path, "1.0.0", first), "--json").ok().json["signed_by"] == first.public_key.fingerprint
    assert repo("status", directory, "--json").ok().json["bundle_keys"] == [first.public_key.fingerprint]
    before = snapshot_of(directory)
    other = release(tmp_path, "1.1.0", second)
    (tmp_path / "second.pub").write_bytes(second.public_key.pem())
    for words in ((), ("--public-key", tmp_path / "second.pub")):
        done = repo("add", directory, other, *words)
        assert_refused(done, 4, "the release was signed with another key than this repository's", "--new-key")
    assert snapshot_of(directory) == before
    repo("add", directory, other, "--new-key").ok()
    assert_refused(repo("add", directory, release(tmp_path, "1.2.0", first)), 4, "another key than this repository's")
    repo("add", directory, release(tmp_path, "1.3.0", second)).ok()
    assert repo("add", directory, tmp_path / "release-1.0.0" / "layout", "--json").ok().json["changed"] is False


def test_the_remembered_key_is_signed_by_role_targets(tmp_path: Path) -> None:
    directory = tmp_path / "repo"
    repo("init", directory).ok()
    repo("add", directory, release(tmp_path, "1.0.0", PrivateKey.generate())).ok()
    path = directory / "metadata" / "2.targets.json"
    fields = json.loads(path.read_bytes())
    fields["signed"]["dev.sealift.bundle-key"] = PrivateKey.generate().public_key.fingerprint
    path.write_text(json.dumps(fields))
    assert_refused(repo("add", directory, release(tmp_path, "1.1.0")), 4, "not the bytes that the metadata above it lists")


def test_a_repository_that_never_remembered_a_key_takes_those_of_its_releases(tmp_path: Path) -> None:
    directory, first, second = tmp_path / "repo", PrivateKey.generate(), PrivateKey.generate()
    repo("init", directory).ok()
    repo("add", directory, release(tmp_path, "1.0.0", first)).ok()
    forget(directory, tmp_path / "repo-keys")
    assert_refused(repo("add", directory, release(tmp_path, "1.1.0", second)), 4, "another key than this repository's")
    repo("add", directory, release(tmp_path, "1.2.0", first)).ok()
    assert repo("status", directory, "--json").ok().json["bundle_keys"] == [first.public_key.fingerprint]


def forget(directory: Path, keys: Path) -> None:
    """Publish targets as an older version did: without the key of bundles."""
    from sealift_core.clock import SystemClock
    from sealift_packager.repository.keyring import KeyRing
    from sealift_packager.repository.publication import Publication
    from sealift_packager.repository.roles import Expiry

    repository = Repository(directory)
    with repository.locked():
        current = repository.read_metadata()
        targets = current.roles()["targets"]
        del targets.unrecognized_fields["dev.sealift.bundle-key"]
        Publication.prepare(current, {"targets": targets}, KeyRing(keys), Expiry(), SystemClock().now()).write(repository)
