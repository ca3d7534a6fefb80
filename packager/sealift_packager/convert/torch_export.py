"""torch by its own exporter, which traces with torch.export and leaves the first dimension free."""

from __future__ import annotations

from typing import Any

import numpy as np

from sealift_packager.convert import graph
from sealift_packager.errors import ConversionError
from sealift_packager.load.source import SourceModel
from sealift_packager.quiet import quiet


def convert_program(source: SourceModel) -> Any:
    """The graph of an exported program; its free dimensions are the program's."""
    return _export(source, source.native, ())


def convert_state(source: SourceModel) -> Any:
    """The graph of a module, with a free batch dimension."""
    import torch

    module, examples = source.native
    # Two rows: a dimension of size 1 would be taken for a constant.
    tensors = tuple(torch.from_numpy(np.concatenate([value[:1], value[:1]])) for value in examples.values())
    batch = torch.export.Dim("batch", min=1)
    shapes = tuple({0: batch} for _ in tensors)
    try:
        with quiet():
            program = torch.export.export(module, tensors, dynamic_shapes=shapes)
    except Exception as error:  # the user's forward and torch's tracing raise anything
        raise ConversionError(
            f"torch.export can't trace the module ({type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no message'})",
            where=type(module).__name__,
            expected="a forward that works for every batch size",
            advice="See https://pytorch.org/docs/stable/export.html for what can be traced; or give a .pt2 that you exported yourself.",
        ) from error
    return _export(source, program, ())


def _export(source: SourceModel, program: Any, arguments: tuple[Any, ...]) -> Any:
    import torch

    try:
        with quiet():
            exported = torch.onnx.export(program, arguments, dynamo=True, opset_version=graph.TARGET_OPSET, verbose=False, optimize=True)
    except Exception as error:  # as above
        raise ConversionError(
            f"torch.onnx can't export the program ({type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no message'})",
            where=source.framework,
        ) from error
    if exported is None:
        raise ConversionError("torch.onnx gave no program", where=source.framework)
    return graph.rename_outputs(exported.model_proto, source.outputs)
