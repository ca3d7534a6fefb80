"""Encrypted keys: one convention for every command that signs, and no passphrase where another process or user can read it."""

from __future__ import annotations

import os
import pty
import stat
import subprocess
from pathlib import Path

import pytest

import sealift_packager
from sealift_core import durable
from sealift_core.errors import KeyFileError, PassphraseError, StoreError
from sealift_core.signing.keys import PrivateKey
from sealift_packager.keys.passphrase import VARIABLE, Passphrases
from support import trained
from support.cli import BIN, Ran, call
from support.workshop import assert_refused

WORD = b"correct horse"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of one model and an encrypted key, with its passphrase in a file, and a wrong one in another."""
    PrivateKey.generate().save(tmp_path / "key.pem", WORD)
    (tmp_path / "word").write_bytes(WORD + b"\r\nnot this line\n")
    (tmp_path / "wrong").write_text("wrong\n")
    what = trained.onnx_net()
    (tmp_path / "project.toml").write_text(
        f'[defaults]\nversion = "1.0.0"\nprofile = ["arm64-dotprod"]\nkey = "key.pem"\n[models.net]\nmodel = "{what.model}"\n'
    )
    return tmp_path


def build(project: Path, *words: object, env: dict[str, str] | None = None) -> Ran:
    return call("sealift", "build", "project.toml", "--no-cache", *words, cwd=project, env=env)


def test_build_takes_the_passphrase_from_a_file(project: Path) -> None:
    assert build(project, "--passphrase-file", "word", "--json").ok().json[0]["error"] is None


def test_build_takes_the_passphrase_from_the_environment(project: Path) -> None:
    assert build(project, "--json", env={VARIABLE: WORD.decode()}).ok().json[0]["error"] is None


def test_build_tries_several_files(project: Path) -> None:
    build(project, "--passphrase-file", "wrong", "--passphrase-file", "word").ok()


@pytest.mark.parametrize(
    ("words", "message"), [((), "needs a passphrase. Pass --passphrase-file"), (("--passphrase-file", "wrong"), "passphrase is wrong")]
)
def test_build_says_so_before_it_builds_anything(project: Path, words: tuple[str, ...], message: str) -> None:
    assert_refused(build(project, *words), 3, message)
    assert not (project / "releases").exists()


def test_a_passphrase_file_is_not_silently_left_out_for_ray(project: Path) -> None:
    done = build(project, "--ray", "auto", "--passphrase-file", "word")
    assert done.code == 2
    assert VARIABLE in done.err


def test_pack_takes_the_passphrase_from_a_file(project: Path) -> None:
    words = ["pack", trained.onnx_net().model, "--name", "net", "--version", "1.0.0", "--profile", "arm64-dotprod", "--out", "out", "--no-cache"]
    done = call("sealift", *words, "--key", "key.pem", "--passphrase-file", "word", "--json", cwd=project).ok()
    assert done.json["signed_by"] == PrivateKey.load(project / "key.pem", WORD).public_key.fingerprint


def test_the_python_function_takes_the_passphrase_from_the_environment(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, WORD.decode())
    packed = sealift_packager.pack(trained.onnx_net().model, name="net", profile="arm64-dotprod", out=project / "out", key=project / "key.pem")
    assert packed.release.public_key is not None


def test_the_passphrase_is_taken_out_of_the_environment_that_children_inherit() -> None:
    environment = {VARIABLE: "secret", "OTHER": "x"}
    assert Passphrases.collect((), environment).given == (b"secret",)
    assert environment == {"OTHER": "x"}


def test_somebody_at_a_terminal_is_asked(project: Path) -> None:
    ours, theirs = pty.openpty()
    words = [str(BIN / "sealift"), "build", "project.toml", "--no-cache", "--json"]
    with subprocess.Popen(words, cwd=project, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True) as done:
        os.close(theirs)
        assert done.stderr is not None
        output = b""
        while not output.endswith(b"key.pem: "):
            output += done.stderr.read(1)
        os.write(ours, WORD + b"\n")
        out, err = done.communicate(timeout=300)
    os.close(ours)
    assert done.returncode == 0, err
    assert b"Passphrase of " in output
    assert WORD not in out + err


def test_passphrases_are_not_shown_where_the_value_is_printed() -> None:
    assert "secret" not in repr(Passphrases(given=(b"secret",)))


def test_a_passphrase_file_that_is_empty_is_named(project: Path) -> None:
    (project / "empty").write_text("\n")
    assert_refused(build(project, "--passphrase-file", "empty"), 3, "empty: no passphrase")


def test_a_generated_key_is_its_owners_alone_and_replaces_nothing(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        call("sealift", "keys", "generate", tmp_path / "k").ok()
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "k").stat().st_mode) == 0o600
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    assert_refused(call("sealift", "keys", "generate", tmp_path / "link"), 6, "keys are never overwritten")
    assert not (tmp_path / "elsewhere").exists()


def test_a_new_file_never_replaces_another_one(tmp_path: Path) -> None:
    (tmp_path / "k").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "k")
    for name in ("k", "link"):
        with pytest.raises(StoreError, match="with this name exists, and is not overwritten"):
            durable.write_new(tmp_path / name, b"other")
    assert (tmp_path / "k").read_text() == "mine"


def test_a_missing_and_a_wrong_passphrase_are_told_from_a_broken_key(tmp_path: Path) -> None:
    PrivateKey.generate().save(tmp_path / "k", WORD)
    for given in ((), (b"wrong",)):
        with pytest.raises(PassphraseError):
            Passphrases(given=given).load(tmp_path / "k")
    (tmp_path / "k").write_text("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n")
    with pytest.raises(KeyFileError):
        Passphrases(given=(WORD,)).load(tmp_path / "k")
