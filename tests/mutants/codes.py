"""A function's code object, as it is and as a change makes it."""

from __future__ import annotations

import dataclasses
import gc
import textwrap
import types
from collections.abc import Collection, Iterator
from pathlib import Path

Key = tuple[str, str, int]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """A changed function: where it is, what changed, and how it reads now."""

    module: str
    function: str
    change: str
    line: int
    text: str

    @property
    def key(self) -> Key:
        """What finds the function's code object."""
        return str(Path(self.module).resolve()), self.function, self.line


def functions_of(keys: Collection[Key]) -> dict[Key, list[types.FunctionType]]:
    """The function objects of each key: one, or several where a decorator copied it."""
    found: dict[Key, list[types.FunctionType]] = {key: [] for key in sorted(keys)}
    for value in gc.get_objects():
        if isinstance(value, types.FunctionType):
            code = value.__code__
            key = code.co_filename, code.co_qualname, code.co_firstlineno
            if key in found:
                found[key].append(value)
    return found


def change(functions: list[types.FunctionType], mutant: Mutant) -> None:
    for function in functions:
        function.__code__ = changed_code(function.__code__, mutant)


def changed_code(original: types.CodeType, mutant: Mutant) -> types.CodeType:
    """The changed function's code, compiled where it stands: inside its classes, and with the cell that ``super()`` needs."""
    text = mutant.text + ("    __class__\n" if "__class__" in original.co_freevars else "")
    *classes, _ = mutant.function.split(".")
    for name in reversed(classes):
        text = f"class {name}:\n{textwrap.indent(text, '    ')}"
    code = compile("from __future__ import annotations\n" + text, original.co_filename, "exec", dont_inherit=True)
    return next(inner for inner in _inner(code) if inner.co_qualname == original.co_qualname)


def _inner(code: types.CodeType) -> Iterator[types.CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield constant
            yield from _inner(constant)
