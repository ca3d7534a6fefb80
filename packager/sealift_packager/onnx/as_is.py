"""ONNX stays as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sealift_packager.model.source import SourceModel

if TYPE_CHECKING:
    import onnx


def convert_onnx(source: SourceModel) -> onnx.ModelProto:
    """The graph itself."""
    model: onnx.ModelProto = source.native
    return model
