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


def _half_of(operator: str) -> Write:
    """Of e^x and e^-x."""

    def write(writer: NodeWriter, value: str) -> str:
        up, down = writer.add("Exp", value), writer.add("Exp", writer.add("Neg", value))
        return writer.add("Mul", _number(writer, 0.5), writer.add(operator, up, down))

    return write


def _cube_root(writer: NodeWriter, value: str) -> str:
    return writer.add("Mul", writer.add("Sign", value), writer.add("Pow", writer.add("Abs", value), _number(writer, 1 / 3)))


def _inverse_sinh(writer: NodeWriter, value: str) -> str:
    """sign(x)·log(|x| + sqrt(x² + 1)), with a root that doesn't overflow."""
    size = writer.add("Abs", value)
    large = writer.add("Greater", size, _number(writer, 1e8))
    kept = writer.add("Where", large, _number(writer, 0), size)
    root = writer.add("Sqrt", writer.add("Add", writer.add("Mul", kept, kept), _number(writer, 1)))
    grown = writer.add("Add", size, writer.add("Where", large, size, root))
    return writer.add("Mul", writer.add("Sign", value), writer.add("Log", grown))


#: numpy's name → its nodes, from a float64 tensor to one.
FUNCTIONS: Final[dict[str, Write]] = {
    "abs": _single("Abs"),
    "arcsinh": _inverse_sinh,
    "cbrt": _cube_root,
    "ceil": _single("Ceil"),
    "cos": _single("Cos"),
    "cosh": _half_of("Add"),
    "exp": _single("Exp"),
    "exp2": lambda writer, value: writer.add("Pow", _number(writer, 2), value),
    "expm1": lambda writer, value: writer.add("Sub", writer.add("Exp", value), _number(writer, 1)),
    "fabs": _single("Abs"),
    "floor": _single("Floor"),
    "log": _single("Log"),
    "log10": _log(10),
    "log1p": lambda writer, value: writer.add("Log", writer.add("Add", value, _number(writer, 1))),
    "log2": _log(2),
    "negative": _single("Neg"),
    "positive": _single("Identity"),
    "reciprocal": _single("Reciprocal"),
    "rint": _single("Round"),
    "sign": _single("Sign"),
    "sin": _single("Sin"),
    "sinh": _half_of("Sub"),
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
