"""What is built from packager/ carries the hardware profiles."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
NAMES = {path.name for path in (ROOT / "hardware-profiles").glob("*.toml")}


def build_wheel(source: Path, folder: Path) -> set[str]:
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(folder), str(source)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    (wheel,) = folder.glob("sealift_packager-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return {Path(name).name for name in archive.namelist() if name.startswith("sealift_packager/hardware_profiles/")}


@pytest.mark.slow
def test_the_wheel_of_a_checkout_carries_the_profiles(tmp_path: Path) -> None:
    assert build_wheel(ROOT / "packager", tmp_path) == NAMES


@pytest.mark.slow
def test_the_wheel_of_an_sdist_carries_the_profiles(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "--target", "sdist", "--directory", str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True, timeout=120, cwd=ROOT / "packager")
    (sdist,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    assert build_wheel(tmp_path / sdist.name.removesuffix(".tar.gz"), tmp_path / "wheels") == NAMES
