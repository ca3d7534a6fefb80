"""scikit-learn's PowerTransformer, back: Yeo-Johnson and Box-Cox."""

from __future__ import annotations

from typing import Any

import numpy as np

from sealift_packager.graph.nodes import NodeWriter


def write_powers_back(writer: NodeWriter, model: Any, values: str) -> str:
    """The inverse transformation of float64 [batch, columns] that isn't scaled; not a number where there is none."""
    exponents = np.asarray(model.lambdas_, np.float64)
    if model.method == "box-cox":
        return _power(writer, values, exponents, "power")
    zero, one = writer.constant("power_zero", np.float64(0)), writer.constant("power_one", np.float64(1))
    positive = writer.add("GreaterOrEqual", values, zero)
    upper = writer.add("Sub", _power(writer, writer.add("Where", positive, values, zero), exponents, "upper"), one)
    lower = writer.add("Neg", writer.add("Where", positive, zero, values))
    below = writer.add("Sub", one, _power(writer, lower, 2 - exponents, "lower"))
    return writer.add("Where", positive, upper, below)


def _power(writer: NodeWriter, values: str, exponents: Any, name: str) -> str:
    """(λx + 1)^(1/λ), and e^x for a λ of 0."""
    none = np.abs(exponents) < np.spacing(1.0)
    kept = np.where(none, 1.0, exponents)
    base = writer.add("Add", writer.add("Mul", values, writer.constant(f"{name}_slope", kept)), writer.constant(f"{name}_unit", np.float64(1)))
    raised = writer.add("Pow", base, writer.constant(f"{name}_root", 1 / kept))
    if not none.any():
        return raised
    return writer.add("Where", writer.constant(f"{name}_exponential", none), writer.add("Exp", values), raised)
