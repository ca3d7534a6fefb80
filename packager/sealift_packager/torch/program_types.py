"""Classes that an exported program answers with: torch reads it only once the library that they are of is imported (transformers' outputs)."""

from __future__ import annotations

import contextlib
import importlib
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def import_structures(path: Path) -> None:
    """Import what the structures of a trusted program's inputs and outputs name; what isn't installed is left to torch to miss."""
    with zipfile.ZipFile(path) as archive:
        documents = [json.loads(archive.read(name)) for name in archive.namelist() if "models/" in name and name.endswith(".json")]
    for module in {type_name.rpartition(".")[0] for document in documents for type_name in _type_names(document)}:
        with contextlib.suppress(ImportError, ValueError):
            importlib.import_module(module)


def _type_names(value: Any) -> Iterator[str]:
    """The types in every ``in_spec`` and ``out_spec``, which are JSON within the JSON: a version and a tree."""
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            if isinstance(item.get("type"), str) and "children_spec" in item:
                yield item["type"]
            pending += [json.loads(text) for key, text in item.items() if key in ("in_spec", "out_spec") and text and isinstance(text, str)]
            pending.extend(item.values())
        elif isinstance(item, list):
            pending.extend(item)
