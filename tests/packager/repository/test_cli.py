"""`sealift repo`, as it is called."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sealift_core.bundle.digest import Digest
from sealift_core.terminal import commandline
from sealift_packager.cli.repo import repo
from support.models import make_bundle, make_release, shared_key


def expect(capsys: pytest.CaptureFixture[str], *arguments: str | Path, code: int = 0) -> str:
    with pytest.raises(SystemExit) as caught:
        commandline.run(repo, [str(word) for word in arguments])
    captured = capsys.readouterr()
    assert caught.value.code == code, captured.err
    return captured.out if code == 0 else captured.err


def expect_json(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> Any:
    return json.loads(expect(capsys, *arguments, "--json"))


@pytest.fixture
def release(tmp_path: Path) -> Path:
    make_bundle(tmp_path / "bundle")
    make_release(tmp_path / "layout", tmp_path / "bundle")
    return tmp_path / "layout"


def test_a_repository_is_made_filled_promoted_and_looked_at(tmp_path: Path, release: Path, capsys: pytest.CaptureFixture[str]) -> None:
    directory = tmp_path / "repo"
    made = expect_json(capsys, "init", directory)
    assert made["root"] == str(directory / "metadata/root.json")
    assert made["keys"] == str(tmp_path / "repo-keys")
    assert made["root_digest"] == str(Digest.of_file(directory / "metadata/root.json"))
    (tmp_path / "release.pub").write_bytes(shared_key().public_key.pem())
    assert "Published linear 1.0.0" in expect(capsys, "add", directory, release, "--public-key", tmp_path / "release.pub")
    assert "is already published" in expect(capsys, "add", directory, release)
    assert "linear is now 1.0.0" in expect(capsys, "promote", directory, "linear", "1.0.0", "--channel", "stable")
    assert expect_json(capsys, "refresh", directory)["timestamp_version"] == 4
    status = expect_json(capsys, "status", directory)
    assert status["channels"] == {"stable": {"linear": "1.0.0"}}
    assert status["stale"] is False
    assert [role["role"] for role in status["roles"]] == ["root", "targets", "channels", "snapshot", "timestamp"]
    assert "linear 1.0.0  any-cpu" in expect(capsys, "status", directory)


def test_expiries_can_be_chosen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    expect(capsys, "init", tmp_path / "repo", "--expires", "timestamp=3", "--expires", "root=36500")
    text = expect(capsys, "status", tmp_path / "repo")
    assert "expires soon" in text
    assert "sealift repo refresh" in text


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("timestmp=3", "no such role: expected one of root, targets, channels, snapshot, timestamp. Did you mean 'timestamp'?"),
        ("timestamp", "not a number of days"),
        ("timestamp=0", "not a number of days: expected 1 to 36500, found '0'"),
        ("timestamp=-1", "not a number of days"),
        ("timestamp=soon", "not a number of days"),
    ],
)
def test_a_wrong_expiry_exits_with_3(tmp_path: Path, capsys: pytest.CaptureFixture[str], setting: str, message: str) -> None:
    assert message in expect(capsys, "init", tmp_path / "repo", "--expires", setting, code=3)


def test_exit_codes_tell_what_kind_of_trouble_it_is(tmp_path: Path, release: Path, capsys: pytest.CaptureFixture[str]) -> None:
    expect(capsys, "status", tmp_path / "repo", code=3)
    expect(capsys, "init", tmp_path / "repo")
    expect(capsys, "init", tmp_path / "repo", code=6)
    expect(capsys, "promote", tmp_path / "repo", "linear", "1.0.0", "--channel", "stable", code=3)
    next((release / "blobs/sha256").iterdir()).write_bytes(b"tampered")
    expect(capsys, "add", tmp_path / "repo", release, code=4)
