"""The agent's wheels with their dependencies, brought by pip, and which Pythons and machines they fit."""

from __future__ import annotations

import dataclasses
import re
import shutil
import sys
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Final

from packaging.tags import Tag
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from sealift_core import beneath, durable
from sealift_packager.errors import KitError
from sealift_packager.kit.own_wheels import RUNTIME, own_wheels
from sealift_packager.kit.platforms import Version, compatible_platforms, needed_libc
from sealift_packager.kit.run_pip import run_pip
from sealift_packager.kit.tested import read_lock, untested

EXTRA: Final = "cpu"
#: What every agent needs; whatever else its wheel asks for is looked for by `render_requirements`. An agent made before there was a core needs none.
NEEDED: Final = (RUNTIME, "onnxruntime")
_MACHINES: Final = ("x86_64", "aarch64")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WheelRequest:
    """Where wheels come from, and for which target.

    ``folder``: a complete set of wheels, taken as it is; then nothing else matters. Otherwise pip brings them:
    ``own_wheels`` are wheels or source folders of sealift-core and sealift-runtime (one that isn't among them is in the wheelhouse, comes from
    ``index``, the URL of a package index that is trusted with these names, or is installed here), ``wheelhouse`` is the only folder where pip may
    look (None: pip's own settings), ``platforms`` and ``pythons`` are pip's tags of the target (empty: this machine, this Python). With
    ``any_version`` pip may take other versions of what the agent needs than the tested ones.
    """

    folder: Path | None = None
    own_wheels: tuple[Path, ...] = ()
    wheelhouse: Path | None = None
    index: str | None = None
    platforms: tuple[str, ...] = ()
    pythons: tuple[str, ...] = ()
    any_version: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WheelSet:
    """What some wheels are good for: Python versions like ``3.11``, machines like ``aarch64`` (empty: any).

    ``glibc`` and ``musl`` are the oldest versions of these that will do, (0, 0) for any, and None where no version will. ``untested`` has a sentence
    for each distribution of another version than the agent was tested with.
    """

    runtime_version: str
    pythons: tuple[str, ...]
    machines: tuple[str, ...]
    glibc: Version | None = (0, 0)
    musl: Version | None = (0, 0)
    untested: tuple[str, ...] = ()


def collect_wheels(request: WheelRequest, target: Path) -> WheelSet:
    """Fill the folder ``target`` with wheels; `KitError` says what pip said if it can't be, `IntegrityError` names a link among them."""
    target.mkdir(parents=True)
    if request.folder is not None:
        for wheel in sorted(request.folder.glob("*.whl")):
            with beneath.open_file(request.folder, wheel.name) as file:
                durable.copy(file, target / wheel.name, size_bytes=beneath.size_bytes(file), sha256=None, where=str(wheel))
    else:
        _download(request, target)
    names = [path.name for path in target.iterdir()]
    described = describe_wheels(names, where=str(request.folder or "the wheels that pip downloaded"))
    versions, _ = _parse_names(names, str(target))
    locks = [read_lock(path) for path in target.glob(f"{RUNTIME.replace('-', '_')}-*.whl")]
    return dataclasses.replace(described, untested=tuple(sentence for lock in locks for sentence in untested(lock, versions)))


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
    return WheelSet(
        runtime_version=versions[RUNTIME],
        pythons=tuple(f"3.{minor}" for minor in fitting_minors),
        machines=tuple(fitting_machines),
        glibc=_libc_of_all(tags.values(), fitting_machines, "glibc"),
        musl=_libc_of_all(tags.values(), fitting_machines, "musl"),
    )


def _libc_of_all(tags: Collection[set[Tag]], machines: Sequence[str], libc: str) -> Version | None:
    """The oldest version of a libc that will do on all machines; None if it won't on one of them."""
    of_each = [needed_libc([[tag for tag in every if _fits_machine(tag, name)] for every in tags], libc) for name in machines or ("any",)]
    versions = [version for version in of_each if version is not None]
    return max(versions) if len(versions) == len(of_each) else None


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
    scratch.mkdir()
    wheels = own_wheels(request.own_wheels, request.wheelhouse, request.index, scratch)
    ours = [f"{path}[{EXTRA}]" if project == RUNTIME else str(path) for project, path in wheels.items()]
    sources = ["--no-index", "--find-links", str(request.wheelhouse)] if request.wheelhouse else []
    lock = scratch / "tested-versions.txt"
    lock.write_bytes(read_lock(wheels[RUNTIME]))
    tested = [] if request.any_version else ["--constraint", str(lock)]
    for platforms in _by_machine(request.platforms):
        words = [word for platform in platforms for word in ("--platform", platform)]
        for python in request.pythons or ("",):
            version = ["--python-version", python] if python else []
            run_pip(["download", "--only-binary", ":all:", "--dest", str(target), *sources, *tested, *words, *version, *ours])
    shutil.rmtree(scratch, ignore_errors=True)


def _by_machine(platforms: Iterable[str]) -> list[list[str]]:
    """The tags to ask pip for, all compatible ones, a list for each machine: of several that fit, pip takes one wheel."""
    groups: dict[str, dict[str, None]] = {}
    for platform in platforms:
        machine = next((name for name in _MACHINES if platform.endswith(f"_{name}")), platform)
        groups.setdefault(machine, {}).update(dict.fromkeys(compatible_platforms(platform)))
    return [list(tags) for tags in groups.values()] or [[]]
