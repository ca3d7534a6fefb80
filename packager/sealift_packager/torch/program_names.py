"""Strings of an exported program that torch writes into Python source, or imports by. Pure.

``torch.fx`` makes source of names and executes it, and checks none of them. So each string of the program is a name and nothing else, but for:

1. Text that goes through ``repr`` (arguments that are strings), and what is kept beside the nodes for people (``metadata``).
2. Expressions and guards, which `program_safety` parses.
3. Tree specs: nested tuples, lists and dicts alone, for other types name modules to be imported. The keys of inputs are names, as they are written
   into the source; those of outputs are not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

_QUOTED: Final = frozenset(("as_string", "as_strings", "torch_version"))
_METADATA: Final = frozenset(("stack_trace", "nn_module_stack", "source_fn_stack", "torch_fn", "from_node"))
_PARSED: Final = frozenset(("expr_str", "guards_code"))
_SPECS: Final = frozenset(("in_spec", "out_spec"))
#: As JSON has no words for them: `float` reads them.
_NO_NUMBERS: Final = frozenset(("Infinity", "-Infinity", "NaN"))
#: These stand in the source by themselves, so they have no dots.
_VARIABLES: Final = frozenset(("name", "as_name", "forward_arg_names"))
_TREES: Final = frozenset((None, "builtins.tuple", "builtins.list", "builtins.dict", "collections.OrderedDict"))
#: torch numbers the calls of a module that is called more than once.
_CALL: Final = re.compile(r"@\d{1,9}$")


def strange_string(document: Any) -> str | None:
    """What is in a program, and is neither a name nor one of the above; None if there is nothing."""
    return next(_strange("", document), None)


def is_name(text: str) -> bool:
    """Whether a text is empty, or identifiers and numbers with dots between them."""
    return not text or all(part.isidentifier() or (part.isascii() and part.isdigit()) for part in _CALL.sub("", text).split("."))


def _strange(key: str, value: Any) -> Iterator[str]:
    pending = [(key, value)]
    while pending:
        key, value = pending.pop()
        if key == "metadata" and isinstance(value, dict):
            yield from (f"metadata {name!s:.100}" for name, text in value.items() if name not in _METADATA or not isinstance(text, str))
        elif isinstance(value, dict):
            yield from (f"the key {name!r:.100}" for name in value if not is_name(name))
            pending.extend(value.items())
        elif isinstance(value, list):
            pending.extend((key, item) for item in value)
        elif isinstance(value, str) and not _is_expected(key, value):
            yield f"{key or 'a string'} {value!r:.100}"


def _is_expected(key: str, text: str) -> bool:
    if key in _QUOTED or key in _PARSED:
        return True
    if key in ("as_float", "as_floats"):
        return text in _NO_NUMBERS
    if key in _SPECS:
        return not text or _is_plain_tree(text, names=key == "in_spec")
    return (not text or text.isidentifier()) if key in _VARIABLES else is_name(text)


def _is_plain_tree(text: str, *, names: bool) -> bool:
    try:
        protocol, tree = json.loads(text)
        pending, plain = [tree], protocol == 1
        while pending and plain:
            node = pending.pop()
            keys = json.loads(node["context"]) if isinstance(node["context"], str) else node["context"]
            plain = node["type"] in _TREES and set(node) == {"type", "context", "children_spec"} and _are_keys(keys, names=names)
            pending.extend(node["children_spec"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return False
    return bool(plain)


def _are_keys(keys: Any, *, names: bool) -> bool:
    if keys is None:
        return True
    return isinstance(keys, list) and all(isinstance(key, int) or (isinstance(key, str) and (not names or key.isidentifier())) for key in keys)
