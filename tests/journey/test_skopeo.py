"""A release is an OCI artifact: the tools that carry images carry it, and nothing changes on the way."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from sealift_core.bundle.layout import OciLayout
from sealift_core.signing.keys import PrivateKey
from support.models import make_bundle, make_release

SKOPEO = shutil.which("skopeo")
pytestmark = pytest.mark.skipif(SKOPEO is None, reason="skopeo isn't installed: apt-get install skopeo")


def test_skopeo_copies_a_release_with_every_digest_unchanged(tmp_path: Path) -> None:
    key = PrivateKey.generate()
    make_bundle(tmp_path / "bundle", key=key)
    make_release(tmp_path / "release", tmp_path / "bundle", key=key)
    reference = OciLayout.open(tmp_path / "release").index()[0].annotations["org.opencontainers.image.ref.name"]
    places = [f"oci:{tmp_path / name}:{reference}" for name in ("release", "copy")]
    done = subprocess.run([str(SKOPEO), "copy", "--insecure-policy", "--all", *places], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    original, copied = (OciLayout.open(tmp_path / name) for name in ("release", "copy"))
    assert [entry.digest for entry in copied.index()] == [entry.digest for entry in original.index()]
    assert sorted(path.name for path in copied.blobs.iterdir()) == sorted(path.name for path in original.blobs.iterdir())
