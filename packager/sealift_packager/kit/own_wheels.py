"""Our own wheels, as files by project: pip looks for no project of ours in an index, where anybody may have registered the name."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from packaging.utils import canonicalize_name

from sealift_core import __version__
from sealift_packager.errors import KitError
from sealift_packager.kit.installed import find_installed
from sealift_packager.kit.run_pip import run_pip

RUNTIME: Final = "sealift-runtime"
#: Projects of ours that a device needs.
AGENT_PROJECTS: Final = ("sealift-core", RUNTIME)
#: Where a build of Sealift itself collects wheels.
_USUAL: Final = Path("build/wheelhouse")


def own_wheels(given: tuple[Path, ...], wheelhouse: Path | None, index: str | None, scratch: Path) -> dict[str, Path]:
    """Find or make the wheels of the projects that a device needs.

    1. Those that were given, or are built from a folder that was given.
    2. What the wheelhouse has of this version.
    3. With an index named for them, what that has of this version; nothing else is asked then.
    4. What is installed beside this packager, of this version.

    Args:
        given: Wheels and source folders.
        wheelhouse: A folder of wheels, or None.
        index: The address of a package index that is trusted with our names, or None.
        scratch: A folder for what is made.

    Returns:
        The wheel of each project.

    Raises:
        KitError: If one is in none of these places, or pip fails.
    """
    wheels = _built([path.absolute() for path in given], scratch)
    if wheelhouse:
        wheels |= {_project_of(path): path.absolute() for path in _ours(wheelhouse) if _project_of(path) not in wheels}
    missing = [project for project in AGENT_PROJECTS if project not in wheels]
    if index and missing:
        words = ["download", "--no-deps", "--only-binary", ":all:", "--index-url", index, "--dest", str(scratch)]
        run_pip([*words, *(f"{project}=={__version__}" for project in missing)], only_that_index=True)
        wheels |= {_project_of(path): path for path in sorted(scratch.glob("*.whl"))}
    for project in AGENT_PROJECTS:
        if project not in wheels and (found := find_installed(project, __version__, scratch)):
            wheels |= _built([found], scratch)
        if project not in wheels:
            raise _missing(project, wheelhouse)
    return {project: wheels[project] for project in AGENT_PROJECTS}


def _built(paths: list[Path], scratch: Path) -> dict[str, Path]:
    """The wheels among some paths, and those that are built from the folders among them."""
    wheels = [path for path in paths if path.is_file()]
    for folder in (path for path in paths if path.is_dir()):
        before = set(scratch.glob("*.whl"))
        run_pip(["wheel", "--no-deps", "--wheel-dir", str(scratch), str(folder)])
        wheels += sorted(set(scratch.glob("*.whl")) - before)
    return {project: path for path in wheels if (project := _project_of(path)) in AGENT_PROJECTS}


def _ours(folder: Path) -> list[Path]:
    """The wheels of a folder that are ours and of this version."""
    return [path for path in sorted(folder.glob("*.whl")) if _project_of(path) in AGENT_PROJECTS and path.name.split("-")[1:2] == [__version__]]


def _missing(project: str, wheelhouse: Path | None) -> KitError:
    usual = f" {_USUAL} has one: pass --wheelhouse {_USUAL}." if any(_project_of(path) == project for path in _ours(_USUAL)) else ""
    advice = (
        f"Install {project} beside this packager, pass its wheel or source folder with --own-wheel, pass all wheels with --wheels, or pass a "
        f"--wheelhouse that contains it or the --index to get it from.{usual}"
    )
    where = str(wheelhouse) if wheelhouse else None
    return KitError("one of the agent's own wheels is missing", where=where, expected=f"{project} {__version__}", advice=advice)


def _project_of(path: Path) -> str:
    return canonicalize_name(path.name.partition("-")[0])
