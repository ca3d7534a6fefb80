"""What scikit-learn computes with kernels and skl2onnx has no form for, as plain operators in float64: KernelRidge, Nystroem, RBFSampler, SVR."""

from __future__ import annotations

import dataclasses
from typing import Any, Final

import numpy as np

from sealift_packager.errors import ConversionError
from sealift_packager.graph.nodes import NodeWriter
from sealift_packager.model.source import Array
from sealift_packager.sklearn.converters.distances import given_rows, refused, rounding, squared_distances
from sealift_packager.sklearn.converters.members import leave_to_skl2onnx
from sealift_packager.sklearn.converters.neighbors import element_type

KERNELS: Final = ("linear", "poly", "polynomial", "rbf", "sigmoid")
#: What scikit-learn's pairwise kernels take where an estimator says nothing.
_DEGREE: Final = 3
_OFFSET: Final = 1.0
#: By how much of the width of a kernel scikit-learn may round distances.
_ROUNDED: Final = 1e-4


def write_kernel_ridge(scope: Any, operator: Any, container: Any) -> None:
    """skl2onnx's converter of a KernelRidge: rows [batch, features] in, [batch, targets] out."""
    model = operator.raw_operator
    writer = NodeWriter(scope.get_unique_operator_name("kernel_ridge"))
    weights = np.asarray(model.dual_coef_, np.float64).reshape(len(model.X_fit_), -1)
    _end(writer, operator, container, writer.add("MatMul", _kernel(writer, operator, model.X_fit_), writer.constant("weights", weights)))


def write_nystroem(scope: Any, operator: Any, container: Any) -> None:
    """skl2onnx's converter of a Nystroem: rows [batch, features] in, [batch, components] out."""
    model = operator.raw_operator
    writer = NodeWriter(scope.get_unique_operator_name("nystroem"))
    basis = writer.constant("normalization", np.asarray(model.normalization_, np.float64).T)
    _end(writer, operator, container, writer.add("MatMul", _kernel(writer, operator, model.components_), basis))


def write_sampler(scope: Any, operator: Any, container: Any) -> None:
    """skl2onnx's converter of an RBFSampler: rows [batch, features] in, [batch, components] out."""
    model = operator.raw_operator
    writer = NodeWriter(scope.get_unique_operator_name("rbf_sampler"))
    waves = writer.constant("waves", np.asarray(model.random_weights_, np.float64))
    angles = writer.add("Gemm", given_rows(writer, operator), waves, writer.constant("offsets", np.asarray(model.random_offset_, np.float64)))
    _end(writer, operator, container, writer.add("Mul", writer.add("Cos", angles), writer.constant("scale", np.sqrt(2 / model.n_components))))


def write_support_regressor(scope: Any, operator: Any, container: Any) -> None:
    """skl2onnx's converter of an SVR or a NuSVR: rows [batch, features] in, [batch, 1] out; ONNX's own operator for it has no float64."""
    model = operator.raw_operator
    writer = NodeWriter(scope.get_unique_operator_name("support"))
    intercept = writer.constant("intercept", np.asarray(model.intercept_, np.float64))
    if not model.support_vectors_.size:  # one number for every row, which ONNX's own operator refuses
        nothing = writer.constant("nothing", np.zeros((model.n_features_in_, 1)))
        _end(writer, operator, container, writer.add("Add", writer.add("MatMul", given_rows(writer, operator), nothing), intercept))
        return
    if not type(operator.inputs[0].type).__name__.startswith("Double") or model.kernel not in KERNELS:
        leave_to_skl2onnx(scope, operator, container)
        return
    options = KernelOptions(kernel=model.kernel, gamma=model._gamma, degree=model.degree, coef0=model.coef0)  # noqa: SLF001
    near = kernel_of(writer, operator, model.support_vectors_, options)
    dual = model.dual_coef_.toarray() if hasattr(model.dual_coef_, "toarray") else model.dual_coef_
    score = writer.add("MatMul", near, writer.constant("weights", np.asarray(dual, np.float64).T))
    _end(writer, operator, container, writer.add("Add", score, intercept))


def shape_of_support_regressor(operator: Any) -> None:
    """skl2onnx's shape calculator of it."""
    operator.outputs[0].type = operator.inputs[0].type.__class__([None, 1])


def shape_of_kernel_ridge(operator: Any) -> None:
    """skl2onnx's shape calculator of a KernelRidge."""
    operator.outputs[0].type = operator.inputs[0].type.__class__([None, operator.raw_operator.dual_coef_[0].size])


def shape_of_components(operator: Any) -> None:
    """skl2onnx's shape calculator of a Nystroem or an RBFSampler."""
    model = operator.raw_operator
    count = len(model.components_) if hasattr(model, "components_") else model.n_components
    operator.outputs[0].type = operator.inputs[0].type.__class__([None, count])


def _kernel(writer: NodeWriter, operator: Any, points: Any) -> str:
    """[batch, points] of the kernel that the estimator was fitted with; `ConversionError` for one that has no form here."""
    model = operator.raw_operator
    if model.kernel not in KERNELS or model.kernel_params:
        raise refused(model, "a kernel that has no ONNX form", f"{', '.join(KERNELS)}, without kernel_params", f"{model.kernel}")
    gamma = 1 / points.shape[1] if model.gamma is None else model.gamma
    if model.kernel == "rbf":
        _check_rounding(model, np.asarray(points.toarray() if hasattr(points, "toarray") else points, np.float64), gamma)
    options = KernelOptions(kernel=model.kernel, gamma=gamma, degree=_or(model.degree, _DEGREE), coef0=_or(model.coef0, _OFFSET))
    return kernel_of(writer, operator, points, options)


def _check_rounding(model: Any, points: Array, gamma: float) -> None:
    """Raise `ConversionError` if scikit-learn's own distances to the points are rounding errors: it subtracts squares that are much larger."""
    off = rounding(points) * gamma
    if off <= _ROUNDED:
        return
    at = int((points**2).sum(axis=0).argmax())
    names = getattr(model, "feature_names_in_", ())
    raise ConversionError(
        "the model's own answers are rounding errors, because its columns are too large for its kernel",
        where=f"{type(model).__name__}: {names[at] if len(names) else f'column {at}'}",
        expected=f"distances that scikit-learn rounds by at most {_ROUNDED:g} of the kernel's width",
        found=f"numbers up to {np.abs(points[:, at]).max():.3g}, which round them by {off:.3g}",
        advice="Scale the columns (StandardScaler) before this step, and train the model again.",
    )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class KernelOptions:
    """A kernel and its numbers, as scikit-learn names them."""

    kernel: str
    gamma: float
    degree: float
    coef0: float


def kernel_of(writer: NodeWriter, operator: Any, points: Any, options: KernelOptions) -> str:
    """[batch, points] of a kernel."""
    values: Array = np.asarray(points.toarray() if hasattr(points, "toarray") else points, np.float64)
    rows, stored = given_rows(writer, operator), writer.constant("points", values)
    slope = writer.constant("gamma", np.float64(options.gamma))
    if options.kernel == "rbf":
        return writer.add("Exp", writer.add("Neg", writer.add("Mul", squared_distances(writer, rows, values, stored, unit=1 / options.gamma), slope)))
    products = writer.add("MatMul", rows, writer.add("Transpose", stored, perm=[1, 0]))
    if options.kernel == "linear":
        return products
    line = writer.add("Add", writer.add("Mul", products, slope), writer.constant("coef0", np.float64(options.coef0)))
    if options.kernel == "sigmoid":
        return writer.add("Tanh", line)
    return writer.add("Pow", line, writer.constant("degree", np.float64(options.degree)))


def _or(value: float | None, default: float) -> float:
    return default if value is None else float(value)


def _end(writer: NodeWriter, operator: Any, container: Any, result: str) -> None:
    writer.add("Cast", result, output=operator.outputs[0].full_name, to=element_type(operator))
    writer.put_into(container)
