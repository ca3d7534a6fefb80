"""The commands, run as a user runs them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
import sklearn
from click.testing import CliRunner

from sealift_core.signing.keys import PrivateKey
from sealift_packager.cli import cli
from sealift_packager.cli.progress import LineProgress
from sealift_packager.keys.passphrase import VARIABLE
from support import trained
from support.cli import Ran, call


def sealift(*words: object, environment: dict[str, str] | None = None) -> Ran:
    return call("sealift", *words, env=environment)


def in_pipes(*words: object, environment: dict[str, str]) -> Ran:
    """Run the command in a process of its own that has nothing of ours in its environment."""
    code = "from sealift_packager.cli import main; main()"
    env = {"PATH": "/usr/bin:/bin", "SEALIFT_CACHE": str(trained.folder() / "cache"), **environment}
    done = subprocess.run([sys.executable, "-c", code, *map(str, words)], capture_output=True, text=True, timeout=120, check=False, env=env)
    return Ran(done.returncode, done.stdout, done.stderr)


def pack_words(tmp_path: Path, *more: object) -> list[object]:
    words = ["pack", trained.cancer().model, "--trust-pickle", "--name", "cancer", "--version", "1.0.0", "--profile", "arm64-dotprod"]
    return [*words, "--data", trained.cancer().data, "--target", "diagnosis", "--out", tmp_path / "out", *more]


def test_a_key_is_made_used_and_checked(tmp_path: Path) -> None:
    key, secret = tmp_path / "bundle.pem", {VARIABLE: "correct horse"}
    made = sealift("keys", "generate", key, "--json", environment=secret)
    assert made.json["encrypted"] is True
    again = sealift("keys", "generate", key, environment=secret)
    assert again.code == 6
    assert "never overwritten" in again.err
    assert "needs a passphrase" in sealift(*pack_words(tmp_path, "--key", key)).err
    packed = in_pipes(*pack_words(tmp_path, "--key", key, "--json"), environment=secret | {"SOURCE_DATE_EPOCH": "1700000000"})
    assert packed.code == 0, packed.err
    assert packed.err == ""
    result = packed.json
    assert result["bundles"][0]["manifest"]["created"] == "2023-11-14T22:13:20Z"
    public = tmp_path / "bundle.pem.pub"
    verified = sealift("verify", tmp_path / "out", "--public-key", public, "--json")
    assert verified.json["bundles"][0]["profile"] == "arm64-dotprod"
    unpacked = tmp_path / "bundle"
    assert sealift("unpack", tmp_path / "out", "--profile", "arm64-dotprod", unpacked).code == 0
    assert "signature good" in sealift("verify", unpacked, "--public-key", public).out
    (unpacked / "baseline.json").write_text("{}")
    broken = sealift("verify", unpacked, "--public-key", public)
    assert broken.code == 4
    assert "baseline.json" in broken.err


@pytest.mark.long
def test_a_pipe_gets_a_line_for_each_stage_with_its_time_and_standard_output_the_result_alone(tmp_path: Path) -> None:
    packed = in_pipes(*pack_words(tmp_path, "--no-cache"), environment={}).ok()
    lines = packed.err.splitlines()
    assert [re.sub(r" \d+\.\d s$", " …", line) for line in lines][:3] == [
        "Load model and data: …",
        "Run the source model on the holdout: …",
        f"Convert from scikit-learn {sklearn.__version__}: …",
    ]
    assert packed.complaint == ""
    assert not any(line in packed.out for line in lines)
    assert in_pipes(*pack_words(tmp_path, "--force", "-q"), environment={}).ok().err == ""
    assert in_pipes(*pack_words(tmp_path, "--force", "--json"), environment={}).ok().err == ""


def test_a_stage_that_takes_long_says_that_it_runs(capsys: pytest.CaptureFixture[str]) -> None:
    with LineProgress(sign_of_life_s=0.05).stage("Convert"):
        time.sleep(0.2)
    *alive, last = capsys.readouterr().err.splitlines()
    assert alive
    assert set(alive) == {"Convert: has been running for 0 s"}
    assert re.fullmatch(r"Convert: 0\.\d s", last)


def test_inspect_shows_a_release_and_a_bundle(tmp_path: Path) -> None:
    assert sealift(*pack_words(tmp_path)).code == 0
    run = CliRunner()
    text = run.invoke(cli, ["inspect", str(tmp_path / "out")])
    assert "cancer 1.0.0 for arm64-dotprod" in text.output
    assert "not signed" in text.output
    bundles = json.loads(run.invoke(cli, ["inspect", str(tmp_path / "out"), "--profile", "arm64-dotprod", "--json"]).output)
    assert bundles[0]["manifest"]["name"] == "cancer"


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["pack", "no.joblib", "--name", "a", "--version", "1.0.0", "--profile", "x86-64-avx", "--out", "o"], 3, "Did you mean 'x86-64-avx2'"),
        (["pack", "no.joblib", "--name", "a", "--version", "1.0.0", "--profile", "x86-64-avx2", "--out", "o"], 3, "no such model file"),
        (["pack", "no.joblib", "--nam", "a"], 2, "--name"),
        (["inspect", "nowhere"], 3, "not the output of a sealift command"),
        (["verify", "nowhere", "--public-key", "nowhere.pub"], 3, "key file can't be read"),
    ],
)
def test_what_is_wrong_is_said_with_its_exit_code(words: list[str], code: int, message: str, tmp_path: Path) -> None:
    done = sealift(*words)
    assert done.code == code
    assert message in done.err
    assert "Traceback" not in done.err


def test_a_passphrase_file_encrypts_the_key(tmp_path: Path) -> None:
    (tmp_path / "word").write_text("secret\n")
    run = CliRunner()
    assert run.invoke(cli, ["keys", "generate", str(tmp_path / "k"), "--passphrase-file", str(tmp_path / "word")]).exit_code == 0
    assert PrivateKey.load(tmp_path / "k", b"secret").public_key.pem() == (tmp_path / "k.pub").read_bytes()


def test_every_command_has_help() -> None:
    for name in ("pack", "inspect", "verify", "unpack", "keys", "profiles", "repo", "kit"):
        done = CliRunner().invoke(cli, [name, "--help"])
        assert done.exit_code == 0
        assert len(done.output.splitlines()) > 3


def test_help_does_not_import_heavy_libraries() -> None:
    heavy = ("torch", "sklearn", "onnx", "onnxruntime", "pandas")
    code = f"import sys; from sealift_packager.cli import cli; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
