"""A public docstring has every section that it should have: ruff sees what a section lacks, and this test a section that isn't there.

Public is what other programs import and what somebody extends: the modules that pyproject.toml lists.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.help_pages import ROOT

RULES = "DOC"
Function = ast.FunctionDef | ast.AsyncFunctionDef


def public_modules() -> list[Path]:
    """The files that ruff's settings don't let off."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["ruff"]["lint"]["per-file-ignores"]
    patterns = [pattern for pattern, rules in settings.items() if pattern.startswith("!{") and rules == [RULES]]
    return [path for pattern in patterns for part in pattern[2:-1].split(",") for path in sorted(ROOT.glob(part))]


def module_name(path: Path) -> str:
    """As it is imported."""
    parts = path.relative_to(ROOT).with_suffix("").parts[1:]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def section(docstring: str, name: str) -> list[str] | None:
    """The names that a section lists; None where there is no such section."""
    match = re.search(rf"^{name}:\n((?:[ ]{{4}}.*\n|\n)*)", docstring + "\n", re.MULTILINE)
    return re.findall(r"^[ ]{4}(\*{0,2}\w+):", match[1], re.MULTILINE) if match else None


def parameters(function: Function) -> list[str]:
    """As the docstring has to list them."""
    given = function.args
    plain = [argument.arg for argument in (*given.posonlyargs, *given.args) if argument.arg not in ("self", "cls")]
    starred = [f"*{given.vararg.arg}"] if given.vararg else []
    names = [*plain, *starred, *(argument.arg for argument in given.kwonlyargs), *([f"**{given.kwarg.arg}"] if given.kwarg else [])]
    return [name for name in names if not name.startswith("_")]


def fields(class_: ast.ClassDef) -> list[str]:
    """A dataclass's, or a named tuple's."""
    annotated = [node.target.id for node in class_.body if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)]
    return [name for name in annotated if not name.startswith("_")]


def is_value(class_: ast.ClassDef) -> bool:
    text = " ".join(map(ast.unparse, (*class_.decorator_list, *class_.bases)))
    return "dataclass(" in text or "NamedTuple" in text


def decorated(function: Function) -> set[str]:
    return {ast.unparse(decorator).rpartition(".")[2] for decorator in function.decorator_list}


def gives(function: Function) -> bool:
    return function.returns is not None and ast.unparse(function.returns) not in ("None", "NoReturn")


def raised(body: list[ast.stmt]) -> Iterator[ast.Raise]:
    """Errors that a function itself raises. (Where there are other sections, ruff looks for them.)"""
    for node in (node for statement in body for node in ast.walk(statement)):
        if isinstance(node, ast.Raise) and node.exc is not None:
            yield node


def faults_of_function(name: str, function: Function) -> Iterator[str]:
    if decorated(function) & {"overload", "property", "cached_property", "setter"}:
        return
    docstring, names = ast.get_docstring(function) or "", parameters(function)
    listed = section(docstring, "Args")
    if (listed or []) != names:
        yield f"{name}: Args has {listed}, the function {names}"
    sections = [title for title in ("Args", "Raises") if section(docstring, title) is not None]
    if listed is None and section(docstring, "Raises") is None and any(raised(function.body)):
        yield f"{name}: no Raises"
    if gives(function) and sections and section(docstring, "Returns") is None and section(docstring, "Yields") is None:
        yield f"{name}: neither Returns nor Yields"


def faults_of_class(name: str, class_: ast.ClassDef) -> Iterator[str]:
    listed = section(ast.get_docstring(class_) or "", "Attributes")
    if is_value(class_) and listed is not None and listed != fields(class_):
        yield f"{name}: Attributes has {listed}, the class {fields(class_)}"
    for node in class_.body:
        if isinstance(node, Function) and node.name == "__init__" and parameters(node):
            yield from faults_of_function(f"{name}.__init__", node)


def faults(source: str) -> list[str]:
    """What public functions and classes lack."""

    def walk(body: list[ast.stmt], prefix: str) -> Iterator[str]:
        for node in body:
            if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_"):
                if isinstance(node, ast.ClassDef):
                    yield from faults_of_class(prefix + node.name, node)
                    yield from walk(node.body, f"{prefix}{node.name}.")
                else:
                    yield from faults_of_function(prefix + node.name, node)

    return list(walk(ast.parse(source).body, ""))


@pytest.mark.parametrize("path", public_modules(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_public_docstring_has_every_section(path: Path) -> None:
    assert faults(path.read_text(encoding="utf-8")) == []


def test_each_public_module_is_on_one_page_of_the_python_api() -> None:
    shown = [
        name for page in sorted((ROOT / "docs/reference/api").glob("*.md")) for name in re.findall(r"^::: (\S+)$", page.read_text(), re.MULTILINE)
    ]
    assert sorted(shown) == sorted(map(module_name, public_modules()))


def test_the_list_of_public_modules_names_files_that_are_there() -> None:
    assert ROOT / "core/sealift_core/verify/check.py" in public_modules()


SUMMARY = 'def count(rows: int) -> int:\n    """Count."""\n'
RAISES = 'def count() -> None:\n    """Count."""\n    raise ValueError\n'
OTHER = 'def count(rows: int) -> None:\n    """Count.\n\n    Args:\n        columns: What to count.\n    """\n'
NO_RETURNS = 'def count(rows: int) -> int:\n    """Count.\n\n    Args:\n        rows: What to count.\n    """\n'
FIELD = """@dataclass(frozen=True)
class Count:
    '''A count.

    Attributes:
        rows: How many.
    '''

    rows: int
    columns: int
"""


@pytest.mark.parametrize(
    ("source", "fault"), [(SUMMARY, "Args"), (OTHER, "Args"), (RAISES, "Raises"), (NO_RETURNS, "Returns"), (FIELD, "Attributes")]
)
def test_a_missing_part_is_seen_by_this_test(source: str, fault: str) -> None:
    assert any(fault in text for text in faults(source))
