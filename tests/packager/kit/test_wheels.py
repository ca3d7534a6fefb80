"""Which wheels fit which Pythons and machines, and how pip is asked for them."""

from __future__ import annotations

import contextlib
import functools
import http.server
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sealift_core import __version__
from sealift_packager.errors import KitError
from sealift_packager.kit import own_wheels
from sealift_packager.kit.own_wheels import AGENT_PROJECTS
from sealift_packager.kit.wheels import WheelRequest, collect_wheels, describe_wheels
from support.wheels import write_agent_wheels, write_wheel

THIS_PYTHON = f"3.{sys.version_info.minor}"
PURE = ["sealift_core-0.1.0-py3-none-any.whl", "sealift_runtime-0.1.0-py3-none-any.whl", "requests-2.32.0-py3-none-any.whl"]


@contextlib.contextmanager
def package_index(root: Path) -> Iterator[tuple[str, list[str]]]:
    """A package index over folders of wheels: its address, and the paths that it is asked for."""
    requested: list[str] = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            requested.append(self.path)

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(root))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", requested
        finally:
            server.shutdown()
            thread.join()


def onnxruntime(python: str, machine: str) -> str:
    return f"onnxruntime-1.22.0-cp{python}-cp{python}-manylinux_2_27_{machine}.manylinux_2_28_{machine}.whl"


def test_python_and_machine_follow_from_the_binary_wheels() -> None:
    wheel_set = describe_wheels([*PURE, onnxruntime("312", "aarch64")], where="x")
    assert (wheel_set.runtime_version, wheel_set.pythons, wheel_set.machines) == ("0.1.0", ("3.12",), ("aarch64",))


def test_wheels_for_several_targets_fit_all_of_them() -> None:
    names = [onnxruntime(python, machine) for python in ("311", "312") for machine in ("x86_64", "aarch64")]
    wheel_set = describe_wheels([*PURE, *names], where="x")
    assert (wheel_set.pythons, wheel_set.machines) == (("3.11", "3.12"), ("x86_64", "aarch64"))


def test_a_stable_abi_wheel_fits_later_pythons() -> None:
    names = [*PURE, onnxruntime("312", "x86_64"), "cryptography-45.0.0-cp311-abi3-manylinux_2_34_x86_64.whl"]
    assert describe_wheels(names, where="x").pythons == ("3.12",)


def test_only_what_every_distribution_fits_counts() -> None:
    names = [*PURE, onnxruntime("311", "x86_64"), onnxruntime("312", "x86_64"), "numpy-2.3.0-cp312-cp312-manylinux_2_28_x86_64.whl"]
    assert describe_wheels(names, where="x").pythons == ("3.12",)


def test_wheels_for_different_pythons_do_not_fit_together() -> None:
    with pytest.raises(KitError, match="are for different Pythons or machines"):
        describe_wheels([*PURE, onnxruntime("311", "x86_64"), "numpy-2.3.0-cp312-cp312-manylinux_2_28_x86_64.whl"], where="x")


def test_pure_wheels_fit_any_machine() -> None:
    wheel_set = describe_wheels([*PURE, "onnxruntime-1.22.0-py3-none-any.whl"], where="x")
    assert (wheel_set.pythons, wheel_set.machines) == ((THIS_PYTHON,), ())


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "x: a wheel is missing: sealift-runtime"),
        (PURE, "x: a wheel is missing: onnxruntime"),
        (["notes.txt"], "x: notes.txt: not a wheel"),
        (["sealift_runtime-0.1.0.tar.gz"], "not a wheel"),
    ],
)
def test_an_incomplete_or_foreign_set_is_refused(names: list[str], message: str) -> None:
    with pytest.raises(KitError, match=message):
        describe_wheels(names, where="x")


def test_a_folder_of_wheels_is_taken_as_it_is(tmp_path: Path) -> None:
    folder = write_agent_wheels(tmp_path / "given")
    (folder / "notes.txt").write_text("not a wheel, not taken")
    assert collect_wheels(WheelRequest(folder=folder), tmp_path / "wheels").runtime_version == "9.9.9"
    assert {path.name for path in (tmp_path / "wheels").iterdir()} == {path.name for path in folder.glob("*.whl")}


def test_pip_brings_the_runtime_and_its_dependencies_from_a_wheelhouse(tmp_path: Path) -> None:
    house = write_agent_wheels(tmp_path / "house")
    ours = tuple(path.rename(tmp_path / path.name) for path in house.glob("sealift*"))
    wheel_set = collect_wheels(WheelRequest(own_wheels=ours, wheelhouse=house), tmp_path / "wheels")
    assert wheel_set.runtime_version == "9.9.9"
    assert {path.name.split("-")[0] for path in (tmp_path / "wheels").iterdir()} == {"sealift_core", "sealift_runtime", "onnxruntime"}


def test_pip_downloads_for_the_target_that_is_named(tmp_path: Path) -> None:
    house = write_agent_wheels(tmp_path / "house")
    next(house.glob("onnxruntime-*.whl")).unlink()
    write_wheel(house, "onnxruntime", "1.99.0", {}, tag="cp312-cp312-manylinux_2_28_aarch64")
    request = WheelRequest(own_wheels=tuple(house.glob("sealift*")), wheelhouse=house, platforms=("manylinux_2_28_aarch64",), pythons=("3.12",))
    wheel_set = collect_wheels(request, tmp_path / "wheels")
    assert (wheel_set.pythons, wheel_set.machines) == (("3.12",), ("aarch64",))


def test_what_pip_says_is_passed_on(tmp_path: Path) -> None:
    house = write_agent_wheels(tmp_path / "house")
    next(house.glob("onnxruntime-*.whl")).unlink()
    with pytest.raises(KitError, match=r"pip can't get the agent's wheels.*onnxruntime.*Pass --own-wheel"):
        collect_wheels(WheelRequest(own_wheels=tuple(house.glob("sealift*")), wheelhouse=house), tmp_path / "wheels")


def test_our_own_wheel_comes_from_the_wheelhouse_by_its_path(tmp_path: Path) -> None:
    house = write_agent_wheels(tmp_path / "house", version=__version__)
    for project in AGENT_PROJECTS:
        write_wheel(house, project, "99.0.0", {})
    assert collect_wheels(WheelRequest(wheelhouse=house), tmp_path / "wheels").runtime_version == __version__


def test_a_wheelhouse_without_our_own_wheel_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_wheels, "find_installed", lambda *_: None)
    house = write_agent_wheels(tmp_path / "house", version="0.0.1")
    with pytest.raises(KitError, match=f"{house}: one of the agent's own wheels is missing"):
        collect_wheels(WheelRequest(wheelhouse=house), tmp_path / "wheels")


def test_compatible_wheels_for_older_systems_are_found_for_each_machine(tmp_path: Path) -> None:
    house = write_agent_wheels(tmp_path / "house")
    next(house.glob("onnxruntime-*.whl")).unlink()
    for tag in ("manylinux_2_27_aarch64", "manylinux2014_x86_64", "manylinux_2_34_aarch64"):
        write_wheel(house, "onnxruntime", "1.99.0", {}, tag=f"cp312-cp312-{tag}")
    platforms = ("manylinux_2_28_aarch64", "manylinux_2_28_x86_64")
    request = WheelRequest(own_wheels=tuple(house.glob("sealift*")), wheelhouse=house, platforms=platforms, pythons=("3.12",))
    wheel_set = collect_wheels(request, tmp_path / "wheels")
    assert (wheel_set.machines, wheel_set.glibc, wheel_set.musl) == (("x86_64", "aarch64"), (2, 27), None)


def test_the_index_that_is_named_is_the_only_one_asked_for_our_own_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, public = tmp_path / "ours", tmp_path / "public"
    for index in (ours, public):
        for project in AGENT_PROJECTS:
            write_agent_wheels(index / project, version=__version__)
    write_wheel(public / "onnxruntime", "onnxruntime", "1.99.0", {})
    with package_index(ours) as (url, requested), package_index(public) as (settings, asked_there):
        monkeypatch.setenv("PIP_INDEX_URL", settings)
        monkeypatch.setenv("PIP_EXTRA_INDEX_URL", settings)
        wheel_set = collect_wheels(WheelRequest(index=url), tmp_path / "wheels")
    assert wheel_set.runtime_version == __version__
    assert {path.split("/")[1] for path in requested} == set(AGENT_PROJECTS)
    assert {path.split("/")[1] for path in asked_there} == {"onnxruntime"}


@pytest.mark.slow
def test_the_runtime_is_built_from_its_source_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_BUILD_ISOLATION", "0")  # pip reads this one backwards
    ours = tuple(Path(__file__).parents[3] / name for name in ("core", "runtime"))
    with pytest.raises(KitError, match="pip can't get") as caught:  # the wheelhouse is empty, so only the build succeeds
        collect_wheels(WheelRequest(own_wheels=ours, wheelhouse=tmp_path), tmp_path / "wheels")
    assert caught.value.where == "pip download"
    built = sorted(path.name for path in (tmp_path / "built").glob("*.whl"))
    assert built == [f"sealift_{name}-0.1.0-py3-none-any.whl" for name in ("core", "runtime")]
