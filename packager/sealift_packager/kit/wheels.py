"""The agent's wheels with their dependencies, brought by pip, and which Pythons and machines they fit."""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from packaging.tags import Tag
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from sealift_core import __version__, beneath, durable
from sealift_packager.errors import KitError

RUNTIME: Final = "sealift-runtime"
#: Projects of ours that a device needs.
AGENT_PROJECTS: Final = ("sealift-core", RUNTIME)
EXTRA: Final = "cpu"
#: What every agent needs; whatever else its wheel asks for is looked for by `render_requirements`. An agent made before there was a core needs none.
NEEDED: Final = (RUNTIME, "onnxruntime")
PIP_TIMEOUT_S: Final = 3600
_MACHINES: Final = ("x86_64", "aarch64")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WheelRequest:
    """Where wheels come from, and for which target.

    ``folder``: a complete set of wheels, taken as it is; then nothing else matters. Otherwise pip brings them:
    ``own_wheels`` are wheels or source folders of sealift-core and sealift-runtime (one that isn't among them is in the wheelhouse, or comes from
    ``index``, the URL of a package index that is trusted with these names), ``wheelhouse`` is the only folder where pip may look (None: pip's
    own settings), ``platforms`` and ``pythons`` are pip's tags of the target (empty: this machine, this Python).
    """

    folder: Path | None = None
    own_wheels: tuple[Path, ...] = ()
    wheelhouse: Path | None = None
    index: str | None = None
    platforms: tuple[str, ...] = ()
    pythons: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WheelSet:
    """What some wheels are good for: Python versions like ``3.11``, machines like ``aarch64`` (empty: any)."""

    runtime_version: str
    pythons: tuple[str, ...]
    machines: tuple[str, ...]


def collect_wheels(request: WheelRequest, target: Path) -> WheelSet:
    """Fill the folder ``target`` with wheels; `KitError` says what pip said if it can't be, `IntegrityError` names a link among them."""
    target.mkdir(parents=True)
    if request.folder is not None:
        for wheel in sorted(request.folder.glob("*.whl")):
            with beneath.open_file(request.folder, wheel.name) as file:
                durable.copy(file, target / wheel.name, size_bytes=beneath.size_bytes(file), sha256=None, where=str(wheel))
    else:
        _download(request, target)
    return describe_wheels([path.name for path in target.iterdir()], where=str(request.folder or "the wheels that pip downloaded"))


def describe_wheels(names: Iterable[str], *, where: str) -> WheelSet:
    """What wheels with these file names fit, all of them together. Pure; `KitError` if one is missing or none fits."""
    versions, tags = _parse_names(names, where)
    for needed in NEEDED:
        if needed not in tags:
            raise KitError(
                f"a wheel is missing: {needed}", where=where, expected=f"{RUNTIME}[{EXTRA}] with all its dependencies", found=f"{len(tags)} wheels"
            )
    every = [tag for wheel_tags in tags.values() for tag in wheel_tags]
    minors = {int(match[1]) for tag in every if tag.abi != "abi3" and (match := re.fullmatch(r"cp3(\d+)", tag.interpreter))}
    minors = minors or {sys.version_info.minor}
    machines = [name for name in _MACHINES if any(tag.platform.endswith(f"_{name}") for tag in every)]
    fitting_minors = [minor for minor in sorted(minors) if all(any(fits_python(tag, minor) for tag in wheel_tags) for wheel_tags in tags.values())]
    fitting_machines = [name for name in machines if all(any(_fits_machine(tag, name) for tag in wheel_tags) for wheel_tags in tags.values())]
    if not fitting_minors or (machines and not fitting_machines):
        raise KitError(
            "the wheels are for different Pythons or machines", where=where, expected="a wheel of every package for the same Python and machine"
        )
    return WheelSet(runtime_version=versions[RUNTIME], pythons=tuple(f"3.{minor}" for minor in fitting_minors), machines=tuple(fitting_machines))


def _parse_names(names: Iterable[str], where: str) -> tuple[dict[str, str], dict[str, set[Tag]]]:
    versions: dict[str, str] = {}
    tags: dict[str, set[Tag]] = {}
    for name in names:
        try:
            project, version, _, wheel_tags = parse_wheel_filename(name)
        except InvalidWheelFilename as error:
            raise KitError("not a wheel", where=f"{where}: {name}") from error
        key = canonicalize_name(project)
        versions[key] = str(version)
        tags.setdefault(key, set()).update(wheel_tags)
    return versions, tags


def fits_python(tag: Tag, minor: int) -> bool:
    """Whether a wheel's tag is for the Python 3 of this minor version."""
    match = re.fullmatch(r"cp3(\d+)", tag.interpreter)
    if match is None:
        return tag.interpreter == "py3" or tag.interpreter == f"py3{minor}"
    return int(match[1]) == minor or (tag.abi == "abi3" and int(match[1]) <= minor)


def _fits_machine(tag: Tag, machine: str) -> bool:
    return tag.platform == "any" or tag.platform.endswith(f"_{machine}")


def _download(request: WheelRequest, target: Path) -> None:
    scratch = target.with_name("built")
    ours = [f"{path}[{EXTRA}]" if project == RUNTIME else str(path) for project, path in _own_wheels(request, scratch).items()]
    sources = ["--no-index", "--find-links", str(request.wheelhouse)] if request.wheelhouse else []
    platforms = [word for platform in request.platforms for word in ("--platform", platform)]
    for python in request.pythons or ("",):
        version = ["--python-version", python] if python else []
        _pip(["download", "--only-binary", ":all:", "--dest", str(target), *sources, *platforms, *version, *ours])
    shutil.rmtree(scratch, ignore_errors=True)


def _own_wheels(request: WheelRequest, scratch: Path) -> dict[str, Path]:
    """Our own wheels, as paths by project: pip looks for no project of ours in an index, where anybody may have registered the name.

    Each is one of the wheels given, built from one of the folders given, in the wheelhouse, or from the one index that was named for them.
    """
    given = [path.absolute() for path in request.own_wheels if path.is_file()]
    for folder in (path for path in request.own_wheels if path.is_dir()):
        _pip(["wheel", "--no-deps", "--wheel-dir", str(scratch), str(folder.absolute())])
    given += sorted(scratch.glob("*.whl"))
    missing = [project for project in AGENT_PROJECTS if not any(_project_of(path) == project for path in given)]
    if request.wheelhouse:
        given += [path.absolute() for path in sorted(request.wheelhouse.glob("*.whl")) if _project_of(path) in missing and _has_our_version(path)]
    elif request.index and missing:
        words = ["download", "--no-deps", "--only-binary", ":all:", "--index-url", request.index, "--dest", str(scratch)]
        _pip([*words, *(f"{project}=={__version__}" for project in missing)], only_that_index=True)
        given += sorted(scratch.glob("*.whl"))
    by_project = {project: path for path in given if (project := _project_of(path)) in AGENT_PROJECTS}
    for project in AGENT_PROJECTS:
        if project not in by_project:
            advice = (
                "Pass it with --own-wheel (a wheel or its source folder) or --wheels, or pass a --wheelhouse that contains it or the "
                "--index to get it from."
            )
            where = str(request.wheelhouse) if request.wheelhouse else None
            raise KitError("one of the agent's own wheels is missing", where=where, expected=f"{project} {__version__}", advice=advice)
    return {project: by_project[project] for project in AGENT_PROJECTS}


def _project_of(path: Path) -> str:
    return canonicalize_name(path.name.partition("-")[0])


def _has_our_version(path: Path) -> bool:
    return path.name.split("-")[1:2] == [__version__]


def _pip(words: Sequence[str], *, only_that_index: bool = False) -> None:
    """Run pip; with ``only_that_index`` none of its settings can add another place to look in."""
    environment = dict(os.environ)
    if only_that_index:
        environment = {name: value for name, value in environment.items() if name not in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_NO_INDEX")}
        environment["PIP_CONFIG_FILE"] = os.devnull
    command = [sys.executable, "-P", "-m", "pip", "--disable-pip-version-check", "--no-input", *words]
    try:
        result = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=PIP_TIMEOUT_S, stdin=subprocess.DEVNULL, env=environment
        )
    except subprocess.TimeoutExpired as error:
        raise KitError("pip took too long", where=" ".join(words), expected=f"at most {PIP_TIMEOUT_S} s") from error
    if result.returncode != 0:
        lines = [line for line in result.stderr.splitlines() if line.startswith("ERROR")] or result.stderr.splitlines()[-3:]
        advice = "Pass --own-wheel, or a complete folder with --wheels, and check --platform and --python-version."
        raise KitError(f"pip can't get the agent's wheels (caused by: {' '.join(lines)})", where=f"pip {words[0]}", advice=advice)
