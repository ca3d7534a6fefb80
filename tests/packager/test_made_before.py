"""Releases, bundles, repositories and kits of an earlier version: today's `sealift` verifies them and goes on with them."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from sealift_core.signing.keys import PrivateKey
from support.cli import Ran, call
from support.made_before import COMMITS, MadeBefore, resign_repository
from support.models import make_bundle, make_release
from support.repositories import snapshot_of
from support.workshop import assert_refused

PROFILE = "x86-64-baseline"


@pytest.fixture(params=COMMITS)
def made(request: pytest.FixtureRequest, tmp_path: Path) -> MadeBefore:
    return MadeBefore.copy(request.param, tmp_path / "made")


@pytest.fixture
def resigned(made: MadeBefore) -> MadeBefore:
    """With a repository whose keys are at hand."""
    resign_repository(made)
    return made


def repo(*words: object) -> Ran:
    return call("sealift", "repo", *words)


def status(directory: Path) -> Any:
    return repo("status", directory, "--json").ok().json


def new_release(place: Path) -> Path:
    """A release of today of the model iris, by another key."""
    key = PrivateKey.generate()
    make_bundle(place / "bundle", name="iris", version="2.0.0", key=key)
    make_release(place / "layout", place / "bundle", key=key)
    return place / "layout"


def test_a_release_verifies(made: MadeBefore) -> None:
    assert "signature good" in call("sealift", "verify", made.release, "--public-key", made.bundle_key).ok().out


def test_a_bundle_verifies(made: MadeBefore) -> None:
    assert "signature good" in call("sealift", "verify", made.bundle, "--public-key", made.bundle_key).ok().out


def test_a_flipped_byte_of_a_bundle_is_refused(made: MadeBefore) -> None:
    model = made.bundle / "model.onnx"
    data = bytearray(model.read_bytes())
    data[-1] ^= 1
    model.write_bytes(data)
    assert_refused(call("sealift", "verify", made.bundle, "--public-key", made.bundle_key), 4, "model.onnx")


def test_unpacking_a_release_gives_what_it_gave(made: MadeBefore, tmp_path: Path) -> None:
    call("sealift", "unpack", made.release, tmp_path / "bundle", "--profile", PROFILE).ok()
    assert snapshot_of(tmp_path / "bundle") == snapshot_of(made.bundle)


def test_inspect_explain_and_diff_read_them(made: MadeBefore) -> None:
    assert "digits 1.0.0" in call("sealift", "inspect", made.release).ok().out
    assert "int8" in call("sealift", "explain", made.bundle).ok().out
    call("sealift", "diff", made.release, made.release).ok()


def test_a_repository_is_read(made: MadeBefore) -> None:
    seen = status(made.repository)
    assert seen["channels"] == {"stable": {"digits": "1.0.0", "iris": "1.2.0"}}
    assert not seen["stale"]


def test_a_repository_takes_a_further_version_and_a_rotation(resigned: MadeBefore, tmp_path: Path) -> None:
    before = snapshot_of(resigned.repository / "blobs")
    repo("add", resigned.repository, new_release(tmp_path), "--new-key").ok()
    repo("promote", resigned.repository, "iris", "2.0.0", "--channel", "stable").ok()
    repo("rotate", resigned.repository, "targets").ok()
    repo("refresh", resigned.repository).ok()
    assert status(resigned.repository)["channels"] == {"stable": {"digits": "1.0.0", "iris": "2.0.0"}}
    assert snapshot_of(resigned.repository / "blobs").items() >= before.items()


def test_a_repository_still_knows_the_key_of_its_bundles(resigned: MadeBefore, tmp_path: Path) -> None:
    assert_refused(repo("add", resigned.repository, new_release(tmp_path)), 4, "--new-key")


def test_a_repository_has_a_release_already_that_was_published_then(resigned: MadeBefore) -> None:
    assert "is already published" in repo("add", resigned.repository, resigned.release, "--public-key", resigned.bundle_key).ok().out


def test_a_kit_holds_what_it_lists_and_its_signature_is_good(made: MadeBefore) -> None:
    subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=made.kit, check=True)
    signature = ("-verify", made.bundle_key, "-signature", "SHA256SUMS.sig", "SHA256SUMS")
    subprocess.run(["openssl", "dgst", "-sha256", *signature], cwd=made.kit, check=True)


def test_a_kit_is_built_from_a_repository_and_the_wheels_of_the_agent_of_then(made: MadeBefore, tmp_path: Path) -> None:
    words = ("--repo", made.repository, "--out", tmp_path / "kit", "--model", "iris", "--wheels", made.kit / "wheels")
    assert call("sealift", "kit", "build", *words, "--json").ok().json["releases"] == [{"name": "iris", "version": "1.2.0"}]
