"""Does reading an exported program (``.pt2``) run code? torch's reader unpickles what the archive says is pickled, and evaluates its expressions.

So an archive that nobody trusts is held, before torch sees it, against what ``torch.export.save`` writes for plain modules:

1. No two members have names that differ in case alone: readers would differ in which one they take.
2. No compiled code, no pickled weights or objects; what is pickled anyway (sample inputs) holds tensors and numbers alone.
3. Nodes call torch's operators, none of which touches files.
4. Expressions of sizes, and guards, are arithmetic over symbols.
5. All other strings are names or quoted, and structures are tuples, lists and dicts (`program_names`): torch makes Python source of them.
"""

from __future__ import annotations

import ast
import io
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from sealift_packager.errors import UntrustedPickleError
from sealift_packager.progress.quiet import quiet
from sealift_packager.torch.program_names import is_name, strange_string

ADVICE: Final = "If you trust the file's source, pass --trust-pickle."
#: An operator of a namespace, one of Python's on sizes, or one of torch's on symbolic sizes; no name with two underscores in front but those of
#: Python's bit operators (``mask & other``).
_OPERATOR: Final = re.compile(
    r"torch\.ops(\.(?!__)\w+){2,3}|torch\.ops\.aten\.__i?(and|or|xor|lshift|rshift)__\.(Scalar|Tensor)|"
    r"_operator\.[a-z]+_?|math\.[a-z]+|torch\.sym_[a-z]+|torch\._sym_[a-z]+"
)
_FORBIDDEN: Final = re.compile(r"\b(from_file|save|call|methodcaller|attrgetter|itemgetter|load_library)\b")
#: Of the operators that take graphs, those that only run them.
_HIGHER_ORDER: Final = re.compile(
    r"torch\.ops\.higher_order\.(?!(cond|while_loop|scan|map_impl|associative_scan|wrap_with_set_grad_enabled|wrap_with_autocast)$)"
)
#: Constructors of sympy and of torch's own symbolic functions (`torch.utils._sympy.functions`).
_CONSTRUCTORS: Final = re.compile(
    "Symbol|Integer|Float|Rational|Add|Mul|Pow|Max|Min|Mod|Abs|Eq|Ne|Lt|Le|Gt|Ge|And|Or|Not|Equality|Unequality|(Strict)?(Less|Greater)Than|Piecewise|"
    "ExprCondPair|FloorDiv|ModularIndexing|Where|PythonMod|CleanDiv|(Ceil|Floor|Trunc|Round)ToInt|CeilDiv|[LR]Shift|PowByNatural|FloatPow|FloatTrueDiv|"
    "IntTrueDiv|IsNonOverlappingAndDenseIndicator|TruncToFloat|RoundDecimal|ToFloat|Identity|true|false|oo|max|min|abs|int|float|math|L"
)
_SYMBOL: Final = re.compile(r"[a-z]{1,4}\d+")
_METHODS: Final = frozenset(("size", "stride", "storage_offset", "floor", "ceil", "trunc", "sqrt"))
_ARITHMETIC: Final = (ast.UnaryOp, ast.unaryop, ast.BinOp, ast.operator, ast.BoolOp, ast.boolop, ast.Compare, ast.cmpop)
_PLAIN: Final = (*_ARITHMETIC, ast.Expression, ast.Load, ast.Constant, ast.keyword, ast.Subscript, ast.Tuple)
# Within the archive's own folder; torch's reader takes no notice of case.
_PICKLES: Final = re.compile(
    r"data/(sample_inputs|weights|constants)/.*\.pt|serialized_(state_dict|constants|example_inputs)\.(pt|json)", re.IGNORECASE
)
_PROGRAMS: Final = re.compile(r"models/.*\.json|serialized_exported_program\.json", re.IGNORECASE)
_PAYLOADS: Final = re.compile(r"data/(weights|constants)/.*\.json", re.IGNORECASE)
_COMPILED: Final = re.compile(r"data/aotinductor/.*", re.IGNORECASE)


def refuse_unsafe(torch: Any, path: Path) -> None:
    """Raise `UntrustedPickleError`, naming what, for an archive whose reading could run code."""
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        if len({name.lower() for name in names}) != len(names):  # 1
            raise _refusal(path, "two members have the same name")
        for member in names:
            name = member.partition("/")[2] or member
            where = Path(f"{path}: {member:.200}")
            if _COMPILED.fullmatch(name):  # 2
                raise _refusal(where, "compiled code")
            if _PICKLES.fullmatch(name):
                _check_pickle(torch, archive.read(member), where)
            if _PAYLOADS.fullmatch(name):
                _check_payloads(_parsed(archive.read(member), where), where)
            if _PROGRAMS.fullmatch(name):
                _check_program(_parsed(archive.read(member), where), where)


def _refusal(where: Path, found: str) -> UntrustedPickleError:
    return UntrustedPickleError(
        "reading this exported program could run code that is in it", where=str(where), expected="a graph and tensors", found=found, advice=ADVICE
    )


def _parsed(data: bytes, where: Path) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _refusal(where, "a file that is not JSON") from error


def _check_pickle(torch: Any, data: bytes, where: Path) -> None:
    if not data:
        return
    try:
        with quiet():
            torch.load(io.BytesIO(data), weights_only=True, map_location="cpu")
    except Exception as error:  # torch raises anything
        raise _refusal(where, "a pickle of other objects than tensors") from error


def _check_payloads(document: Any, where: Path) -> None:
    payloads = document.get("config", {}) if isinstance(document, dict) else {}
    if not isinstance(payloads, dict):
        raise _refusal(where, "a list of weights that is not by name")
    for name, payload in payloads.items():
        if not isinstance(payload, dict) or payload.get("use_pickle") or str(payload.get("path_name", "")).startswith(("custom_obj", "opaque_obj")):
            raise _refusal(where, f"{name:.100} as a pickle")
        if not is_name(name):  # 5
            raise _refusal(where, f"the name {name!r:.100}")


def _check_program(document: Any, where: Path) -> None:
    for key, value in _fields(document):
        if key in ("operator", "as_operator") and not _is_operator(value):  # 3
            raise _refusal(where, f"a call of {value!s:.100}")
        if key == "expr_str" and not _is_arithmetic(value):  # 4
            raise _refusal(where, f"the expression {value!s:.100}")
        if key == "guard" and not _is_arithmetic(value):
            raise _refusal(where, f"the guard {value!s:.100}")
    strange = strange_string(document)  # 5
    if strange:
        raise _refusal(where, strange)


def _fields(value: Any) -> Iterator[tuple[str, Any]]:
    """Every field at any depth; a node's target as ``operator``, each guard as ``guard``."""
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            if {"target", "inputs", "outputs"} <= set(item):
                yield "operator", item["target"]
            guards = item.get("guards_code") or []
            yield from (("guard", guard) for guard in (guards if isinstance(guards, list) else [None]))
            yield from item.items()
            pending.extend(item.values())
        elif isinstance(item, list):
            pending.extend(item)


def _is_operator(value: Any) -> bool:
    if not isinstance(value, str) or _FORBIDDEN.search(value) or _HIGHER_ORDER.match(value):
        return False
    return _OPERATOR.fullmatch(value) is not None


def _is_arithmetic(text: Any) -> bool:
    try:
        return isinstance(text, str) and all(map(_is_plain, ast.walk(ast.parse(text, mode="eval"))))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False


def _is_plain(node: ast.AST) -> bool:
    """Whether a part of an expression is a number, a symbol, an input (``L['x']``), its size, or arithmetic of such."""
    if isinstance(node, ast.Name):
        return _CONSTRUCTORS.fullmatch(node.id) is not None or _SYMBOL.fullmatch(node.id) is not None
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name | ast.Attribute)
    if isinstance(node, ast.Attribute):
        return node.attr in _METHODS
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value.isidentifier() and not node.value.startswith("__")
    return isinstance(node, _PLAIN)
