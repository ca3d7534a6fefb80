"""Marks for tests of what the libraries at the lower ends of their ranges don't have."""

from __future__ import annotations

import importlib.metadata

import pytest
from packaging.version import Version


def since(library: str, version: str, what: str) -> pytest.MarkDecorator:
    """A mark: only from a version of a library on there is what the test needs."""
    return pytest.mark.skipif(Version(importlib.metadata.version(library)) < Version(version), reason=f"{library} {version} and newer {what}")
