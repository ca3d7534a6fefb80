"""scikit-learn's Gaussian processes as plain operators in float64: skl2onnx's classifier needs an operator that no onnxruntime has.

Source of the classifier's formulas: C. E. Rasmussen and C. K. I. Williams, "Gaussian Processes for Machine Learning" (2006), algorithm 3.2; for the
integral, which scikit-learn takes from there, C. K. I. Williams and D. Barber, "Bayesian Classification with Gaussian Processes" (1998), appendix A.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from sealift_packager.graph.nodes import NodeWriter
from sealift_packager.model.source import Array
from sealift_packager.sklearn.converters.columns import numbers_type
from sealift_packager.sklearn.converters.distances import given_rows, refused, squared_distances
from sealift_packager.sklearn.converters.members import leave_to_skl2onnx, name_class
from sealift_packager.sklearn.converters.neighbors import element_type
from sealift_packager.sklearn.converters.normal import NormalWriter

#: Five error functions that add up to the logistic function: their slopes, and what each counts.
_SLOPES: Final = (0.41, 0.4, 0.37, 0.44, 0.39)
_SHARES: Final = (-1854.8214151, 3516.89893646, 221.29346712, 128.12323805, -2010.49422654)
_KERNELS: Final = ("ConstantKernel", "DotProduct", "ExpSineSquared", "Matern", "RBF", "RationalQuadratic", "WhiteKernel")
_COMBINED: Final = ("Exponentiation", "Product", "Sum")
_SMOOTH: Final = (0.5, 1.5, 2.5, np.inf)


def write_gaussian_classifier(scope: Any, operator: Any, container: Any) -> None:
    """skl2onnx's converter: rows [batch, features] in, label [batch] and probabilities [batch, classes] out."""
    model, writer = operator.raw_operator, NodeWriter(scope.get_unique_operator_name("gaussian"))
    rows, several = given_rows(writer, operator), model.n_classes_ > 2
    if several and model.multi_class != "one_vs_rest":
        raise refused(model, "classes one against one have no ONNX form here", "multi_class='one_vs_rest'", model.multi_class)
    members = model.base_estimator_.estimators_ if several else [model.base_estimator_]
    asked = [_Binary(writer, member, rows, at) for at, member in enumerate(members)]
    one = writer.constant("one", np.float64(1))
    if several:
        each = writer.add("Concat", *(member.probability() for member in asked), axis=1)
        number = writer.add("ArgMax", each, axis=1, keepdims=0)
        shares = writer.add("Div", each, writer.add("ReduceSum", each, writer.constant("axis", np.array([1])), keepdims=1))
    else:
        second = asked[0].probability()
        number = writer.add("Cast", writer.add("Greater", asked[0].mean, writer.constant("zero", np.float64(0))), to=7)
        shares = writer.add("Concat", writer.add("Sub", one, second), second, axis=1)
    name_class(writer, operator, number)
    writer.add("Cast", shares, output=operator.outputs[1].full_name, to=element_type(operator))
    writer.put_into(container)


def write_gaussian_regressor(scope: Any, operator: Any, container: Any) -> None:
    """skl2onnx's converter of the mean: rows [batch, features] in, [batch, targets] out; one that was never fitted is skl2onnx's own."""
    model = operator.raw_operator
    if not hasattr(model, "X_train_") or len(operator.outputs) > 1:
        leave_to_skl2onnx(scope, operator, container)
        return
    writer = NodeWriter(scope.get_unique_operator_name("gaussian"))
    near = _Kernels(writer, given_rows(writer, operator), np.asarray(model.X_train_, np.float64), "kernel").between(model.kernel_)
    weights = np.asarray(model.alpha_, np.float64).reshape(len(model.X_train_), -1)
    scaled = writer.add("Mul", writer.add("MatMul", near, writer.constant("weights", weights)), writer.constant("spread", _row(model._y_train_std)))  # noqa: SLF001
    moved = writer.add("Add", scaled, writer.constant("middle", _row(model._y_train_mean)))  # noqa: SLF001
    writer.add("Cast", moved, output=operator.outputs[0].full_name, to=element_type(operator))
    writer.put_into(container)


def shape_of_gaussian_regressor(operator: Any) -> None:
    """skl2onnx's shape calculator of it."""
    from skl2onnx.common._registration import get_shape_calculator

    model = operator.raw_operator
    if not hasattr(model, "X_train_") or len(operator.outputs) > 1:
        get_shape_calculator(operator.type)(operator)
        return
    operator.outputs[0].type = numbers_type(operator.inputs, [None, np.asarray(model.alpha_).reshape(len(model.X_train_), -1).shape[1]])


class _Binary:
    """A classifier of two classes: the mean [batch, 1] of what it chooses by, and the second class's probability."""

    def __init__(self, writer: NodeWriter, model: Any, rows: str, at: int) -> None:
        self._writer, self._model, self._name = writer, model, f"member_{at}"
        self._kernels = _Kernels(writer, rows, np.asarray(model.X_train_, np.float64), f"{self._name}_kernel")
        self._near = self._kernels.between(model.kernel_)
        weights = np.asarray(model.y_train_ - model.pi_, np.float64).reshape(-1, 1)
        self.mean = writer.add("MatMul", self._near, writer.constant(f"{self._name}_weights", weights))

    def probability(self) -> str:
        """[batch, 1]."""
        write, slopes, shares = self._writer, np.array([_SLOPES]), np.array([_SHARES])
        spread = np.linalg.solve(np.asarray(self._model.L_, np.float64), np.diag(np.asarray(self._model.W_sr_, np.float64)))
        known = write.add("MatMul", self._near, write.constant(f"{self._name}_spread", spread.T))
        squares = write.add("ReduceSumSquare", known, write.constant(f"{self._name}_axis", np.array([1])), keepdims=1)
        variance = write.add("Sub", self._kernels.itself(self._model.kernel_), squares)
        alpha = write.add("Div", self._number(0.5), variance)
        gamma = write.add("Mul", self.mean, write.constant(f"{self._name}_slopes", slopes))
        wide = write.add("Add", alpha, write.constant(f"{self._name}_squared_slopes", slopes**2))
        inner = write.add("Mul", gamma, write.add("Sqrt", write.add("Div", alpha, wide)))
        above = write.add("Sqrt", write.add("Div", self._number(np.pi), alpha))
        below = write.add("Mul", self._number(2), write.add("Sqrt", write.add("Mul", variance, self._number(2 * np.pi))))
        each = write.add("Mul", NormalWriter(write).error_function(inner), write.add("Div", above, below))
        total = write.add("MatMul", each, write.constant(f"{self._name}_shares", shares.T))
        return write.add("Add", total, self._number(0.5 * shares.sum()))

    def _number(self, value: float) -> str:
        return self._writer.constant(f"{self._name}_number_{len(self._writer.initializers)}", np.float64(value))


class _Kernels:
    """Kernels of rows [batch, features] and training rows, and of rows and themselves."""

    def __init__(self, writer: NodeWriter, rows: str, points: Array, name: str) -> None:
        self._writer, self._rows, self._points, self._name, self._count = writer, rows, points, name, 0

    def between(self, kernel: Any) -> str:
        """[batch, training rows]; `ConversionError` for a kernel that has no form here."""
        name, write = type(kernel).__name__, self._writer
        if name in _COMBINED:
            return self._combined(kernel, self.between)
        if name not in _KERNELS or (name == "Matern" and kernel.nu not in _SMOOTH):
            found = f"{name} of nu={kernel.nu}" if name == "Matern" else name
            raise refused(kernel, "a kernel that has no ONNX form", f"{', '.join((*_KERNELS, *_COMBINED))}; Matern of nu 0.5, 1.5, 2.5 or inf", found)
        if name in ("ConstantKernel", "WhiteKernel"):
            value = kernel.constant_value if name == "ConstantKernel" else 0.0  # noise is of a row and itself alone
            return write.add("Add", write.add("Mul", self._column(), self._number(0)), self._number(np.full((1, len(self._points)), value)))
        if name == "DotProduct":
            return write.add("Add", write.add("MatMul", self._rows, self._number(self._points.T)), self._number(kernel.sigma_0**2))
        if name == "ExpSineSquared":
            turn = write.add("Sin", write.add("Mul", write.add("Sqrt", self._squared(1.0)), self._number(np.pi / kernel.periodicity)))
            return self._exponential(write.add("Mul", turn, turn), -2.0 / kernel.length_scale**2)
        if name == "RationalQuadratic":
            scaled = write.add("Mul", self._squared(1.0), self._number(1 / (2 * kernel.alpha * kernel.length_scale**2)))
            return write.add("Pow", write.add("Add", self._number(1), scaled), self._number(-kernel.alpha))
        squared = self._squared(np.asarray(kernel.length_scale, np.float64))
        if name == "RBF" or np.isinf(kernel.nu):
            return self._exponential(squared, -0.5)
        return self._matern(squared, float(kernel.nu))

    def itself(self, kernel: Any) -> str:
        """[batch, 1], of each row and itself."""
        name, write = type(kernel).__name__, self._writer
        if name in _COMBINED:
            return self._combined(kernel, self.itself)
        if name == "DotProduct":
            squares = write.add("ReduceSumSquare", self._rows, self._number(np.array([1]), whole=True), keepdims=1)
            return write.add("Add", squares, self._number(kernel.sigma_0**2))
        value = {"ConstantKernel": "constant_value", "WhiteKernel": "noise_level"}.get(name)
        return write.add("Add", write.add("Mul", self._column(), self._number(0)), self._number(getattr(kernel, value) if value else 1.0))

    def _combined(self, kernel: Any, part: Any) -> str:
        if type(kernel).__name__ == "Exponentiation":
            return self._writer.add("Pow", part(kernel.kernel), self._number(kernel.exponent))
        return self._writer.add("Mul" if type(kernel).__name__ == "Product" else "Add", part(kernel.k1), part(kernel.k2))

    def _matern(self, squared: str, smoothness: float) -> str:
        write = self._writer
        scaled = write.add("Sqrt", write.add("Mul", squared, self._number(2 * smoothness)))
        decay = self._exponential(scaled, -1.0)
        if smoothness == _SMOOTH[0]:
            return decay
        polynomial = write.add("Add", self._number(1), scaled)
        if smoothness == _SMOOTH[2]:
            polynomial = write.add("Add", polynomial, write.add("Mul", write.add("Mul", scaled, scaled), self._number(1 / 3)))
        return write.add("Mul", polynomial, decay)

    def _squared(self, scale: Any) -> str:
        """[batch, training rows]: squared distances of rows that are divided by a scale."""
        self._count += 1
        inner = NodeWriter(f"{self._writer.prefix}_{self._name}_{self._count}")
        points = self._points / scale
        result = squared_distances(inner, inner.add("Div", self._rows, inner.constant("scale", scale)), points, inner.constant("points", points))
        self._writer.nodes.extend(inner.nodes)
        self._writer.initializers.extend(inner.initializers)
        return result

    def _exponential(self, value: str, factor: float) -> str:
        return self._writer.add("Exp", self._writer.add("Mul", value, self._number(factor)))

    def _column(self) -> str:
        """[batch, 1], of numbers that are finite where the row's are."""
        return self._writer.add("ReduceSum", self._rows, self._number(np.array([1]), whole=True), keepdims=1)

    def _number(self, value: Any, *, whole: bool = False) -> str:
        name = f"{self._name}_number_{len(self._writer.initializers)}"
        return self._writer.constant(name, np.asarray(value, np.int64 if whole else np.float64))


def _row(value: Any) -> Array:
    return np.asarray(value, np.float64).reshape(1, -1)
