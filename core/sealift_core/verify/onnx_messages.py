"""The messages of an ONNX file as `sealift_core.verify.protobuf` walks them: every field there is, and which of them are looked into.

They are those of https://github.com/onnx/onnx/blob/main/onnx/onnx.proto, up to IR version 13. Fields that hold neither a graph, a tensor, an operator
nor a place in a file are skipped. ``done`` names what `sealift_core.verify.graph` is to look at.
"""

from __future__ import annotations

from typing import Final

from sealift_core.verify.protobuf import FIXED32, FIXED64, LENGTH, VARINT, Field, MessageTable, fixed_run, numbers_run, texts_run


def _texts(*numbers: int) -> list[Field]:
    return [Field(number, (LENGTH,)) for number in numbers]


def _many(*numbers: int) -> list[Field]:
    return [Field(number, (LENGTH,), many=True) for number in numbers]


def _integers(*numbers: int) -> list[Field]:
    return [Field(number, (VARINT,)) for number in numbers]


def _part(number: int, message: MessageTable, *, many: bool = False, keep: bool = False) -> Field:
    return Field(number, (LENGTH,), many=many, keep=keep, message=message)


def _kept(*numbers: int) -> list[Field]:
    return [Field(number, (LENGTH,), keep=True) for number in numbers]


def _numbers(number: int, wire_type: int = VARINT) -> Field:
    """A repeated number, which is written packed or not."""
    run = numbers_run(number) if wire_type == VARINT else fixed_run(number, wire_type)
    return Field(number, (wire_type, LENGTH), many=True, run=run)


_PAIR: Final = MessageTable("StringStringEntryProto").add(*_kept(1, 2))
_PROPERTY: Final = MessageTable("metadata_props", done="property").add(*_kept(1), *_texts(2))


def _tensor(done: str) -> MessageTable:
    """Name 8, external_data 13, data_location 14; the others hold values."""
    return MessageTable("TensorProto", done=done).add(
        _numbers(1),
        *_integers(2),
        *_texts(3, 9, 12),
        _numbers(4, FIXED32),
        _numbers(5),
        Field(6, (LENGTH,), many=True, run=texts_run(6)),
        _numbers(7),
        *_kept(8),
        _numbers(10, FIXED64),
        _numbers(11),
        _part(13, _PAIR, many=True, keep=True),
        Field(14, (VARINT,), keep=True),
        *_many(16),
    )


_WEIGHT: Final = _tensor("weight")
_TENSOR: Final = _tensor("tensor")
_SPARSE: Final = MessageTable("SparseTensorProto").add(_part(1, _TENSOR), _part(2, _TENSOR), _numbers(3))
_GRAPH: Final = MessageTable("GraphProto")
#: t 5, g 6, floats 7, ints 8, strings 9, tensors 10, graphs 11, sparse_tensor 22, sparse_tensors 23.
_ATTRIBUTE: Final = MessageTable("AttributeProto").add(
    *_texts(1, 4, 13, 14, 21),
    Field(2, (FIXED32,)),
    *_integers(3, 20),
    _part(5, _TENSOR),
    _part(6, _GRAPH),
    _numbers(7, FIXED32),
    _numbers(8),
    Field(9, (LENGTH,), many=True, run=texts_run(9)),
    _part(10, _TENSOR, many=True),
    _part(11, _GRAPH, many=True),
    *_many(15),
    _part(22, _SPARSE),
    _part(23, _SPARSE, many=True),
)
#: op_type 4, attribute 5, domain 7.
_NODE: Final = MessageTable("NodeProto", done="node").add(*_many(1, 2, 9, 10), *_texts(3, 6, 8), *_kept(4, 7), _part(5, _ATTRIBUTE, many=True))
#: name 1, node 7, domain 10, attribute_proto 11.
_FUNCTION: Final = MessageTable("FunctionProto", done="function").add(
    *_kept(1, 10),
    *_integers(2, 3),
    *_many(4, 5, 6, 9, 12, 14),
    _part(7, _NODE, many=True),
    *_texts(8, 13),
    _part(11, _ATTRIBUTE, many=True),
)


def _graph(message: MessageTable, initializer: MessageTable) -> MessageTable:
    """Node 1, initializer 5, sparse_initializer 15."""
    return message.add(
        _part(1, _NODE, many=True),
        *_texts(2, 10),
        _part(5, initializer, many=True),
        *_many(11, 12, 13, 14, 16),
        _part(15, _SPARSE, many=True),
    )


_graph(_GRAPH, _TENSOR)
_OUTERMOST: Final = _graph(MessageTable("GraphProto"), _WEIGHT)
_TRAINING: Final = MessageTable("TrainingInfoProto").add(_part(1, _GRAPH), _part(2, _GRAPH), *_many(3, 4))
#: graph 7, opset_import 8, metadata_props 14, training_info 20, functions 25, configuration 26.
MODEL: Final = MessageTable("ModelProto", done="model").add(
    *_integers(1, 5),
    *_texts(2, 3, 4, 6),
    _part(7, _OUTERMOST, keep=True),
    *_many(8, 26),
    _part(14, _PROPERTY, many=True),
    _part(20, _TRAINING, many=True),
    _part(25, _FUNCTION, many=True),
)
