"""scikit-learn: tree ensembles by our own writer, everything else by skl2onnx, into which that writer is put for pipelines."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import onnx

from sealift_packager.convert import graph
from sealift_packager.convert.one_hot import shape_of_one_hot, write_one_hot
from sealift_packager.convert.prepared import prepared
from sealift_packager.convert.trees import ML_OPSET, convert_trees, ensemble_nodes
from sealift_packager.errors import ConversionError, PackagerError
from sealift_packager.load.source import SourceModel
from sealift_packager.quiet import quiet
from sealift_packager.session import Settings, open_session
from sealift_packager.trees.from_estimator import library_of, read_estimator
from sealift_packager.trees.within import fitted_parts, is_trees
from sealift_runtime.bundle.tensors import TensorSpec

_ADVICE: Final = "See https://onnx.ai/sklearn-onnx/supported.html for the estimators that it knows; or replace this step by one of them."


def convert_scikit(source: SourceModel) -> Any:
    """The graph of an estimator or a pipeline: float32 columns in, plain tensors out (no maps); `ConversionError`.

    Steps before trees are computed in float64, as scikit-learn does: a value that was rounded on the way may stand on the other side of a threshold.
    """
    if source.trees is not None:
        return convert_trees(source)
    if source.inner:
        try:
            model = _narrowed(_convert(source, double=True))
            open_session(graph.tidy(model), Settings(), where="scikit-learn model")
        except PackagerError:  # an operator without a float64 kernel: then all in float32, and parity judges
            model = _convert(source, double=False)
    else:
        model = _convert(source, double=False)
    if "label" in source.outputs:
        _flatten_label(model)
    return graph.rename_outputs(model, source.outputs)


def _flatten_label(model: Any) -> None:
    """Labels as [batch], in place: skl2onnx gives those of some estimators (quadratic discriminant analysis) as [1, batch]."""
    label = model.graph.output[0]
    if len(label.type.tensor_type.shape.dim) == 1 and not any(node.op_type == "ArrayFeatureExtractor" for node in _makers(model, label.name)):
        return
    flat = f"{label.name}_flat"
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([-1], np.int64), f"{label.name}_shape"))
    model.graph.node.append(onnx.helper.make_node("Reshape", [label.name, f"{label.name}_shape"], [flat], name=flat))
    model.graph.output[0].CopyFrom(onnx.helper.make_tensor_value_info(flat, label.type.tensor_type.elem_type, ["batch"]))


def _makers(model: Any, name: str) -> list[Any]:
    """The node that makes a tensor, and the one before it where that only casts."""
    producers = {output: node for node in model.graph.node for output in node.output}
    node = producers.get(name)
    before = producers.get(node.input[0]) if node is not None and node.op_type == "Cast" else None
    return [row for row in (node, before) if row is not None]


def _convert(source: SourceModel, *, double: bool) -> Any:
    try:
        import skl2onnx
    except ImportError as error:
        raise ConversionError("skl2onnx is not installed", where="scikit-learn model", advice="pip install 'sealift-packager[sklearn]'") from error
    native = prepared(source.native)
    converters, shapes = _own(native)
    final = native.steps[-1][1] if hasattr(native, "steps") else native
    options: dict[Any, Any] | None = {"zipmap": False} if "probabilities" in source.outputs and library_of(final) == "sklearn" else None
    if type(final).__name__ == "LinearSVC":  # without this skl2onnx asks its converter for an option that it doesn't have
        options = {id(final): {"raw_scores": True}}
    try:
        with quiet():
            model = skl2onnx.convert_sklearn(
                native,
                initial_types=[(spec.name, _type(spec, double=double)) for spec in source.inputs],
                options=options,
                target_opset={"": graph.TARGET_OPSET, "ai.onnx.ml": ML_OPSET},
                custom_conversion_functions=converters,
                custom_shape_calculators=shapes,
            )
    except PackagerError:
        raise
    except Exception as error:  # skl2onnx and what it calls raise anything
        text = [spec.name for spec in source.inputs if spec.dtype == "string"]
        hint = f" The data holds text in {', '.join(text[:5])}: is it meant to be numbers?" if text else ""
        detail = str(error).splitlines()[0] if str(error) else "no message"
        raise ConversionError(
            f"skl2onnx can't convert {_culprit(source.native, str(error))} ({type(error).__name__}: {detail:.300})",
            where=type(source.native).__name__,
            advice=f"{_ADVICE}{hint}",
        ) from error
    return model


def _own(native: Any) -> tuple[dict[type, Any], dict[type, Any]]:
    """Our converters and shape calculators, by the classes in the model that they are for."""
    parts = list(fitted_parts(native))
    trees = {type(part) for part in parts if is_trees(part) and read_estimator(part) is not None}
    encoders = {type(part) for part in parts if type(part).__name__ == "OneHotEncoder"}
    converters = dict.fromkeys(trees, _write_trees) | dict.fromkeys(encoders, write_one_hot)
    return converters, dict.fromkeys(trees, _shape_of_trees) | dict.fromkeys(encoders, shape_of_one_hot)


def _culprit(model: Any, message: str) -> str:
    """The step that a message speaks of, by its class; else the model."""
    from sklearn.base import BaseEstimator

    parts = [value for value in model.get_params(deep=True).values() if isinstance(value, BaseEstimator)]
    named = sorted({type(part).__name__ for part in parts if type(part).__name__ in message})
    return ", ".join(named) or type(model).__name__


def _write_trees(scope: Any, operator: Any, container: Any) -> None:
    """skl2onnx's converter of trees, wherever in a model they stand."""
    ensemble = read_estimator(operator.raw_operator)
    if ensemble is None:
        raise ConversionError("trees that can't be written exactly", where=type(operator.raw_operator).__name__)
    rows = operator.inputs[0].full_name
    names = tuple(output.full_name for output in operator.outputs)
    prefix = scope.get_unique_operator_name("trees")
    kind = type(operator.inputs[0].type).__name__
    double = kind.startswith("Double") and not ensemble.narrow
    if not double and not kind.startswith("Float"):
        narrowed = f"{prefix}_rows"
        container.nodes.append(onnx.helper.make_node("Cast", [rows], [narrowed], name=f"{prefix}_cast", to=onnx.TensorProto.FLOAT))
        rows = narrowed
    raw = container.has_options(operator.raw_operator, "raw_scores") and scope.get_options(operator.raw_operator, {"raw_scores": False}, fail=False)
    scores = bool(raw and raw["raw_scores"])
    nodes, initializers = ensemble_nodes(ensemble, rows, names, prefix=prefix, double=double, scores=scores)
    container.nodes.extend(nodes)
    container.initializers.extend(initializers)
    container.node_domain_version_pair_sets.update({("", graph.TARGET_OPSET), ("ai.onnx.ml", ML_OPSET)})


def _shape_of_trees(operator: Any) -> None:
    from skl2onnx.common.data_types import FloatTensorType, Int64TensorType, StringTensorType

    ensemble = read_estimator(operator.raw_operator)
    if ensemble is None:
        return
    if ensemble.classes is None:
        operator.outputs[0].type = FloatTensorType([None, ensemble.outputs])
        return
    operator.outputs[0].type = StringTensorType([None]) if ensemble.classes.dtype.kind in "UO" else Int64TensorType([None])
    operator.outputs[1].type = FloatTensorType([None, len(ensemble.classes)])


def _narrowed(model: Any) -> Any:
    """Inputs of float64 made float32, each cast at once; what comes out is float32 too."""
    result = graph.copy_of(model)
    casts = []
    for row in result.graph.input:
        if row.type.tensor_type.elem_type == onnx.TensorProto.DOUBLE:
            row.type.tensor_type.elem_type = onnx.TensorProto.FLOAT
            wide = f"{row.name}_float64"
            for node in result.graph.node:
                node.input[:] = [wide if name == row.name else name for name in node.input]
            casts.append(onnx.helper.make_node("Cast", [row.name], [wide], name=f"{row.name}_widen", to=onnx.TensorProto.DOUBLE))
    nodes = [*casts, *(graph.copy_of(node) for node in result.graph.node)]
    del result.graph.node[:]
    result.graph.node.extend(nodes)
    return result


def _type(spec: TensorSpec, *, double: bool) -> Any:
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, StringTensorType

    kind = StringTensorType if spec.dtype == "string" else (DoubleTensorType if double else FloatTensorType)
    return kind([None, *spec.shape[1:]])
