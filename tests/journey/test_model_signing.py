"""The public model_signing tool verifies what we sign, and we verify what it signs."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from sealift_core.bundle import files
from sealift_core.signing.keys import PrivateKey
from support.cli import ROOT, run
from support.models import make_bundle
from support.verified import verify_directory

TOOL = ROOT / ".venv-signing" / "bin" / "model_signing"
pytestmark = pytest.mark.skipif(not TOOL.exists(), reason="make test sets up .venv-signing with the public tool")


@pytest.fixture
def key(tmp_path: Path) -> PrivateKey:
    made = PrivateKey.generate()
    made.save(tmp_path / "key.pem")
    (tmp_path / "key.pub").write_bytes(made.public_key.pem())
    return made


def tool(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(TOOL), *map(str, words)], capture_output=True, text=True, check=False, timeout=120)


def test_the_public_tool_verifies_a_bundle_of_ours(tmp_path: Path, key: PrivateKey) -> None:
    make_bundle(tmp_path / "bundle", model="sharded", key=key)
    signature = tmp_path / "bundle" / files.SIGNATURE
    done = tool("verify", "key", tmp_path / "bundle", "--signature", signature, "--public_key", tmp_path / "key.pub")
    assert done.returncode == 0, done.stderr


def test_the_public_tool_refuses_a_bundle_of_ours_that_was_changed(tmp_path: Path, key: PrivateKey) -> None:
    make_bundle(tmp_path / "bundle", key=key)
    (tmp_path / "bundle" / files.CARD).write_text("changed")
    signature = tmp_path / "bundle" / files.SIGNATURE
    assert tool("verify", "key", tmp_path / "bundle", "--signature", signature, "--public_key", tmp_path / "key.pub").returncode != 0


def test_we_verify_a_bundle_that_the_public_tool_signed(tmp_path: Path, key: PrivateKey) -> None:
    make_bundle(tmp_path / "bundle", model="sharded", key=PrivateKey.generate())
    signature = tmp_path / "bundle" / files.SIGNATURE
    signature.unlink()
    done = tool("sign", "key", tmp_path / "bundle", "--signature", signature, "--private_key", tmp_path / "key.pem")
    assert done.returncode == 0, done.stderr
    assert verify_directory(tmp_path / "bundle", key.public_key).name == "bundle"
    run("sealift", "verify", tmp_path / "bundle", "--public-key", tmp_path / "key.pub").ok()
