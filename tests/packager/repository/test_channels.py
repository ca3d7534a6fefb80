"""Channels and withdrawals: what a repository publishes, refuses and tries without writing, through the commands."""

from __future__ import annotations

from pathlib import Path

import pytest

from sealift_packager.repository import publisher
from sealift_packager.repository.directory import Repository
from support.cli import Ran, call
from support.publishing import EXPIRY, add, promote, release_in
from support.publishing import NOW as THEN
from support.repositories import snapshot_of
from support.workshop import assert_refused


def repo(*words: object) -> Ran:
    return call("sealift", "repo", *words, "--trust-clock")


def status(directory: Path) -> Ran:
    return call("sealift", "repo", "status", directory, "--json").ok()


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with two versions of one model, 1.1.0 in channels stable and beta."""
    folder = tmp_path_factory.mktemp("channels")
    repository = publisher.init(folder / "repo", folder / "repo-keys", expiry=EXPIRY, now=THEN)
    for version in ("1.0.0", "1.1.0"):
        add(repository, release_in(folder, version))
    promote(repository, "1.1.0")
    promote(repository, "1.1.0", channel="beta", new=True)
    return folder


@pytest.fixture
def directory(published: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may change."""
    for name in ("repo", "repo-keys"):
        for path, data in snapshot_of(published / name).items():
            (tmp_path / name / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name / path).write_bytes(data)
    return tmp_path / "repo"


def test_a_misspelt_channel_is_refused_with_the_nearest_one_and_the_way_to_a_new_one(directory: Path) -> None:
    before = snapshot_of(directory)
    refused = repo("promote", directory, "linear", "1.0.0", "--channel", "stabel")
    assert_refused(refused, 3, "channel stabel: the repository has no such channel: expected one of beta, stable. Did you mean 'stable'?", "--new")
    assert snapshot_of(directory) == before
    repo("promote", directory, "linear", "1.0.0", "--channel", "stabel", "--new").ok()
    assert status(directory).json["channels"]["stabel"] == {"linear": "1.0.0"}


def test_a_model_leaves_one_channel_and_stays_in_the_others(directory: Path) -> None:
    assert "no longer names linear" in repo("demote", directory, "linear", "--channel", "beta").ok().out
    assert status(directory).json["channels"] == {"beta": {}, "stable": {"linear": "1.1.0"}}
    assert "  beta: no model" in call("sealift", "repo", "status", directory).ok().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["demote", "linaer", "--channel", "beta"],
            "channel beta: linaer: the channel doesn't name this model: expected one of linear. Did you mean",
        ),
        (["demote", "linear", "--channel", "betta"], "channel betta: the repository has no such channel: expected one of beta, stable. Did you mean"),
        (["withdraw", "linear", "1.1.1"], "linear 1.1.1: no such version in this repository: expected one of 1.0.0, 1.1.0. Did you mean"),
    ],
)
def test_what_isnt_there_cant_be_taken_away(directory: Path, words: list[str], message: str) -> None:
    assert_refused(repo(words[0], directory, *words[1:]), 3, message)


def test_a_channel_is_removed_for_good_or_until_it_is_made_anew(directory: Path) -> None:
    repo("channel", "remove", directory, "beta").ok()
    assert status(directory).json["channels"] == {"stable": {"linear": "1.1.0"}}
    assert_refused(repo("channel", "remove", directory, "beta"), 3, "channel beta: the repository has no such channel: expected one of stable")
    repo("channel", "remove", directory, "stable").ok()
    repo("promote", directory, "linear", "1.0.0", "--channel", "anything").ok()  # the first channel needs no --new


def test_a_withdrawn_release_leaves_targets_and_every_channel_at_once_and_never_comes_back(directory: Path, published: Path) -> None:
    repo("promote", directory, "linear", "1.0.0", "--channel", "beta").ok()
    told = repo("withdraw", directory, "linear", "1.1.0").ok().out
    assert told.splitlines() == [
        "Withdrawn: linear 1.1.0. No device takes it any more.",
        "Channel stable names no version of linear now. Devices that run 1.1.0 keep it.",
    ]
    now = status(directory).json
    assert now["channels"] == {"beta": {"linear": "1.0.0"}, "stable": {}}
    assert [release["version"] for release in now["releases"]] == ["1.0.0"]
    assert [(one["name"], one["version"]) for one in now["withdrawn"]] == [("linear", "1.1.0")]
    assert "linear:1.1.0" not in (directory / "index.json").read_text()
    release = published / "release-linear-1.1.0-0" / "layout"
    for words in (["add", directory, release], ["promote", directory, "linear", "1.1.0", "--channel", "stable"]):
        assert_refused(repo(*words), 3, "linear 1.1.0: this release was withdrawn: found withdrawn at 20", "new version")
    again = repo("withdraw", directory, "linear", "1.1.0").ok()
    assert again.out == "linear 1.1.0 was withdrawn already.\n"


def test_without_the_channels_key_only_what_no_channel_names_is_withdrawn(directory: Path) -> None:
    (directory.with_name("repo-keys") / "channels.pem").unlink()
    before = snapshot_of(directory)
    assert_refused(repo("withdraw", directory, "linear", "1.1.0"), 3, "channels")
    assert snapshot_of(directory) == before
    repo("withdraw", directory, "linear", "1.0.0").ok()


def test_a_withdrawal_can_be_signed_elsewhere(directory: Path, tmp_path: Path) -> None:
    request, keys = tmp_path / "withdraw.json", directory.with_name("repo-keys")
    for role in ("targets", "channels"):
        (keys / f"{role}.pem").rename(tmp_path / f"{role}.pem")
    repo("withdraw", directory, "linear", "1.1.0", "--request", request).ok()
    shown = call("sealift", "repo", "sign", request).ok().out
    assert "* releases/linear/1.1.0 (no longer)" in shown
    assert "linear/1.1.0" in next(line for line in shown.splitlines() if "dev.sealift.withdrawn" in line)
    for role in ("targets", "channels"):
        repo("sign", request, "--key", tmp_path / f"{role}.pem").ok()
    repo("publish", directory, request).ok()
    assert status(directory).json["channels"] == {"beta": {}, "stable": {}}
    assert "linear:1.1.0" not in (directory / "index.json").read_text()


@pytest.mark.parametrize("late", ["promotion", "withdrawal"])
def test_a_request_that_another_publication_made_wrong_is_refused(directory: Path, tmp_path: Path, late: str) -> None:
    """Either is right by itself, and neither changes a version that the other one follows on."""
    request, keys = tmp_path / "request.json", directory.with_name("repo-keys")
    role = "channels" if late == "promotion" else "targets"
    promotion = ["promote", directory, "linear", "1.0.0", "--channel", "stable"]
    withdrawal = ["withdraw", directory, "linear", "1.0.0"]
    late_words, words = (promotion, withdrawal) if late == "promotion" else (withdrawal, promotion)
    (keys / f"{role}.pem").rename(tmp_path / f"{role}.pem")
    repo(*late_words, "--request", request).ok()
    repo("sign", request, "--key", tmp_path / f"{role}.pem").ok()
    repo(*words).ok()
    before = snapshot_of(directory)
    assert_refused(
        repo("publish", directory, request), 3, "channels/stable.json: a channel would name a release that isn't published: found linear 1.0.0"
    )
    assert snapshot_of(directory) == before


@pytest.mark.parametrize(
    ("words", "result"),
    [
        (["promote", "REPO", "linear", "1.0.0", "--channel", "stable"], "Channel stable: linear is now 1.0.0."),
        (["demote", "REPO", "linear", "--channel", "stable"], "Channel stable no longer names linear."),
        (["channel", "remove", "REPO", "beta"], "Channel beta is removed."),
        (["withdraw", "REPO", "linear", "1.1.0"], "Withdrawn: linear 1.1.0."),
        (["refresh", "REPO", "--role", "targets"], "Signed again: timestamp version 6."),
        (["rotate", "REPO", "root"], "root: 1 of a new key"),
        (["revoke", "REPO", "KEYID"], "targets: 1 of a new key"),
        (["add", "REPO", "RELEASE"], "Published linear 2.0.0: "),
        (["promote", "REPO", "linear", "1.0.0", "--channel", "stable", "--request", "FILE"], "Request: "),
    ],
)
def test_a_dry_run_says_what_would_be_and_writes_nothing(directory: Path, tmp_path: Path, words: list[str], result: str) -> None:
    places: dict[str, object] = {"REPO": directory, "FILE": tmp_path / "request.json"}
    if "RELEASE" in words:
        places["RELEASE"] = release_in(tmp_path, "2.0.0")
    if "KEYID" in words:
        places["KEYID"] = next(role["keys"][0] for role in status(directory).json["roles"] if role["role"] == "targets")
    before = snapshot_of(tmp_path)
    done = repo(*(places.get(word, word) for word in words), "--dry-run").ok()
    assert done.out.startswith("Dry run: nothing was written. Without --dry-run, this would be the result:\n")
    assert f"  {result}" in done.out
    assert snapshot_of(tmp_path) == before
    assert Repository(directory).read_metadata()


def test_a_dry_run_of_a_publication_counts_signatures_and_writes_nothing(directory: Path, tmp_path: Path) -> None:
    request = tmp_path / "request.json"
    (directory.with_name("repo-keys") / "channels.pem").rename(tmp_path / "channels.pem")
    repo("promote", directory, "linear", "1.0.0", "--channel", "stable", "--request", request).ok()
    assert_refused(repo("publish", directory, request, "--dry-run"), 3, "not enough signatures of the role channels")
    repo("sign", request, "--key", tmp_path / "channels.pem").ok()
    before = snapshot_of(directory)
    assert "Metadata: 4.channels.json" in repo("publish", directory, request, "--dry-run").ok().out
    assert snapshot_of(directory) == before


def test_a_verb_that_isnt_there_gets_the_ones_that_take_away(directory: Path) -> None:
    refused = call("sealift", "repo", "remove", directory, "linear")
    assert refused.code == 2
    assert "Did you mean 'demote' or 'withdraw'?" in refused.err


def test_a_dry_run_fails_as_the_command_itself_would(directory: Path) -> None:
    refused = repo("promote", directory, "linear", "1.0.0", "--channel", "stabel", "--dry-run")
    assert_refused(refused, 3, "Did you mean 'stable'?")
