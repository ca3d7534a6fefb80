"""The tools whose versions decide what a build gives."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import platform
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import sealift_core

#: What every build goes through.
BASE: Final = ("python", "sealift-packager", "sealift-core", "numpy", "onnx", "onnxruntime")
#: What a framework's models, or a kind of data, go through, by a word of its name.
BY_FRAMEWORK: Final[Mapping[str, tuple[str, ...]]] = {
    "scikit": ("scikit-learn", "skl2onnx", "skops"),
    "torch": ("torch", "onnxscript", "onnx-ir"),
    "xgboost": ("xgboost", "onnxmltools"),
    "lightgbm": ("lightgbm", "onnxmltools"),
    "catboost": ("catboost",),
    "keras": ("keras", "tensorflow", "tf2onnx"),
    "tensorflow": ("keras", "tensorflow", "tf2onnx"),
    "images": ("pillow",),
    "parquet": ("pyarrow",),
}


def tool_versions(framework: str, data: str = "") -> dict[str, str]:
    """Versions of the tools that a model of this framework and such data go through, by distribution, sorted; ``python`` is one of them."""
    words = f"{framework} {data}".lower()
    names = {*BASE, *(name for word, group in BY_FRAMEWORK.items() if word in words for name in group)}
    versions = {name: version for name in names if (version := version_of(name))}
    return dict(sorted(versions.items()))


def all_versions() -> dict[str, str]:
    """Versions of every tool that a build could use, whatever the model is."""
    return tool_versions(" ".join(BY_FRAMEWORK))


def environment() -> list[str]:
    """Every distribution that is installed, with its version: what a factory, a metric or a pickled model may import, and what the tools do."""
    names = (folder.name for place in sys.path for suffix in ("dist-info", "egg-info") for folder in Path(place).glob(f"*.{suffix}"))
    return sorted(set(names))


@functools.cache
def version_of(name: str) -> str | None:
    """The version of an installed distribution, or of ``python``; None if it isn't there."""
    if name == "python":
        return platform.python_version()
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


@functools.cache
def code_digest() -> str:
    """Hex SHA-256 over Sealift's own source: a changed line is another tool, whatever its version says."""
    return source_digest(Path(__file__).parents[1], Path(sealift_core.__file__).parent)


def source_digest(*packages: Path) -> str:
    """Hex SHA-256 over the Python source of packages, by their folders: names within the package and content, wherever it lies."""
    total = hashlib.sha256()
    for package in packages:
        for path in sorted(package.rglob("*.py")):
            total.update(f"{package.name}/{path.relative_to(package).as_posix()}\0".encode())
            total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()
