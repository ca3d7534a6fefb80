"""scikit-learn's OneHotEncoder, OrdinalEncoder and TargetEncoder as plain operators.

skl2onnx's cut fractions off, and have no infrequent categories, no missing ones but numbers, and no target of many classes. What each category
becomes is asked of the encoder itself, so dropped, infrequent, missing and unknown ones come out as it has them.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
from onnx import TensorProto

from sealift_packager.graph.nodes import NodeWriter
from sealift_packager.model.source import Array
from sealift_packager.progress.quiet import quiet

_UNKNOWN_TEXT: Final = "\x00 no category"
#: What an OrdinalEncoder's graph makes of a category that its source refuses.
_REFUSED: Final = -1


def write_one_hot(scope: Any, operator: Any, container: Any) -> None:
    """skl2onnx's converter of a OneHotEncoder: columns [batch, columns] each, float32 [batch, features out]."""
    encoder = operator.raw_operator
    writer = NodeWriter(scope.get_unique_operator_name("one_hot"))
    parts = []
    for at, (index, places) in enumerate(zip(_indices(writer, operator), _places(encoder), strict=True)):
        place = writer.add("Gather", writer.constant(f"places_{at}", places), index)
        same = writer.add("Equal", place, writer.constant(f"features_{at}", np.arange(_widths(encoder)[at]).reshape(1, -1)))
        parts.append(writer.add("Cast", same, to=TensorProto.FLOAT))
    writer.add("Concat", *parts, output=operator.outputs[0].full_name, axis=1)
    writer.put_into(container)


def shape_of_one_hot(operator: Any) -> None:
    """skl2onnx's shape calculator of a OneHotEncoder."""
    from skl2onnx.common.data_types import FloatTensorType

    operator.outputs[0].type = FloatTensorType([None, sum(_widths(operator.raw_operator))])


def write_codes(scope: Any, operator: Any, container: Any, *, double: bool) -> None:
    """skl2onnx's converter of an OrdinalEncoder or TargetEncoder: columns [batch, columns] each, numbers [batch, columns out]."""
    writer = NodeWriter(scope.get_unique_operator_name("codes"))
    dtype = np.float64 if double else np.float32
    parts = []
    for at, (index, codes) in enumerate(zip(_indices(writer, operator), _codes(operator.raw_operator), strict=True)):
        flat = writer.add("Reshape", index, writer.constant(f"flat_{at}", np.array([-1])))
        part, gaps = writer.add("Gather", writer.constant(f"codes_{at}", np.nan_to_num(codes).astype(dtype)), flat), np.isnan(codes)
        if gaps.any():  # a constant with NaN in it is a model that diverged (`bounds`)
            missing = writer.add("Gather", writer.constant(f"missing_{at}", gaps), flat)
            part = writer.add("Where", missing, writer.constant(f"nan_{at}", np.array(np.nan, dtype)), part)
        parts.append(part)
    writer.add("Concat", *parts, output=operator.outputs[0].full_name, axis=1)
    writer.put_into(container)


def shape_of_codes(operator: Any, *, double: bool) -> None:
    """skl2onnx's shape calculator of them."""
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType

    encoder = operator.raw_operator
    operator.outputs[0].type = (DoubleTensorType if double else FloatTensorType)([None, len(encoder.categories_) * _codes_each(encoder)])


def _places(encoder: Any) -> Iterator[Array]:
    """For each column: the feature out of it that each category, and last an unknown one, makes 1; -1 where it makes none."""
    plain, start = _plain(encoder), 0
    plain.sparse_output = True
    for at, width in enumerate(_widths(encoder)):
        categories = encoder.categories_[at]
        places = np.full(len(categories) + 1, -1)
        encoded = _encode_column(plain, at, categories)[:, start : start + width].tocoo()
        places[encoded.row] = encoded.col
        try:
            unknown = _encode_column(plain, at, [_unknown(categories)])[:, start : start + width].tocoo()
            places[-1] = unknown.col[0] if unknown.nnz else -1
        except ValueError:  # handle_unknown="error": the source refuses such a row
            pass
        yield places
        start += width


def _widths(encoder: Any) -> list[int]:
    """How many features a OneHotEncoder makes of each column."""
    count = len(encoder.categories_)
    dropped = encoder.drop_idx_ if encoder.drop_idx_ is not None else [None] * count
    infrequent = getattr(encoder, "infrequent_categories_", [None] * count)
    rare = [0 if categories is None else len(categories) - 1 for categories in infrequent]
    return [len(categories) - rare[at] - (dropped[at] is not None) for at, categories in enumerate(encoder.categories_)]


def _codes(encoder: Any) -> Iterator[Array]:
    """For each column: what each category, and last an unknown one, becomes; [categories + 1, columns out of it]."""
    plain, width = _plain(encoder), _codes_each(encoder)
    for at, categories in enumerate(encoder.categories_):
        columns = slice(at * width, (at + 1) * width)
        try:
            unknown = _encode_column(plain, at, [_unknown(categories)])[:, columns]
        except ValueError:  # as above
            unknown = np.full((1, width), _REFUSED)
        yield np.concatenate([_encode_column(plain, at, categories)[:, columns], unknown])


def _codes_each(encoder: Any) -> int:
    """A TargetEncoder of many classes gives a number for each."""
    return len(encoder.classes_) if getattr(encoder, "target_type_", "") == "multiclass" else 1


def _plain(encoder: Any) -> Any:
    """A copy that gives arrays, whatever `set_output` made it give."""
    return copy.deepcopy(encoder).set_output(transform="default")


def _encode_column(encoder: Any, at: int, values: Sequence[Any]) -> Any:
    """What it makes of rows with these values in one column, and in the others their first category."""
    rows = np.empty((len(values), len(encoder.categories_)), dtype=object)
    rows[:] = [categories[0] for categories in encoder.categories_]
    rows[:, at] = values
    if all(np.asarray(categories).dtype.kind in "biuf" for categories in encoder.categories_):
        rows = rows.astype(np.float64)
    with quiet():
        return encoder.transform(rows)


def _unknown(categories: Array) -> Any:
    """A value that is none of these: more than twice the largest, for adding to a large number may not change it."""
    numbers = np.asarray(categories).dtype.kind in "biuf"
    return 2 * float(np.nanmax(np.append(np.asarray(categories, np.float64), 0))) + 1.5 if numbers else _UNKNOWN_TEXT


def _indices(writer: NodeWriter, operator: Any) -> Iterator[str]:
    """For each column: the number [batch, 1] of each row's category; how many there are, where it is none of them."""
    columns = iter(enumerate(operator.raw_operator.categories_))
    for variable in operator.inputs:
        type_name = type(variable.type).__name__
        for column in range(int(variable.type.shape[1])):
            at, categories = next(columns)
            values = writer.add("Gather", variable.full_name, writer.constant(f"column_{at}", np.array([column])), axis=1)
            yield (word_index if type_name.startswith("String") else number_index)(writer, values, categories, f"categories_{at}", type_name)


def word_index(writer: NodeWriter, values: str, categories: Array, name: str, type_name: str) -> str:  # noqa: ARG001  (as `number_index`)
    """The number [batch, 1] of a text's category; how many there are, where it is none of them."""
    numbers = {str(category): number for number, category in enumerate(categories)}
    keys, places = list(numbers), list(numbers.values())
    return writer.add("LabelEncoder", values, domain="ai.onnx.ml", keys_strings=keys, values_int64s=places, default_int64=len(categories))


def number_index(writer: NodeWriter, values: str, categories: Array, name: str, type_name: str) -> str:
    """The same of a number's, of which NaN is the last."""
    dtype, wide = (np.float64, TensorProto.DOUBLE) if type_name.startswith("Double") else (np.float32, TensorProto.FLOAT)
    typed = np.asarray(categories, dtype).reshape(1, -1)
    numbers = typed[:, ~np.isnan(typed[0])]
    given = writer.add("Cast", values, to=wide)
    same = writer.add("Equal", given, writer.constant(name, numbers))
    if numbers.size < typed.size:  # scikit-learn has NaN last
        same = writer.add("Concat", same, writer.add("IsNaN", given), axis=1)
    mask = writer.add("Cast", same, to=TensorProto.FLOAT)
    some = writer.add("ReduceMax", mask, writer.constant(f"{name}_axis", np.array([1])), keepdims=1)
    none = writer.add("Sub", writer.constant(f"{name}_one", np.array(1, np.float32)), some)
    return writer.add("ArgMax", writer.add("Concat", mask, none, axis=1), axis=1, keepdims=1)
