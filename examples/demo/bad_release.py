"""A release that is properly signed and published, and yet wrong: its weights aren't those its golden cases were made with."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

from sealift_core.bundle import files
from sealift_core.bundle.golden import GoldenCase, decode_golden, encode_golden
from sealift_core.bundle.layout import OciLayout
from sealift_core.bundle.manifest import BundleManifest
from sealift_core.bundle.release import Release, add_bundle, add_release
from sealift_core.bundle.signature import sign_directory
from sealift_core.signing.keys import PrivateKey


def make_bad_release(bundle: Path, version: str, key_file: Path, out: Path) -> None:
    """From an unpacked bundle, make a signed release of another version whose golden outputs are off by one."""
    key = PrivateKey.load(key_file)
    spoiled = out.with_name(f"{out.name}-bundle")
    shutil.copytree(bundle, spoiled)
    manifest = BundleManifest.parse((bundle / files.MANIFEST).read_bytes())
    cases = decode_golden((bundle / files.GOLDEN).read_bytes(), manifest.inputs, manifest.outputs, manifest.golden.cases)
    off = [GoldenCase(inputs=case.inputs, outputs={name: value + 1 for name, value in case.outputs.items()}) for case in cases]
    (spoiled / files.GOLDEN).write_bytes(encode_golden(off, manifest.inputs, manifest.outputs))
    (spoiled / files.MANIFEST).write_bytes(dataclasses.replace(manifest, version=version).to_bytes())
    sign_directory(spoiled, f"{manifest.name}-{version}", key)
    layout = OciLayout.create(out)
    release = Release(name=manifest.name, version=version, bundles=(add_bundle(layout, spoiled),), public_key=key.public_key)
    add_release(layout, release)
