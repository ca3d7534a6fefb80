"""The person's own function that builds a module, and what stands beside it: example inputs, and which dimensions are free."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from sealift_packager.errors import SourceModelError, caused_by
from sealift_packager.model.dynamic import from_function
from sealift_packager.plugins.functions import load_callable, load_module, sibling
from sealift_packager.torch.common import as_arrays
from sealift_packager.torch.wrapped import bare_module

OPTION: Final = "--factory"
EXAMPLES: Final = "example_inputs"
SHAPES: Final = "dynamic_shapes"
#: What a file does that is run, by convention.
_SCRIPT: Final = "main"
_SHOWN: Final = 8


class Factory:
    """A factory by its reference, ``module:function``, or by the file alone where one function in it could be meant.

    What stands beside it is of all factories of its module, or of this one where the factory's name follows: ``example_inputs_build_large``.
    """

    def __init__(self, reference: str) -> None:
        #: What a reader must know: which function was taken, where none was named.
        self.notes: tuple[str, ...] = ()
        if ":" not in reference:
            reference = _only(reference)
            self.notes = (f"The module was built by {reference}, the only one in that file that could be meant.",)
        self.where = f"{OPTION} {reference}"
        self._reference = reference
        self._function = load_callable(reference, where=OPTION, error=SourceModelError)

    def build(self, torch: Any) -> Any:
        """The module, in evaluation mode."""
        advice = "Call it in Python first, without arguments: it must return the nn.Module."
        module = bare_module(self._call(self._function, "the factory failed", self.where, advice))
        if not isinstance(module, torch.nn.Module):
            raise SourceModelError("the factory returns no module", where=self.where, expected="an nn.Module", found=type(module).__name__)
        return module.eval()

    def examples(self, names: Sequence[str]) -> list[dict[str, Any]]:
        """The requests that ``example_inputs`` gives, one or a list of mappings; empty if there is no such function."""
        function, name = self._beside(EXAMPLES)
        if function is None:
            return []
        where = f"{self._reference}: {name}()"
        values = self._call(function, f"{name}() failed", where, "Call it in Python first: it must return the module's inputs by name.")
        several = isinstance(values, list | tuple) and len(values) > 0 and all(isinstance(value, Mapping) for value in values)
        return [as_arrays(value, names, where=where) for value in (values if several else [values])]

    def free(self) -> tuple[dict[str, dict[int, str]], str] | None:
        """What ``dynamic_shapes`` gives, and where it was said; None if there is no such function."""
        function, name = self._beside(SHAPES)
        if function is None:
            return None
        where = f"{self._reference}: {name}()"
        return from_function(self._call(function, f"{name}() failed", where, "Call it in Python first."), where=where), where

    def _beside(self, name: str) -> tuple[Callable[..., Any] | None, str]:
        own = f"{name}_{self._function.__name__}"
        function = sibling(self._function, own)
        return (function, own) if function is not None else (sibling(self._function, name), name)

    @staticmethod
    def _call(function: Callable[..., Any], what: str, where: str, advice: str) -> Any:
        try:
            return function()
        except Exception as error:  # the user's own function
            raise SourceModelError(f"{what} ({caused_by(error)})", where=where, advice=advice) from error


def _only(reference: str) -> str:
    """The one function of a file that could be meant; `SourceModelError` names them if there are others. A class counts where no function is."""
    builders = _builders(reference)
    functions = [name for name, value in builders.items() if not isinstance(value, type)] or list(builders)
    if len(functions) == 1 and reference.endswith(".py"):
        return f"{reference}:{functions[0]}"
    raise _unnamed(reference, [f"{reference}:{name}" for name in builders])


def _unnamed(reference: str, names: Sequence[str]) -> SourceModelError:
    """A file or a module without a function: those that could be meant."""
    advice = f"Name one: {', '.join(names[:_SHOWN])}." if names else "Write a function in it that takes no arguments and returns the nn.Module."
    expected = "module:function or file.py:function"
    return SourceModelError("the factory's function is not named", where=OPTION, expected=expected, found=repr(reference), advice=advice)


def _builders(reference: str) -> dict[str, Any]:
    """What builds a module, as far as one can tell without calling it, by name."""
    try:
        module = load_module(reference, where=OPTION, error=SourceModelError)
    except SourceModelError:
        if reference.endswith(".py"):
            raise
        return {}
    return {name: value for name, value in vars(module).items() if _could_build(name, value, module.__name__)}


def _could_build(name: str, value: Any, module: str) -> bool:
    if name == _SCRIPT or name.startswith(("_", EXAMPLES, SHAPES)) or getattr(value, "__module__", None) != module or not callable(value):
        return False
    if isinstance(value, type) and not any(base.__name__ == "Module" for base in value.__mro__):
        return False
    try:
        parameters = inspect.signature(value).parameters.values()
    except (TypeError, ValueError):  # of what is written in C
        return False
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return all(parameter.default is not parameter.empty or parameter.kind in variadic for parameter in parameters)
