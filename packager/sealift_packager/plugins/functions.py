"""Functions that a user names: ``module:function``, or ``path/to/file.py:function``."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from sealift_core.errors import first_few, nearest
from sealift_packager.errors import PackagerError, caused_by

_SHOWN: Final = 8


def load_callable(reference: str, *, where: str, error: type[PackagerError]) -> Callable[..., Any]:
    """The function that ``reference`` names; raises ``error``, whose ``where`` is the option that was used.

    Modules are looked for in the current directory too.
    """
    module_name, _, function_name = reference.rpartition(":")
    if not module_name or not function_name.isidentifier():
        raise error("malformed", where=where, expected="module:function or path/to/file.py:function", found=repr(reference))
    module = load_module(module_name, where=where, error=error)
    function = getattr(module, function_name, None)
    if not callable(function):
        functions = [name for name, value in vars(module).items() if callable(value) and not name.startswith("_")]
        raise error(
            "no such function",
            where=where,
            expected=f"a function of {module_name}",
            found=repr(function_name),
            advice=nearest(function_name, functions) or (f"It has {first_few(functions, _SHOWN, counted=False)}." if functions else None),
        )
    return function  # type: ignore[no-any-return]


def load_module(name: str, *, where: str, error: type[PackagerError]) -> ModuleType:
    """The module of that name, or that a file ``*.py`` is; raises ``error`` as `load_callable` does."""
    return _import_file(Path(name), where, error) if name.endswith(".py") else _import_module(name, where, error)


def sibling(function: Callable[..., Any], name: str) -> Callable[..., Any] | None:
    """Another function of the module that ``function`` is in, or None."""
    other = getattr(sys.modules.get(function.__module__), name, None)
    return other if callable(other) else None


def _import_module(name: str, where: str, error: type[PackagerError]) -> ModuleType:
    try:
        with current_directory_first():
            return importlib.import_module(name)
    except Exception as cause:
        raise error(
            f"can't be imported ({caused_by(cause)})",
            where=where,
            expected="an importable module",
            found=repr(name),
        ) from cause


@contextlib.contextmanager
def current_directory_first() -> Iterator[None]:
    """Modules are looked for in the current directory too, within the block."""
    directory = str(Path.cwd())
    sys.path.insert(0, directory)
    try:
        yield
    finally:
        sys.path.remove(directory)


def _import_file(path: Path, where: str, error: type[PackagerError]) -> ModuleType:
    if not path.is_file():
        raise error("no such file", where=where, expected="a Python file", found=str(path))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise error("not a Python file", where=where, found=str(path))
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
    except Exception as cause:  # the user's own module
        del sys.modules[path.stem]
        raise error(f"can't be imported ({caused_by(cause)})", where=where, found=str(path)) from cause
    return module
