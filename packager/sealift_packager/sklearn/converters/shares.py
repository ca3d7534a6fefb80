"""Probabilities of several classes from what each class has for itself."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from sealift_packager.graph.nodes import NodeWriter

#: Below it the exponential function is 0 in float64.
_LEAST_EXPONENT: Final = -745.2


def logistic(writer: NodeWriter, score: str) -> str:
    """1 / (1 + exp(-score)) of float64 in any shape: onnxruntime's own Sigmoid subtracts from 1 where it is small, and has no digits left there."""
    one, zero = _constant(writer, np.float64(1)), _constant(writer, np.float64(0))
    exponent = writer.add("Neg", writer.add("Abs", score))
    vanished = writer.add("Less", exponent, _constant(writer, np.float64(_LEAST_EXPONENT)))  # some versions of onnxruntime go on with the least power
    power = writer.add("Where", vanished, zero, writer.add("Exp", exponent))
    above = writer.add("GreaterOrEqual", score, zero)
    return writer.add("Div", writer.add("Where", above, one, power), writer.add("Add", one, power))


def of_their_sum(writer: NodeWriter, each: str, *, of_none: float | None) -> str:
    """Float64 numbers [batch, classes] divided by their sum; ``of_none`` is what each becomes where all are 0, None for NaN."""
    total = writer.add("ReduceSum", each, _constant(writer, np.array([1])), keepdims=1)
    if of_none is None:
        return writer.add("Div", each, total)
    nothing = writer.add("Equal", total, _constant(writer, np.float64(0)))
    shares = writer.add("Div", each, writer.add("Where", nothing, _constant(writer, np.float64(1)), total))
    return writer.add("Where", nothing, _constant(writer, np.float64(of_none)), shares)


def _constant(writer: NodeWriter, value: Any) -> str:
    """One with a name of its own, however often a writer comes here."""
    return writer.constant(f"share_{len(writer.initializers)}", value)
