"""The bundles that tests are made of are what a packager would make."""

from __future__ import annotations

from pathlib import Path

import pytest

from sealift_core.bundle.golden import decode_golden
from sealift_core.bundle.layout import OciLayout
from sealift_core.bundle.release import only_release
from sealift_core.verify.check import check_release_bundle
from sealift_core.verify.materialize import materialize
from support.models import MODELS, make_bundle, make_profile, make_release, shared_key
from support.verified import check_directory


@pytest.mark.parametrize("model", MODELS)
def test_a_made_bundle_passes_every_check(tmp_path: Path, model: str) -> None:
    manifest = make_bundle(tmp_path / "bundle", model=model)
    assert check_directory(tmp_path / "bundle", shared_key().public_key) == manifest
    data = (tmp_path / "bundle" / "golden.safetensors").read_bytes()
    cases = decode_golden(data, manifest.inputs, manifest.outputs, manifest.golden.cases)
    assert len(cases) == len(MODELS[model].requests)


def test_a_made_release_can_be_materialized(tmp_path: Path) -> None:
    make_bundle(tmp_path / "a", model="sharded", profile=make_profile("one"))
    make_bundle(tmp_path / "b", model="sharded", profile=make_profile("two"))
    release = make_release(tmp_path / "layout", tmp_path / "a", tmp_path / "b")
    layout = OciLayout.open(tmp_path / "layout")
    assert only_release(layout)[0] == release
    digest = release.bundle("two").manifest.digest
    check_release_bundle(layout, release, release.bundle("two"), key=shared_key().public_key)
    materialize(layout, digest, tmp_path / "installed")
    assert check_directory(tmp_path / "installed", shared_key().public_key).profile.name == "two"
