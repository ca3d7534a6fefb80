"""What a graph gives, by its answers: exporters declare shapes that it doesn't keep, and a device refuses such a bundle."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Final

import onnx

from sealift_core.bundle.tensors import TensorSpec
from sealift_packager.errors import ConversionError
from sealift_packager.graph import graph
from sealift_packager.graph.result import Converted
from sealift_packager.graph.session import Settings, open_session, run_session
from sealift_packager.graph.tensors import refers
from sealift_packager.model.batch import BATCH, fixed_batch
from sealift_packager.model.source import Arrays
from sealift_packager.model.synthetic import free_symbols, make_inputs, usual_sizes

#: Requests of different sizes: what is the same in all of them doesn't depend on them, and values are hardly ever such that rows follow from them.
_ROWS: Final = (2, 3, 17)
_SIZES: Final = (8, 9, 11)

Sizes = Mapping[str, int]
#: The sizes that a request has by symbol, and its answers.
Answered = tuple[Sizes, Arrays]


def as_answered(converted: Converted) -> Converted:
    """The graph with outputs of the shapes that it gives, where it declares others; as it is where it answers no made-up request.

    A dimension that is the same for requests of different sizes is that number; one that follows a dimension of the inputs has its symbol; any
    other one has a symbol of its own.
    """
    if refers(converted.model):  # gigabytes: parity asks it once as it is
        return converted
    answered = _answered(converted)
    outputs = tuple(_corrected(spec, answered) for spec in converted.outputs)
    if not answered or outputs == converted.outputs:
        return converted
    model = graph.copy_of(converted.model)
    declared = {spec.name: spec for spec in outputs}
    for output in model.graph.output:
        spec = declared[output.name]
        output.CopyFrom(onnx.helper.make_tensor_value_info(spec.name, output.type.tensor_type.elem_type, list(spec.shape)))
    return dataclasses.replace(converted, model=model, outputs=outputs)


def _answered(converted: Converted) -> list[Answered]:
    """All requests, or none."""
    try:
        session = open_session(converted.model, Settings(), where="model.onnx")
        return [_ask(session, converted, rows, number) for number, rows in enumerate(_ROWS)]
    except ConversionError:  # it takes other values: parity has them
        return []


def _ask(session: object, converted: Converted, rows: int, number: int) -> Answered:
    inputs, accepted = converted.inputs, converted.accepted
    sizes = {symbol: _SIZES[number] + 2 * at for at, symbol in enumerate(free_symbols(inputs))} | usual_sizes(inputs, accepted, number=number)
    rows = fixed_batch(inputs) or rows
    return {**sizes, BATCH: rows}, run_session(session, make_inputs(inputs, rows=rows, seed=0, sizes=sizes, accepted=accepted))


def _corrected(spec: TensorSpec, answered: Sequence[Answered]) -> TensorSpec:
    shapes = [(sizes, answers[spec.name].shape) for sizes, answers in answered]
    if all(_keeps(spec, shape, sizes) for sizes, shape in shapes):
        return spec
    if len({len(shape) for _, shape in shapes}) > 1:
        raise ConversionError(
            "an output has another number of dimensions for another request",
            where=f"model.onnx: {spec.name}",
            found=" and ".join(str(list(shape)) for _, shape in shapes),
            advice="Give it one shape in the model (squeeze or reshape it).",
        )
    return dataclasses.replace(spec, shape=tuple(_dimension(spec, at, shapes) for at in range(len(shapes[0][1]))))


def _keeps(spec: TensorSpec, shape: tuple[int, ...], sizes: Sizes) -> bool:
    if len(shape) != len(spec.shape):
        return False
    return all(
        size == (declared if isinstance(declared, int) else sizes.get(declared, size)) for size, declared in zip(shape, spec.shape, strict=True)
    )


def _dimension(spec: TensorSpec, at: int, shapes: Sequence[tuple[Sizes, tuple[int, ...]]]) -> int | str:
    seen = [shape[at] for _, shape in shapes]
    symbols = [symbol for symbol in shapes[0][0] if [sizes[symbol] for sizes, _ in shapes] == seen]
    own = f"{spec.name}_{at}"
    if len(set(seen)) > 1 or (symbols and at == 0):
        return symbols[0] if symbols else own
    varied = all(len({sizes[symbol] for sizes, _ in shapes}) > 1 for symbol in shapes[0][0] if symbol != BATCH)
    declared = spec.shape[at] if len(spec.shape) == len(shapes[0][1]) else None
    return seen[0] if varied or declared == seen[0] else own  # a size that is always asked with may be what this one follows
