"""Where the agent's own wheels come from when nobody passes them, and which versions come with them."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from sealift_core import __version__
from sealift_packager.errors import KitError
from sealift_packager.kit import own_wheels
from sealift_packager.kit.installed import find_installed
from sealift_packager.kit.own_wheels import AGENT_PROJECTS
from sealift_packager.kit.tested import LOCK, untested
from sealift_packager.kit.wheels import WheelRequest, collect_wheels
from support.wheels import write_agent_wheels, write_wheel


def installed(folder: Path, *wheels: Path) -> Path:
    """A folder with wheels unpacked in it, as an installer leaves them."""
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder)
        info = next(folder.glob(f"{wheel.name.split('-')[0]}-*.dist-info"))
        (info / "INSTALLER").write_text("pip\n")
        with (info / "RECORD").open("a") as record:
            record.write(f"../../bin/a-script,sha256=x,1\n__pycache__/compiled.pyc,,\n{info.name}/INSTALLER,sha256=x,4\n")
    return folder


@pytest.fixture
def beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Our two distributions, installed where the packager looks first."""
    given = write_agent_wheels(tmp_path / "given", version=__version__)
    folder = installed(tmp_path / "site-packages", *sorted(given.glob("sealift*.whl")))
    monkeypatch.syspath_prepend(folder)
    return folder


@pytest.fixture
def nothing_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_wheels, "find_installed", lambda *_: None)


def test_a_wheel_is_made_again_from_what_is_installed(tmp_path: Path) -> None:
    (wheel,) = write_agent_wheels(tmp_path / "given", version="1.2.3").glob("sealift_runtime*.whl")
    made = find_installed("sealift-runtime", "1.2.3", tmp_path / "made", path=[str(installed(tmp_path / "site-packages", wheel))])
    assert made is not None
    assert made.name == wheel.name
    with zipfile.ZipFile(wheel) as before, zipfile.ZipFile(made) as after:
        assert sorted(after.namelist()) == sorted(before.namelist())
        for name in before.namelist():
            if not name.endswith("RECORD"):
                assert after.read(name) == before.read(name)


def test_a_file_that_was_changed_after_its_installation_is_refused(tmp_path: Path) -> None:
    (wheel,) = write_agent_wheels(tmp_path / "given").glob("sealift_runtime*.whl")
    folder = installed(tmp_path / "site-packages", wheel)
    (folder / "recording_agent.py").write_text("import os\n")
    with pytest.raises(KitError, match=r"sealift-runtime: recording_agent.py: an installed file isn't what was installed.*--own-wheel"):
        find_installed("sealift-runtime", "9.9.9", tmp_path / "made", path=[str(folder)])


def test_another_version_isnt_taken_for_this_one(tmp_path: Path) -> None:
    (wheel,) = write_agent_wheels(tmp_path / "given").glob("sealift_runtime*.whl")
    assert find_installed("sealift-runtime", "1.0.0", tmp_path / "made", path=[str(installed(tmp_path / "site-packages", wheel))]) is None


@pytest.mark.usefixtures("beside")
def test_a_kit_takes_the_agent_that_is_installed_beside_the_packager(tmp_path: Path) -> None:
    house = tmp_path / "house"
    write_wheel(house, "onnxruntime", "1.99.0", {})
    wheel_set = collect_wheels(WheelRequest(wheelhouse=house), tmp_path / "wheels")
    assert wheel_set.runtime_version == __version__
    assert len(list((tmp_path / "wheels").glob("sealift*.whl"))) == len(AGENT_PROJECTS)


@pytest.mark.usefixtures("nothing_installed")
def test_no_index_is_asked_for_our_own_wheel_unless_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        KitError, match=r"one of the agent's own wheels is missing: expected sealift-core .*Install sealift-core.*--own-wheel"
    ) as caught:
        collect_wheels(WheelRequest(), tmp_path / "wheels")
    assert "build/wheelhouse" not in str(caught.value)
    write_agent_wheels(tmp_path / "build/wheelhouse", version=__version__)
    with pytest.raises(KitError, match="pass --wheelhouse build/wheelhouse"):
        collect_wheels(WheelRequest(), tmp_path / "again" / "wheels")


def lock(house: Path, *lines: str) -> Path:
    """The agent's wheels, of which sealift-runtime says what it was tested with."""
    write_agent_wheels(house, version=__version__)
    metadata = "Requires-Dist: sealift-core\nProvides-Extra: cpu\nRequires-Dist: onnxruntime>=1; extra == 'cpu'\n"
    write_wheel(house, "sealift-runtime", __version__, {LOCK: "# tested\n" + "\n".join(lines)}, metadata=metadata)
    return house


def test_the_tested_versions_are_taken_not_the_newest(tmp_path: Path) -> None:
    house = lock(tmp_path / "house", "onnxruntime==1.31.1")
    write_wheel(house, "onnxruntime", "1.31.1", {})
    wheel_set = collect_wheels(WheelRequest(wheelhouse=house), tmp_path / "wheels")
    assert [path.name.split("-")[1] for path in (tmp_path / "wheels").glob("onnxruntime*")] == ["1.31.1"]
    assert wheel_set.untested == ()


def test_a_tested_version_that_isnt_to_be_had_is_an_error_unless_any_will_do(tmp_path: Path) -> None:
    house = lock(tmp_path / "house", "onnxruntime==1.31.1")
    with pytest.raises(KitError, match=r"pip can't get.*depends on onnxruntime.*\(constraint\) onnxruntime==1.31.1.*--any-version"):
        collect_wheels(WheelRequest(wheelhouse=house), tmp_path / "first" / "wheels")
    wheel_set = collect_wheels(WheelRequest(wheelhouse=house, any_version=True), tmp_path / "second" / "wheels")
    assert wheel_set.untested == ("onnxruntime is 1.99.0; the agent was tested with 1.31.1.",)


def test_a_folder_that_is_taken_as_it_is_is_compared_with_the_tested_versions(tmp_path: Path) -> None:
    folder = lock(tmp_path / "house", "onnxruntime==1.31.1", "numpy==2.4.6")
    assert collect_wheels(WheelRequest(folder=folder), tmp_path / "wheels").untested == ("onnxruntime is 1.99.0; the agent was tested with 1.31.1.",)


def test_a_lock_that_is_no_list_of_versions_is_refused() -> None:
    with pytest.raises(KitError, match=r"not an exact version: expected like numpy==2.4.6"):
        untested(b"--index-url http://x\n", {})
