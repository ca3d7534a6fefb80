"""``requirements-3.N.txt``: every wheel that the agent needs on one Python, by version and digest, for ``pip install --require-hashes``.

What else lies among a kit's wheels isn't named, and so isn't installed.
"""

from __future__ import annotations

import dataclasses
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from packaging.markers import default_environment
from packaging.metadata import parse_email
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.tags import Tag
from packaging.utils import canonicalize_name, parse_wheel_filename
from packaging.version import Version

from sealift_core.bundle.digest import Digest
from sealift_packager.errors import KitError
from sealift_packager.kit.own_wheels import RUNTIME
from sealift_packager.kit.wheels import EXTRA, fits_python

MAX_METADATA_BYTES: Final = 2**20
#: A Python's newest patch release, where a dependency's condition asks: it is one of the last in almost every case.
_LAST_PATCH: Final = 99


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Wheel:
    """One wheel of a kit: what its name says, its digest, and what its metadata asks for."""

    project: str
    version: Version
    tags: frozenset[Tag]
    digest: Digest
    python: SpecifierSet
    needs: tuple[Requirement, ...]

    @classmethod
    def read(cls, path: Path) -> Wheel:
        """Read a wheel; `KitError` if its metadata can't be read."""
        project, version, _, tags = parse_wheel_filename(path.name)
        raw, _ = parse_email(_metadata(path))
        try:
            needs = tuple(Requirement(text) for text in raw.get("requires_dist", ()))
            python = SpecifierSet(raw.get("requires_python", ""))
        except (InvalidRequirement, InvalidSpecifier) as error:
            raise KitError(f"the wheel's metadata is wrong (caused by: {error})", where=path.name) from error
        return cls(project=project, version=version, tags=tags, digest=Digest.of_file(path), python=python, needs=needs)

    def fits(self, python: str) -> bool:
        """Whether a Python like ``3.11`` can have it."""
        return f"{python}.{_LAST_PATCH}" in self.python and any(fits_python(tag, int(python.partition(".")[2])) for tag in self.tags)


def read_wheels(folder: Path) -> list[Wheel]:
    """Every wheel of a folder."""
    return [Wheel.read(path) for path in sorted(folder.glob("*.whl"))]


def render_requirements(wheels: Sequence[Wheel], python: str, machines: Sequence[str]) -> bytes:
    """The requirements for one Python on these machines: `RUNTIME` with its extra, and all that it needs. Pure.

    Of each project the newest version is taken, as pip would; `KitError` if one is missing or isn't what another one needs.
    """
    environments = [_environment(python, machine) for machine in machines]
    chosen: dict[str, list[Wheel]] = {}
    pending: list[tuple[Requirement, str]] = [(Requirement(f"{RUNTIME}[{EXTRA}]"), "the kit")]
    seen: set[str] = set()
    while pending:
        need, asker = pending.pop()
        if str(need) in seen:
            continue
        seen.add(str(need))
        project = canonicalize_name(need.name)
        matches = chosen.setdefault(project, _newest(wheels, project, python))
        if not matches or not need.specifier.contains(matches[0].version, prereleases=True):
            newest = str(matches[0].version) if matches else "none"
            raise KitError(f"a wheel is missing: {project}", where=f"Python {python}", expected=f"{need}, which {asker} needs", found=newest)
        pending += [(requirement, project) for requirement in matches[0].needs if _applies(requirement, need.extras, environments)]
    return _text(chosen)


def _newest(wheels: Sequence[Wheel], project: str, python: str) -> list[Wheel]:
    fitting = [wheel for wheel in wheels if wheel.project == project and wheel.fits(python)]
    newest = max((candidate.version for candidate in fitting), default=None)
    return [candidate for candidate in fitting if candidate.version == newest]


def _applies(need: Requirement, extras: Iterable[str], environments: Iterable[Mapping[str, str]]) -> bool:
    if need.marker is None:
        return True
    return any(need.marker.evaluate({**environment, "extra": extra}) for environment in environments for extra in ("", *extras))


def _environment(python: str, machine: str) -> dict[str, str]:
    """A target's values for the conditions of dependencies: CPython on Linux."""
    whole = f"{python}.{_LAST_PATCH}"
    system = {"os_name": "posix", "sys_platform": "linux", "platform_system": "Linux", "platform_machine": machine}
    interpreter = {"implementation_name": "cpython", "platform_python_implementation": "CPython", "implementation_version": whole}
    defaults = {name: str(value) for name, value in default_environment().items()}
    return {**defaults, **system, **interpreter, "python_version": python, "python_full_version": whole}


def _text(chosen: Mapping[str, Sequence[Wheel]]) -> bytes:
    lines = []
    for project, wheels in sorted(chosen.items()):
        name = f"{project}[{EXTRA}]" if project == RUNTIME else project
        hashes = sorted(f"--hash=sha256:{wheel.digest.hex}" for wheel in wheels)
        lines.append(" \\\n    ".join([f"{name}=={wheels[0].version}", *hashes]))
    return ("\n".join(lines) + "\n").encode()


def _metadata(path: Path) -> bytes:
    project, version, *_ = path.name.split("-")
    name = f"{project}-{version}.dist-info/METADATA"
    try:
        with zipfile.ZipFile(path) as archive, archive.open(name) as member:
            data = member.read(MAX_METADATA_BYTES + 1)
    except (OSError, KeyError, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise KitError("not a wheel", where=path.name, expected=f"an archive with {name}") from error
    if len(data) > MAX_METADATA_BYTES:
        raise KitError("the wheel's metadata is too large", where=path.name, expected=f"at most {MAX_METADATA_BYTES} bytes")
    return data
