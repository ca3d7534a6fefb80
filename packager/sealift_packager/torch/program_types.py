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
    for module in {kind.rpartition(".")[0] for document in documents for kind in _kinds(document)}:
        with contextlib.suppress(ImportError, ValueError):
            importlib.import_module(module)


def _kinds(value: Any) -> Iterator[str]:
    """The types in every ``in_spec`` and ``out_spec``, which are JSON within the JSON: a version and a tree."""
    pending = [value]
    while pending:
        row = pending.pop()
        if isinstance(row, dict):
            if isinstance(row.get("type"), str) and "children_spec" in row:
                yield row["type"]
            pending += [json.loads(text) for key, text in row.items() if key in ("in_spec", "out_spec") and text and isinstance(text, str)]
            pending.extend(row.values())
        elif isinstance(row, list):
            pending.extend(row)
