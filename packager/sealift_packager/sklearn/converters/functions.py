"""numpy's functions of one number as ONNX: what FunctionTransformer and TransformedTargetRegressor are given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from sealift_packager.errors import ConversionError
from sealift_packager.graph.nodes import NodeWriter

Write = Callable[[NodeWriter, str], str]


def _single(operator: str) -> Write:
    return lambda writer, value: writer.add(operator, value)


def _number(writer: NodeWriter, value: float) -> str:
    return writer.constant(f"number_{len(writer.initializers)}", np.float64(value))


def _power(exponent: float) -> Write:
    return lambda writer, value: writer.add("Pow", value, _number(writer, exponent))


def _log(base: float) -> Write:
    return lambda writer, value: writer.add("Div", writer.add("Log", value), _number(writer, np.log(base)))


#: numpy's name → its nodes, from a float64 tensor to one.
FUNCTIONS: Final[dict[str, Write]] = {
    "abs": _single("Abs"),
    "ceil": _single("Ceil"),
    "cos": _single("Cos"),
    "exp": _single("Exp"),
    "exp2": lambda writer, value: writer.add("Pow", _number(writer, 2), value),
    "expm1": lambda writer, value: writer.add("Sub", writer.add("Exp", value), _number(writer, 1)),
    "floor": _single("Floor"),
    "log": _single("Log"),
    "log10": _log(10),
    "log1p": lambda writer, value: writer.add("Log", writer.add("Add", value, _number(writer, 1))),
    "log2": _log(2),
    "negative": _single("Neg"),
    "reciprocal": _single("Reciprocal"),
    "sin": _single("Sin"),
    "sqrt": _single("Sqrt"),
    "square": _power(2),
    "tanh": _single("Tanh"),
}


def write_function(writer: NodeWriter, function: Any, value: str, *, where: str) -> str:
    """The float64 tensor that ``function`` makes of the one called ``value``; None is the identity. `ConversionError` if it isn't known."""
    if function is None:
        return value
    name = next((name for name in FUNCTIONS if getattr(np, name) is function), None)
    if name is None:
        raise ConversionError(
            "a function that has no ONNX form",
            where=where,
            expected=f"a function of numpy: {', '.join(FUNCTIONS)}",
            found=getattr(function, "__qualname__", None) or getattr(function, "__name__", repr(function)),
            advice="Use one of these, or compute it before the model.",
        )
    return FUNCTIONS[name](writer, value)
