"""``python mutate.py FILE …``: one JSON line for each small change of each function in the files. Runs in .venv-mutants, which has mutmut.

The changes are mutmut's, and two of our own: a ``raise`` that doesn't raise, and a call whose result nobody takes that isn't made. Of a string, one
change is enough. What can't change behaviour by design is left alone:

- the words of an error or of a log line, docstrings, annotations, decorators
- ``zip(strict=…)``, which states what always holds, and ``encoding=…``, which says what Linux has as its default
- default values of parameters, and constants of modules: they are made when the module is imported
"""

from __future__ import annotations

import difflib
import json
import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import libcst as cst
from libcst import matchers as m
from libcst.metadata import MetadataWrapper, ParentNodeProvider, PositionProvider
from mutmut.mutation.mutators import mutation_operators

#: Variables that hold the words of an error.
WORDS: Final = frozenset({"actual", "advice", "expected", "found", "place", "where", "message", "reason", "problem"})
LOGGERS: Final = frozenset({"_log", "_LOG", "log", "LOG", "logger", "_logger", "logging"})
#: Functions that raise an error of the words that they are given.
RAISERS: Final = frozenset({"refuse"})
#: Arguments that no behaviour depends on.
ARGUMENTS: Final = WORDS | {"strict", "encoding"}


class Changes(cst.CSTVisitor):  # type: ignore[misc]  # libcst is in .venv-mutants, not where mypy runs
    """Collects (function, node, other node, class names) for a module."""

    METADATA_DEPENDENCIES = (ParentNodeProvider, PositionProvider)

    def __init__(self) -> None:
        super().__init__()
        self.changes: list[tuple[cst.FunctionDef, cst.CSTNode, cst.CSTNode, list[str], int]] = []
        self._outer: list[cst.FunctionDef | cst.ClassDef] = []

    def on_visit(self, node: cst.CSTNode) -> bool:
        """Look at a node; False where nothing below it is changed."""
        if isinstance(node, cst.FunctionDef | cst.ClassDef):
            self._outer.append(node)
        if _is_left_alone(node):
            return False
        function = next((outer for outer in self._outer if isinstance(outer, cst.FunctionDef)), None)
        if function is not None and node is not function:
            classes = [outer.name.value for outer in self._outer[: self._outer.index(function)]]
            first = function.decorators[0] if function.decorators else function
            line = self.get_metadata(PositionProvider, first).start.line
            self.changes += [(function, node, other, classes, line) for other in self._others(node)]
        return not isinstance(node, cst.Raise)

    def on_leave(self, original_node: cst.CSTNode) -> None:
        """Forget the function or class that was left."""
        if self._outer and self._outer[-1] is original_node:
            self._outer.pop()

    def _others(self, node: cst.CSTNode) -> Iterator[cst.CSTNode]:
        if isinstance(node, cst.Raise) or m.matches(node, m.Expr(value=m.Call() | m.Await(expression=m.Call()))):
            yield cst.Pass()
        for type_, operator in mutation_operators:
            if isinstance(node, type_):
                others = [other for other in operator(node) if not _changes_words(node, other)]
                yield from others[:1] if isinstance(node, cst.BaseString) else others


def _is_left_alone(node: cst.CSTNode) -> bool:
    if isinstance(node, cst.Annotation | cst.Decorator):
        return True
    if m.matches(node, m.Call(func=m.Name(value=m.MatchIfTrue(RAISERS.__contains__)))):
        return True
    if m.matches(node, m.Return(value=m.Call(func=m.Name(value=m.MatchIfTrue(lambda name: name.endswith("Error")))))):
        return True
    if isinstance(node, cst.Arg) and node.keyword is not None and node.keyword.value in ARGUMENTS:
        return True
    if isinstance(node, cst.Param):  # defaults are made when the function is, not when it is called
        return True
    if isinstance(node, cst.Expr):
        logs = m.Call(func=m.Attribute(value=m.Name(value=m.MatchIfTrue(LOGGERS.__contains__))))
        return bool(m.matches(node.value, m.SimpleString() | m.ConcatenatedString() | logs))
    if isinstance(node, cst.Assign):
        return all(_names(target.target) <= WORDS for target in node.targets)
    return False


def _changes_words(node: cst.CSTNode, other: cst.CSTNode) -> bool:
    """Whether all that differs between two calls is an argument without behaviour."""
    if not isinstance(node, cst.Call) or not isinstance(other, cst.Call):
        return False
    gone = [argument for argument in node.args if not any(argument is kept for kept in other.args)]
    return bool(gone) and all(argument.keyword is not None and argument.keyword.value in ARGUMENTS for argument in gone)


def _names(target: cst.BaseExpression) -> frozenset[str]:
    if isinstance(target, cst.Tuple):
        return frozenset().union(*(_names(element.value) for element in target.elements))
    return frozenset({target.value if isinstance(target, cst.Name) else ""})


def mutants(path: str) -> Iterator[dict[str, object]]:
    """The changes of a file, each with the whole function as it then reads."""
    wrapper = MetadataWrapper(cst.parse_module(Path(path).read_text(encoding="utf-8")))
    visitor = Changes()
    wrapper.visit(visitor)
    texts: dict[int, str] = {}
    seen: dict[tuple[str, str], int] = {}
    for function, node, other, classes, line in visitor.changes:
        before = texts.setdefault(id(function), _text(wrapper.module, function))
        changed = function.deep_replace(node, other)
        assert isinstance(changed, cst.FunctionDef)
        after = _text(wrapper.module, changed)
        try:
            compile(after, path, "exec")
        except SyntaxError:
            continue
        name, change = ".".join([*classes, function.name.value]), _change(before, after)
        seen[name, change] = seen.get((name, change), 0) + 1
        times = seen[name, change]
        change = change if times == 1 else f"{change}  # {times}"
        yield {"module": path, "function": name, "change": change, "line": line, "text": after}


def _text(module: cst.Module, function: cst.FunctionDef) -> str:
    bare = function.with_changes(leading_lines=[], lines_after_decorators=[], decorators=[])
    return textwrap.dedent(module.code_for_node(bare))


def _change(before: str, after: str) -> str:
    """What goes and what comes, on a line."""
    old, new = before.splitlines(), after.splitlines()
    gone, come = [], []
    for tag, first, last, start, end in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag != "equal":
            gone += [_bare(line) for line in old[first:last]]
            come += [_bare(line) for line in new[start:end]]
    return f"{' '.join(gone)}  →  {' '.join(come)}"


def _bare(line: str) -> str:
    return re.sub(r"  # .*", "", line).strip()


if __name__ == "__main__":
    for file in sys.argv[1:]:
        for mutant in mutants(file):
            print(json.dumps(mutant, ensure_ascii=False))
