"""The pinned requirements of a kit: all that the agent needs and nothing else, each by version and digest."""

from __future__ import annotations

import hashlib
import sys
import zipfile
from pathlib import Path

import pytest

from sealift_packager.errors import KitError
from sealift_packager.kit.requirements import MAX_METADATA_BYTES, Wheel, read_wheels, render_requirements
from support.wheels import write_agent_wheels, write_wheel

PYTHON = f"3.{sys.version_info.minor}"


def rendered(folder: Path, python: str = PYTHON, machine: str = "x86_64") -> dict[str, list[str]]:
    """Each pinned requirement with its hashes."""
    text = render_requirements(read_wheels(folder), python, [machine]).decode().replace("\\\n", "")
    return {line.split()[0]: line.split()[1:] for line in text.splitlines()}


def pin(path: Path) -> str:
    return f"--hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


def test_every_wheel_that_is_needed_is_pinned_by_version_and_digest(tmp_path: Path) -> None:
    folder = write_agent_wheels(tmp_path)
    assert rendered(folder) == {
        "onnxruntime==1.99.0": [pin(next(folder.glob("onnx*")))],
        "sealift-core==9.9.9": [pin(next(folder.glob("sealift_core*")))],
        "sealift-runtime[cpu]==9.9.9": [pin(next(folder.glob("sealift_runtime*")))],
    }


def test_a_wheel_that_nothing_needs_is_not_named(tmp_path: Path) -> None:
    folder = write_agent_wheels(tmp_path)
    write_wheel(folder, "stowaway", "1.0", {})
    assert not any(name.startswith("stowaway") for name in rendered(folder))


def test_what_a_dependency_needs_is_named_where_its_condition_holds(tmp_path: Path) -> None:
    folder = write_agent_wheels(tmp_path)
    next(folder.glob("onnx*")).unlink()
    needs = ["a>=1", "b; python_version<'3.0'", "c; platform_machine=='aarch64'", "d; extra=='x'", "e[x]; sys_platform=='linux'"]
    write_wheel(folder, "onnxruntime", "1.99.0", {}, metadata="".join(f"Requires-Dist: {need}\n" for need in needs))
    for name in "abcdf":
        write_wheel(folder, name, "1.0", {})
    write_wheel(folder, "e", "1.0", {}, metadata="Provides-Extra: x\nRequires-Dist: f; extra=='x'\n")
    assert {name[0] for name in rendered(folder)} == set("aefos")
    assert {name[0] for name in rendered(folder, machine="aarch64")} == set("acefos")


def test_each_python_gets_the_newest_version_that_it_can_have(tmp_path: Path) -> None:
    folder = write_agent_wheels(tmp_path)
    write_wheel(folder, "onnxruntime", "2.0.0", {}, metadata="Requires-Python: >=3.13\n")
    assert "onnxruntime==1.99.0" in rendered(folder, "3.12")
    assert "onnxruntime==2.0.0" in rendered(folder, "3.13")


def test_wheels_of_several_machines_are_alternatives(tmp_path: Path) -> None:
    folder = write_agent_wheels(tmp_path)
    next(folder.glob("onnx*")).unlink()
    made = [write_wheel(folder, "onnxruntime", "1.0", {}, tag=f"cp311-cp311-manylinux_2_28_{machine}") for machine in ("x86_64", "aarch64")]
    assert rendered(folder, "3.11")["onnxruntime==1.0"] == sorted(map(pin, made))


def test_a_missing_dependency_is_found_when_the_kit_is_built(tmp_path: Path) -> None:
    folder = write_agent_wheels(tmp_path)
    write_wheel(folder, "onnxruntime", "1.99.1", {}, metadata="Requires-Dist: lost>=2\n")
    with pytest.raises(KitError, match=r"a wheel is missing: lost: expected lost>=2, which onnxruntime needs, found none"):
        rendered(folder)


def test_a_dependency_of_the_wrong_version_is_found_when_the_kit_is_built(tmp_path: Path) -> None:
    folder = write_agent_wheels(tmp_path)
    write_wheel(folder, "onnxruntime", "1.99.1", {}, metadata="Requires-Dist: old>=2\n")
    write_wheel(folder, "old", "1.0", {})
    with pytest.raises(KitError, match=r"a wheel is missing: old: expected old>=2, which onnxruntime needs, found 1.0"):
        rendered(folder)


def test_a_file_that_is_no_wheel_inside_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x-1.0-py3-none-any.whl"
    path.write_bytes(b"PK")
    with pytest.raises(KitError, match=r"x-1.0-py3-none-any.whl: not a wheel"):
        Wheel.read(path)


def test_metadata_that_unpacks_to_too_much_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "x-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x-1.0.dist-info/METADATA", bytes(MAX_METADATA_BYTES * 50))
    assert path.stat().st_size < 100_000
    with pytest.raises(KitError, match="metadata is too large"):
        Wheel.read(path)
