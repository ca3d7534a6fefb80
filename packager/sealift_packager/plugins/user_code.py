"""A person's own code that a build runs: what it consists of, told from its files before any of it is imported.

Imports are read off the source, also those within functions, so the answer doesn't depend on what else the process has imported. What no source
shows (a class that a pickle names, a module imported by a computed name) is told by `imported`, once it has happened.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import importlib.machinery
import pkgutil
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, Final
from weakref import WeakKeyDictionary

from sealift_core.bundle.digest import Digest
from sealift_packager.plugins.functions import current_directory_first

_INSTALLED: Final = frozenset({"site-packages", "dist-packages", "sealift_core"})
_PACKAGE: Final = Path(__file__).parents[1]
#: What a module was when this process first saw it: an edit of its file changes nothing of what runs.
_FIRST_SEEN: Final[WeakKeyDictionary[ModuleType, str]] = WeakKeyDictionary()

#: Imported modules that aren't a person's own: thousands, asked after at every stage.
_OF_LIBRARIES: Final[set[str]] = set()


def code_of(reference: str | None) -> dict[str, str]:
    """The files behind ``module:function``, ``file.py:function`` or ``file.py``, by module name: digests of its own and of all that they import.

    What lies among installed packages is left out (`tools.environment` has their versions), but for the package that is named itself.
    Names and content count, never where files lie. Raises ``OSError``.
    """
    place = reference or ""
    place = place if place.endswith(".py") else place.rpartition(":")[0]
    if not place:
        return {}
    if place.endswith(".py"):
        path = Path(place)
        return _closure({path.stem: path}, root="") if path.is_file() else {}
    with current_directory_first():
        return _closure(dict(_files(place)), root=place.partition(".")[0])


def _closure(start: Mapping[str, Path], root: str) -> dict[str, str]:
    digests: dict[str, str] = {}
    left = dict(start)
    sought: set[str] = set()
    while left:
        name, path = left.popitem()
        digests[name] = _digest(name, path) if name not in start or root else str(Digest.of_file(path))
        package = name if path.stem == "__init__" else name.rpartition(".")[0]
        new = set(_imports(path, package)) - sought
        sought |= new
        for dotted in new:
            left.update({n: p for n, p in _files(dotted) if n not in digests and (n.partition(".")[0] == root or _is_own(str(p)))})
    return dict(sorted(digests.items()))


def _digest(name: str, path: Path) -> str:
    module = sys.modules.get(name)
    return str(Digest.of_file(path)) if module is None else _first_seen(module, path)


def _first_seen(module: ModuleType, path: Path) -> str:
    if module not in _FIRST_SEEN:
        _FIRST_SEEN[module] = str(Digest.of_file(path))
    return _FIRST_SEEN[module]


def _imports(path: Path, package: str) -> Iterator[str]:
    """The dotted names that a source file may import."""
    if path.suffix != ".py":
        return
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, RecursionError):  # importing it will say so
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*parents, *([node.module] if node.module else [])])
            if not base:  # beyond the top: importing it will say so
                continue
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _files(name: str) -> Iterator[tuple[str, Path]]:
    """The files that importing a dotted name runs: its packages' and its own; those that can't be found are left out. Imports nothing."""
    places: list[str] | None = None
    parts = name.split(".") if name else []
    for count in range(1, len(parts) + 1):
        dotted = ".".join(parts[:count])
        module = sys.modules.get(dotted)
        spec = _find(dotted, places) if module is None else None
        origin = getattr(module, "__file__", None) or (spec.origin if spec else None)
        if origin and Path(origin).is_file():
            yield dotted, Path(origin)
        inside = getattr(module, "__path__", None) or (spec.submodule_search_locations if spec else None)
        if inside is None:
            return
        places = list(inside)


def _find(name: str, places: list[str] | None) -> importlib.machinery.ModuleSpec | None:
    """What importing a dotted name would load, or None: as the import system looks for it, but within packages that aren't imported too."""
    for finder in sys.meta_path:
        if type(finder).__module__ == "_distutils_hack":  # to answer, it imports setuptools or takes modules away
            continue
        within = finder is importlib.machinery.PathFinder and places is not None
        spec = _find_within(name, places or []) if within else _ask(finder, name, places)
        if spec:
            return spec
    return None


def _find_within(name: str, places: list[str]) -> importlib.machinery.ModuleSpec | None:
    """`PathFinder.find_spec`, whose namespace packages need their parents in ``sys.modules``."""
    portions: list[str] = []
    for place in places:
        spec = _ask(pkgutil.get_importer(place), name)
        if spec and spec.loader:
            return spec
        portions += (spec.submodule_search_locations or []) if spec else []
    if not portions:
        return None
    namespace = importlib.machinery.ModuleSpec(name, None, is_package=True)
    namespace.submodule_search_locations = portions
    return namespace


def _ask(finder: Any, *sought: Any) -> importlib.machinery.ModuleSpec | None:
    """A finder's answer. Finders are anybody's, and some fail where a parent isn't imported: then the next one is asked."""
    with contextlib.suppress(Exception):
        spec: importlib.machinery.ModuleSpec | None = finder.find_spec(*sought)
        return spec
    return None


@functools.cache
def _is_own(file: str) -> bool:
    """Whether a file is neither a distribution's nor Python's own nor ours."""
    place = Path(file).absolute()
    return not any(place.is_relative_to(root) for root in _roots()) and _INSTALLED.isdisjoint(place.parts)


@functools.cache
def _roots() -> frozenset[Path]:
    return frozenset({Path(sys.prefix), Path(sys.base_prefix), _PACKAGE, *(Path(folder) for folder in sysconfig.get_paths().values())})


def imported() -> dict[str, str]:
    """A person's own modules that this process has imported, by name, with the digest that each had when it was first seen."""
    digests: dict[str, str] = {}
    for name in sys.modules.keys() - _OF_LIBRARIES:
        module = sys.modules.get(name)
        place = getattr(module, "__file__", None)
        if not place or not isinstance(module, ModuleType):
            continue
        if not _is_own(place):
            _OF_LIBRARIES.add(name)
        elif place.endswith(".py") and Path(place).is_file():
            digests[name] = _first_seen(module, Path(place))
    return dict(sorted(digests.items()))


def changed(modules: Mapping[str, str]) -> bool:
    """Whether one of these modules, as `imported` told them, would be another one if it were imported now, or none."""
    with current_directory_first():
        return any(_now(name) != digest for name, digest in modules.items())


def _now(name: str) -> str | None:
    path = dict(_files(name)).get(name)
    return _digest(name, path) if path else None
