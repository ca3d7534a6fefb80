"""ONNX stays as it is."""

from __future__ import annotations

from typing import Any

from sealift_packager.model.source import SourceModel


def convert_onnx(source: SourceModel) -> Any:
    """The graph itself."""
    return source.native
