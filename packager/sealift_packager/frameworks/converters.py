"""Format → converter."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable
from typing import Final, cast

import onnx

from sealift_core.bundle.tensors import TensorSpec
from sealift_packager.errors import ConversionError, first_line
from sealift_packager.graph import graph
from sealift_packager.graph.answered import as_answered
from sealift_packager.graph.bounds import check_bounds
from sealift_packager.graph.columns import rename_inputs
from sealift_packager.graph.gelu import reorder_gelu
from sealift_packager.graph.result import Converted, described
from sealift_packager.graph.tree_writer import convert_trees
from sealift_packager.model import detect
from sealift_packager.model.output_names import role_of
from sealift_packager.model.source import SourceModel
from sealift_packager.sandbox.activity import CONVERTING, several

#: Their inputs are named by columns.
_OF_TABLES: Final = (detect.SCIKIT, detect.SKOPS, detect.XGBOOST, detect.LIGHTGBM, detect.CATBOOST)
Converter = Callable[[SourceModel], onnx.ModelProto]


def _later(module: str, name: str) -> Converter:
    """The converter of this name, whose module is only imported for a model that it converts."""
    return lambda source: cast("onnx.ModelProto", getattr(importlib.import_module(f"sealift_packager.{module}"), name)(source))


#: Each gives a graph with the source's input and output names.
CONVERTERS: Final[dict[str, Converter]] = {
    detect.SCIKIT: _later("sklearn.convert", "convert_scikit"),
    detect.TORCH_PROGRAM: _later("torch.export", "convert_program"),
    detect.TORCH_SCRIPT: _later("torch.export", "convert_script"),
    detect.TORCH_STATE: _later("torch.export", "convert_state"),
    detect.ONNX: _later("onnx.as_is", "convert_onnx"),
    detect.XGBOOST: convert_trees,
    detect.LIGHTGBM: convert_trees,
    detect.CATBOOST: convert_trees,
}


@several(CONVERTING)
def convert_model(source: SourceModel) -> Converted:
    """Convert a model to ONNX by the converter of its format, and tidy and check the graph.

    Args:
        source: The model.

    Returns:
        The fp32 graph, with the source's input and output names.

    Raises:
        ConversionError: If the model can't be converted, or the graph isn't valid.
    """
    _check_names(source)
    tidied = reorder_gelu(graph.tidy(graph.at_known_opset(_graph(source), where=f"{source.format} model")))
    try:
        graph.check(tidied)
    except (onnx.checker.ValidationError, ValueError) as error:
        raise ConversionError(f"the graph is not valid ONNX (caused by: {first_line(error):.500})", where=f"{source.format} model") from error
    check_bounds(tidied, where=f"{source.format} model")
    converted = as_answered(described(tidied, source))
    return _with_descriptions(converted) if source.format in _OF_TABLES else converted


def _graph(source: SourceModel) -> onnx.ModelProto:
    """The graph by the converter of its format; one of a table with columns that are called like outputs is made with other names first."""
    convert = CONVERTERS[source.format]
    roles = tuple(map(role_of, source.outputs))
    if roles == source.outputs or source.format not in _OF_TABLES:
        return convert(source)
    inputs = tuple(dataclasses.replace(spec, name=f"column {at}") for at, spec in enumerate(source.inputs))
    model = convert(dataclasses.replace(source, inputs=inputs, outputs=roles))
    return graph.rename_outputs(rename_inputs(model, [spec.name for spec in source.inputs]), source.outputs)


def _with_descriptions(converted: Converted) -> Converted:
    """With a word about each output that has another name than usual."""
    return dataclasses.replace(converted, outputs=tuple(map(_with_description, converted.outputs)))


def _with_description(spec: TensorSpec) -> TensorSpec:
    role = role_of(spec.name)
    if spec.name == role:
        return spec
    verb = "They are" if role.endswith("s") else "It is"
    return dataclasses.replace(spec, description=f"The model's {role}. {verb} called {spec.name} because a column is called {role}.")


def _check_names(source: SourceModel) -> None:
    """Raise `ConversionError` for a column whose name can't be that of an input of its own: ONNX has no empty one."""
    if source.format not in _OF_TABLES:  # others name their inputs themselves
        return
    if all(spec.name for spec in source.inputs):
        return
    raise ConversionError(
        "a column has an empty name",
        where=f"{source.format} model",
        expected="a name for each column",
        found=repr(""),
        advice="Rename the column in the training data, and train the model again.",
    )
