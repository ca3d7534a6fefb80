"""ColumnTransformer, FeatureUnion and the pipelines in a model, as skl2onnx is to read them.

skl2onnx's own readers know no columns behind a step and no ``drop`` or ``passthrough`` in a union, join text to numbers, and keep the table's order
where a transformer has all columns in another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from onnx import TensorProto

from sealift_packager.errors import ConversionError
from sealift_packager.graph.nodes import NodeWriter
from sealift_packager.model.table_steps import is_table_step

Parsers = Mapping[type, Callable[..., Any]]
#: Steps that take text and numbers side by side, column by column.
_BY_COLUMN: Final = frozenset(("ColumnTransformer", "FeatureUnion", "OneHotEncoder", "OrdinalEncoder", "Pipeline", "TargetEncoder"))
_NOTHING: Final = ("drop", None)
_PICKED: Final = "SealiftPicked"


class Picked:
    """Columns of the tensors that come in, side by side: pairs of a tensor's number and a column of it. skl2onnx takes it for an estimator."""

    def __init__(self, places: Sequence[tuple[int, int]] = ()) -> None:
        self.places = places


def write_picked(scope: Any, operator: Any, container: Any) -> None:
    """skl2onnx's converter of `Picked`: tensors [batch, columns] in, one out."""
    writer = NodeWriter(scope.get_unique_operator_name("picked"))
    parts: list[tuple[int, list[int]]] = []
    for tensor, column in operator.raw_operator.places:
        if parts and parts[-1][0] == tensor:
            parts[-1][1].append(column)
        else:
            parts.append((tensor, [column]))
    picked = []
    for at, (tensor, columns) in enumerate(parts):
        given, wanted = operator.inputs[tensor].full_name, _element_type(operator.outputs[0])
        value = writer.add("Gather", given, writer.constant(f"columns_{at}", np.array(columns, np.int64)), axis=1)
        same = wanted == TensorProto.STRING or _element_type(operator.inputs[tensor]) == wanted
        picked.append(value if same else writer.add("Cast", value, to=wanted))
    writer.add("Concat", *picked, output=operator.outputs[0].full_name, axis=1)
    writer.put_into(container)


def shape_of_picked(operator: Any) -> None:
    """skl2onnx's shape calculator of it; numbers are float64 as soon as one of the tensors is."""
    chosen = [operator.inputs[tensor] for tensor, _ in operator.raw_operator.places]
    operator.outputs[0].type = numbers_type(chosen, [None, len(chosen)]) if not is_text(chosen[0]) else type(chosen[0].type)([None, len(chosen)])


def write_pipeline(scope: Any, operator: Any, container: Any, *, parsers: Parsers) -> None:
    """skl2onnx's converter of a pipeline within another model: its outputs are those of its last step."""
    final = last_step(operator.raw_operator)
    if container.has_options(final, "zipmap"):
        scope.add_options(id(final), options={"zipmap": False})
        container.add_options(id(final), options={"zipmap": False})
    outputs = parse_pipeline(scope, operator.raw_operator, list(operator.inputs), custom_parsers=parsers)
    writer = NodeWriter(scope.get_unique_operator_name("pipeline"))
    for given, wanted in zip(outputs, operator.outputs, strict=False):
        element_type = _element_type(wanted)
        if is_text(wanted) or element_type == _element_type(given):
            writer.add("Identity", given.full_name, output=wanted.full_name)
        else:
            writer.add("Cast", given.full_name, output=wanted.full_name, to=element_type)
    writer.put_into(container)


def shape_of_pipeline(operator: Any) -> None:
    """skl2onnx's shape calculator of it: what is around it has set what is needed."""


def last_step(model: Any) -> Any:
    """The last step of a pipeline, also of one at a pipeline's end; the model itself otherwise."""
    return last_step(model.steps[-1][1]) if hasattr(model, "steps") else model


def parse_pipeline(scope: Any, model: Any, inputs: Any, custom_parsers: Any = None) -> Any:
    """skl2onnx's parser of a Pipeline, without the steps that do nothing."""
    steps = [step for _, step in model.steps if step not in ("passthrough", None)]
    for step in steps:
        inputs = _transformed(scope, step, inputs, custom_parsers)
    return inputs


def parse_columns(scope: Any, model: Any, inputs: Any, custom_parsers: Any = None) -> Any:
    """skl2onnx's parser of a ColumnTransformer whose columns are numbers; text and numbers stay apart."""
    results: list[Any] = []
    for name, step, columns in model.transformers_:
        if step in _NOTHING or not len(columns):
            continue
        given = _pick(scope, list(inputs), columns)
        made = given if step == "passthrough" else _transformed(scope, step, given, custom_parsers)
        if len(made) == 1:
            place = model.output_indices_[name]
            made[0].type.shape = [None, place.stop - place.start]
        results += _weighed(scope, made, (model.transformer_weights or {}).get(name))
    return _joined(scope, results)


def parse_union(scope: Any, model: Any, inputs: Any, custom_parsers: Any = None) -> Any:
    """skl2onnx's parser of a FeatureUnion."""
    results: list[Any] = []
    for name, step in model.transformer_list:
        if step in _NOTHING:
            continue
        made = list(inputs) if step == "passthrough" else _transformed(scope, step, list(inputs), custom_parsers)
        results += _weighed(scope, made, (model.transformer_weights or {}).get(name))
    return _joined(scope, results)


def numbers_type(variables: Sequence[Any], shape: list[int | None]) -> Any:
    """skl2onnx's type of numbers made of these: float64 as soon as one is."""
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType

    return (DoubleTensorType if any(isinstance(variable.type, DoubleTensorType) for variable in variables) else FloatTensorType)(shape)


def _transformed(scope: Any, step: Any, inputs: Sequence[Any], parsers: Any) -> list[Any]:
    """What a step makes of tensors; those of numbers are joined for one that takes a single tensor."""
    from skl2onnx._parse import _parse_sklearn

    by_column = type(step).__name__ in _BY_COLUMN or is_table_step(step)
    if not by_column and len({is_text(variable) for variable in inputs}) > 1:
        raise ConversionError(
            "a step that is given text and numbers in one table has no ONNX form",
            where=type(step).__name__,
            expected="columns of one kind",
            advice="Put the step into a ColumnTransformer, with the columns of one kind only.",
        )
    given = list(inputs) if by_column else _joined(scope, inputs)
    return list(_parse_sklearn(scope, step, given, custom_parsers=parsers))


def _pick(scope: Any, inputs: Sequence[Any], columns: Sequence[int]) -> list[Any]:
    """These columns of the tensors, in this order: a tensor for each run of one kind."""
    places = [place_of(inputs, int(column)) for column in columns]
    runs: list[list[tuple[int, int]]] = []
    for place in places:
        if runs and is_text(inputs[runs[-1][-1][0]]) == is_text(inputs[place[0]]):
            runs[-1].append(place)
        else:
            runs.append([place])
    return [_picked(scope, inputs, run) for run in runs]


def place_of(inputs: Sequence[Any], column: int) -> tuple[int, int]:
    """The number of the tensor that has a column of a table, and the column's number there."""
    if len(inputs) == 1:
        return 0, column
    for at, variable in enumerate(inputs):
        width = variable.type.shape[1]
        if column < width:
            return at, column
        column -= width
    raise ConversionError("a column transformer has a column that its table lacks", where="ColumnTransformer", found=f"column {column}")


def _picked(scope: Any, inputs: Sequence[Any], places: Sequence[tuple[int, int]]) -> Any:
    """A tensor of these places, of which only the tensors that are used are inputs."""
    used = list(dict.fromkeys(tensor for tensor, _ in places))
    operator = scope.declare_local_operator(_PICKED, Picked([(used.index(tensor), column) for tensor, column in places]))
    operator.inputs = [inputs[tensor] for tensor in used]
    first = inputs[used[0]]
    shape = [None, len(places)]
    variable_type = type(first.type)(shape) if is_text(first) else numbers_type(operator.inputs, shape)
    variable = scope.declare_local_variable("picked", variable_type)
    operator.outputs.append(variable)
    return variable


def _weighed(scope: Any, variables: list[Any], weight: float | None) -> list[Any]:
    if weight is None:
        return variables
    results = []
    for variable in variables:
        operator = scope.declare_local_operator("SklearnMultiply")
        operator.inputs, operator.operand = [variable], weight
        operator.outputs.append(scope.declare_local_variable("weighed", type(variable.type)(list(variable.type.shape))))
        results.append(operator.outputs[0])
    return results


def _joined(scope: Any, variables: Sequence[Any]) -> list[Any]:
    """Neighbours of one kind side by side in one tensor."""
    runs: list[list[Any]] = []
    for variable in variables:
        if runs and is_text(runs[-1][-1]) == is_text(variable):
            runs[-1].append(variable)
        else:
            runs.append([variable])
    return [run[0] if len(run) == 1 else _concatenated(scope, run) for run in runs]


def _concatenated(scope: Any, variables: Sequence[Any]) -> Any:
    widths: list[Any] = [variable.type.shape[1] if len(variable.type.shape) > 1 else None for variable in variables]
    width = None if None in widths else sum(widths)
    operator = scope.declare_local_operator("SklearnConcat")
    operator.inputs = list(variables)
    shape = [None, width]
    joined_type = type(variables[0].type)(shape) if is_text(variables[0]) else numbers_type(variables, shape)
    operator.outputs.append(scope.declare_local_variable("joined", joined_type))
    return operator.outputs[0]


def is_text(variable: Any) -> bool:
    """Whether one of skl2onnx's variables is text."""
    return type(variable.type).__name__.startswith("String")


def _element_type(variable: Any) -> int:
    return int(variable.type.to_onnx_type().tensor_type.elem_type)
