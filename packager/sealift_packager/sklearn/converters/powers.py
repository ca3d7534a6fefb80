"""scikit-learn's PowerTransformer, Yeo-Johnson and Box-Cox, there and back, as plain operators in float64: skl2onnx's way there has no float64.

ONNX has no log(1 + x) and e^x - 1 that are right for tiny numbers. Source of their form here: N. Higham, "Accuracy and Stability of Numerical
Algorithms" (2002), section 1.14.1, where errors of a sum and of a logarithm cancel.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sealift_packager.graph.nodes import NodeWriter
from sealift_packager.sklearn.converters.columns import numbers_type
from sealift_packager.sklearn.converters.distances import given_rows
from sealift_packager.sklearn.converters.neighbors import element_type


def write_powers(scope: Any, operator: Any, container: Any) -> None:
    """skl2onnx's converter: numbers [batch, columns] in and out."""
    model, writer = operator.raw_operator, NodeWriter(scope.get_unique_operator_name("powers"))
    rows, exponents = given_rows(writer, operator), np.asarray(model.lambdas_, np.float64)
    moved = _raised(writer, writer.add("Log", rows), exponents, "power") if model.method == "box-cox" else _yeo_johnson(writer, rows, exponents)
    if model.standardize:
        scaler = model._scaler  # noqa: SLF001
        moved = writer.add("Div", writer.add("Sub", moved, writer.constant("mean", scaler.mean_)), writer.constant("scale", scaler.scale_))
    writer.add("Cast", moved, output=operator.outputs[0].full_name, to=element_type(operator))
    writer.put_into(container)


def shape_of_powers(operator: Any) -> None:
    """skl2onnx's shape calculator of it."""
    operator.outputs[0].type = numbers_type(operator.inputs, [None, len(operator.raw_operator.lambdas_)])


def _yeo_johnson(writer: NodeWriter, rows: str, exponents: Any) -> str:
    zero = writer.constant("null", np.float64(0))
    positive = writer.add("GreaterOrEqual", rows, zero)
    upper = _raised(writer, _log_of_next(writer, writer.add("Where", positive, rows, zero), "upper"), exponents, "upper_power")
    below = writer.add("Neg", writer.add("Where", positive, zero, rows))
    lower = _raised(writer, _log_of_next(writer, below, "lower"), 2 - exponents, "lower_power")
    return writer.add("Where", positive, upper, writer.add("Neg", lower))


def _raised(writer: NodeWriter, logarithms: str, exponents: Any, name: str) -> str:
    """(x^λ - 1) / λ of logarithms of x, and these themselves for a λ of 0."""
    none = np.abs(exponents) < np.spacing(1.0)
    kept = writer.constant(f"{name}_exponents", np.where(none, 1.0, exponents))
    raised = writer.add("Div", _power_less_one(writer, writer.add("Mul", logarithms, kept), name), kept)
    return writer.add("Where", writer.constant(f"{name}_none", none), logarithms, raised) if none.any() else raised


def _log_of_next(writer: NodeWriter, values: str, name: str) -> str:
    """log(1 + x) of x from 0 on, right for the tiniest numbers, and for large ones to their last digit."""
    one = writer.constant(f"{name}_one", np.float64(1))
    following = writer.add("Add", values, one)
    plain = writer.add("Log", following)
    exact = writer.add("Mul", plain, writer.add("Div", values, writer.add("Sub", following, one)))
    near = writer.add("Where", writer.add("Equal", following, one), values, exact)
    return writer.add("Where", writer.add("Less", values, one), near, plain)


def _power_less_one(writer: NodeWriter, values: str, name: str) -> str:
    """e^x - 1, right for the tiniest numbers, and for large ones to their last digit."""
    one = writer.constant(f"{name}_unit", np.float64(1))
    power = writer.add("Exp", values)
    plain = writer.add("Sub", power, one)
    exact = writer.add("Mul", plain, writer.add("Div", values, writer.add("Log", power)))
    near = writer.add("Where", writer.add("Equal", power, one), values, exact)
    return writer.add("Where", writer.add("Less", writer.add("Abs", values), one), near, plain)


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
