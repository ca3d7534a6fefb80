"""scikit-learn: tree ensembles by our own writer, everything else by skl2onnx, into which that writer is put for pipelines."""

from __future__ import annotations

import dataclasses
import logging
import traceback
from collections.abc import Collection, Sequence
from typing import Any, Final

import onnx

from sealift_core.bundle.tensors import TensorSpec
from sealift_packager.errors import ConversionError, PackagerError, first_line
from sealift_packager.graph import graph
from sealift_packager.graph.columns import rename_inputs, take_columns
from sealift_packager.graph.labels import flatten_label, look_up_label
from sealift_packager.graph.nodes import ML_OPSET
from sealift_packager.graph.session import Settings, open_session
from sealift_packager.graph.tree_writer import convert_trees
from sealift_packager.model.columns import FEATURES, column_inputs
from sealift_packager.model.source import SourceModel
from sealift_packager.model.table_steps import is_table_step
from sealift_packager.progress.importing import importing
from sealift_packager.progress.quiet import quiet
from sealift_packager.sklearn.class_numbers import with_class_numbers
from sealift_packager.sklearn.converters.columns import last_step
from sealift_packager.sklearn.converters.registry import converters_for, parsers_for
from sealift_packager.sklearn.lost_digits import check_powers_before_trees
from sealift_packager.sklearn.prepared import prepared
from sealift_packager.trees.from_estimator import library_of
from sealift_packager.trees.within import fitted_parts

_LOG: Final = logging.getLogger("sealift.pack")
#: Of many inputs and outputs, so many are named.
_SHOWN: Final = 5
_SMALLER_COLUMNS: Final = (
    "Make the column's numbers smaller before the model sees them: subtract a constant such as the first date, or number the ids."
)
_SMALLER_TARGET: Final = "Train it on a smaller target: subtract a constant such as the mean, and add it where the answers are used."
_ADVICE: Final = "See https://onnx.ai/sklearn-onnx/supported.html for the estimators that it knows, or replace this step with one of them."
#: What does the same work as a step that has no ONNX form.
_IN_PLACE_OF: Final = {
    "IterativeImputer": "Use SimpleImputer or KNNImputer in its place, with add_indicator=True where a gap itself says something.",
    "OutputCodeClassifier": "Use OneVsRestClassifier or OneVsOneClassifier around the same estimator.",
}
#: skl2onnx's errors about an estimator that it doesn't know.
_MISSING: Final = ("MissingShapeCalculator", "MissingConverter")
#: numpy's word about an encoder's categories that are taken for numbers.
_NOT_TEXT: Final = "could not convert string to float"
#: Steps whose answer jumps where a value crosses a limit, as that of trees does.
_STEPPED: Final = frozenset(
    (
        "BernoulliNB",
        "Binarizer",
        "CalibratedClassifierCV",
        "FixedThresholdClassifier",
        "GaussianProcessClassifier",
        "GaussianProcessRegressor",
        "KBinsDiscretizer",
        "KMeans",
        "KNNImputer",
        "KNeighborsClassifier",
        "KNeighborsRegressor",
        "MiniBatchKMeans",
        "NearestCentroid",
        "QuantileTransformer",
        "RadiusNeighborsClassifier",
        "RadiusNeighborsRegressor",
        "SplineTransformer",
        "TunedThresholdClassifierCV",
    )
)


def convert_scikit(source: SourceModel) -> Any:
    """The graph of an estimator or a pipeline: float32 columns in, plain tensors out (no maps); `ConversionError`.

    Steps before trees and before what else has limits are computed in float64, as scikit-learn does: a value that was rounded on the way may stand on
    the other side of one.
    """
    if source.trees is not None:
        return convert_trees(source)
    if source.inner:
        check_powers_before_trees(source.native)
    numbered = with_class_numbers(source)
    model = _graph(numbered, double=_wide(source))
    if "label" in source.outputs:
        model = flatten_label(model, source.inputs)
    if numbered is not source:
        model = look_up_label(model, source.classes)
    return graph.rename_outputs(model, source.outputs)


def convert_step(source: SourceModel, part: SourceModel) -> Any:
    """The graph of one of a pipeline's ``steps``, computed as it is in the whole; `ConversionError`."""
    return graph.tidy(graph.rename_outputs(_graph(part, double=_wide(source)), part.outputs))


def _wide(source: SourceModel) -> bool:
    return bool(source.inner) or bool(source.wide_outputs) or any(_is_wide(part) for part in fitted_parts(source.native))


def _is_wide(part: Any) -> bool:
    return type(part).__name__ in _STEPPED or is_table_step(part)


def _graph(source: SourceModel, *, double: bool) -> Any:
    wide = [spec.name for spec in source.inputs if spec.dtype == "float64"]
    if not double and not wide:
        return _in_single(source)
    try:
        return _opened_in_double(source, wide)
    except PackagerError as error:
        if not wide and not source.wide_outputs:
            return _in_single(source)  # an operator without a float64 kernel: then all in float32, and parity judges
        if error.__cause__ is None:  # of a step that has no form at all, in its own words
            raise
        _LOG.info("The graph in float64: %s", error)
        step = _step_without_float64(source, wide, error)
        raise ConversionError(
            f"{step} can't be computed in float64, which the digits of {_digits(wide, source.wide_outputs)} need",
            where="scikit-learn model",
            advice=f"{_SMALLER_COLUMNS if wide else _SMALLER_TARGET} Or use another step in its place.",
        ) from error


def _opened_in_double(source: SourceModel, wide: Sequence[str]) -> Any:
    """The graph computed in float64, which onnxruntime has a kernel for each operator of."""
    model = _in_double(source, wide)
    open_session(graph.tidy(model), Settings(), where="scikit-learn model")
    return model


def _step_without_float64(source: SourceModel, wide: Sequence[str], error: PackagerError) -> str:
    """The step that an error names, or the first one whose graph can't be opened, by its class."""
    named = _culprit(source.native, error.__cause__) if isinstance(error.__cause__, Exception) else ""
    if named and named != type(source.native).__name__:
        return named
    for part in source.steps:
        try:
            _opened_in_double(part, wide)
        except PackagerError:
            return type(last_step(part.native)).__name__
    return type(last_step(source.native)).__name__


def _digits(wide: Sequence[str], outputs: Collection[str]) -> str:
    """Inputs and outputs in words, the first few."""
    named = [("input", list(wide)), ("output", sorted(outputs))]
    return " and ".join(f"the {word}{'s' if len(names) > 1 else ''} {', '.join(names[:_SHOWN])}" for word, names in named if names)


def _in_double(source: SourceModel, wide: Sequence[str]) -> Any:
    """The graph computed in float64, with the source's inputs: columns of numbers that have an input each are converted as one array."""
    if _of_columns(source):
        array = column_inputs((), len(source.inputs), range(1 if wide else 0))
        return take_columns(_narrowed(_convert(dataclasses.replace(source, inputs=array), double=True), array, source.wide_outputs), source.inputs)
    return _narrowed(_convert(source, double=True), source.inputs, source.wide_outputs)


def _in_single(source: SourceModel) -> Any:
    """The graph computed in float32, with the source's inputs."""
    if not _of_columns(source):
        return _convert(source, double=False)
    array = column_inputs((), len(source.inputs), ())
    return take_columns(_convert(dataclasses.replace(source, inputs=array), double=False), source.inputs)


def _of_columns(source: SourceModel) -> bool:
    """Whether each column of numbers alone has an input."""
    return all(spec.dtype != "string" for spec in source.inputs) and [spec.name for spec in source.inputs] != [FEATURES]


def _convert(source: SourceModel, *, double: bool) -> Any:
    try:
        with importing():
            import skl2onnx
    except ImportError as error:
        raise ConversionError("skl2onnx is not installed", where="scikit-learn model", advice="pip install skl2onnx") from error
    native = prepared(source.native, transforms=source.outputs == ("values",))
    converters, shapes = converters_for(native, double=double)
    names = [f"input_{at}" for at in range(len(source.inputs))]  # skl2onnx makes identifiers of all others
    try:
        with quiet():
            model = skl2onnx.convert_sklearn(
                native,
                initial_types=[(name, _type(spec, double=double)) for name, spec in zip(names, source.inputs, strict=True)],
                options=_options(native, source.outputs),
                target_opset={"": graph.TARGET_OPSET, "ai.onnx.ml": ML_OPSET},
                custom_conversion_functions=converters,
                custom_shape_calculators=shapes,
                custom_parsers=parsers_for(native),
            )
    except PackagerError:
        raise
    except Exception as error:  # skl2onnx and what it calls raise anything
        raise _refused(source, error) from error
    return rename_inputs(model, [spec.name for spec in source.inputs])


def _refused(source: SourceModel, error: Exception) -> ConversionError:
    """Say of an error of skl2onnx, or of what it calls, which step it speaks of and what to do."""
    culprit, error_name, detail = _culprit(source.native, error), type(error).__name__, first_line(error)
    where = _around(source.native, culprit)
    if _NOT_TEXT in str(error):
        message = f"{culprit} takes text, and the model doesn't show which of its columns that are"
        return ConversionError(message, where=where, advice="Pass --data with some rows: their columns of text are taken for text.")
    if error_name in _MISSING:
        message = f"{culprit} has no ONNX form: neither the packager nor skl2onnx can write it"
        return ConversionError(message, where=where, advice=_IN_PLACE_OF.get(culprit, _ADVICE))
    text = [spec.name for spec in source.inputs if spec.dtype == "string"]
    hint = f" The data holds text in {', '.join(text[:5])}. Should it be numbers?" if text else ""
    return ConversionError(f"skl2onnx can't convert {culprit} (caused by: {error_name}: {detail:.300})", where=where, advice=f"{_ADVICE}{hint}")


def _around(model: Any, culprit: str) -> str:
    """Where a culprit is: in a model, whose class isn't named twice if it is the culprit itself."""
    name = type(model).__name__
    return "scikit-learn model" if name == culprit else name


def _options(model: Any, outputs: Sequence[str]) -> dict[Any, Any] | None:
    """What skl2onnx is to do otherwise than it does by itself, by estimator."""
    final = last_step(model)
    name, options = type(final).__name__, dict[Any, Any]()
    if name == "LinearSVC":  # without this skl2onnx asks its converter for an option that it doesn't have
        options[id(final)] = {"raw_scores": True}
    elif name == "OneVsRestClassifier" and "probabilities" not in outputs and hasattr(final, "decision_function"):
        inner = [part.steps[-1][1] if hasattr(part, "steps") else part for part in final.estimators_]
        scored = [part for part in (final, *inner) if library_of(part) == "sklearn" and not type(part).__name__.startswith("_")]
        options |= {id(part): {"raw_scores": True} for part in scored}
        options[id(final)] = {"raw_scores": True, "zipmap": False}
    elif name == "StackingClassifier" or (hasattr(final, "classes_") and library_of(final) == "sklearn"):
        options |= {id(final): {"zipmap": False}} if _has_zipmap(final) else {}
    inside = [part for part in fitted_parts(model) if type(part).__name__ == "RidgeClassifier" and part is not final]
    return options | {id(part): {"raw_scores": True} for part in inside} or None  # of two classes a column for each


def _has_zipmap(final: Any) -> bool:
    """Whether skl2onnx makes maps of a classifier's probabilities, unless it is told not to: of those that it has itself."""
    from skl2onnx._supported_operators import sklearn_operator_name_map
    from skl2onnx.common._registration import get_converter

    name = sklearn_operator_name_map.get(type(final))
    return name is not None and "zipmap" in (get_converter(name).get_allowed_options() or ())


def _culprit(model: Any, error: Exception) -> str:
    """The step that an error speaks of, by its class: the one that skl2onnx was at, or one that the message names; else the model."""
    from sklearn.base import BaseEstimator

    at = [frame.f_locals.get("operator") for frame, _ in traceback.walk_tb(error.__traceback__)]
    steps = [step for operator in at if hasattr(step := getattr(operator, "raw_operator", None), "get_params")]
    if steps:
        return type(steps[-1]).__name__
    parts = [value for value in model.get_params(deep=True).values() if isinstance(value, BaseEstimator)]
    named = sorted({type(part).__name__ for part in parts if type(part).__name__ in str(error)})
    return ", ".join(named) or type(model).__name__


def _narrowed(model: Any, inputs: Sequence[TensorSpec], wide_outputs: Collection[str]) -> Any:
    """A copy whose inputs and outputs of float64 are float32, each cast at once or last; those that are to be float64 stay as they are."""
    kept = {spec.name for spec in inputs if spec.dtype == "float64"}
    if wide_outputs:  # a regressor's one output, which still has skl2onnx's name
        kept |= {tensor.name for tensor in model.graph.output}
    result = graph.copy_of(model)
    taken = {tensor.name for tensor in result.graph.input}
    before, after = [], []
    for tensor in (*result.graph.input, *result.graph.output):
        if tensor.type.tensor_type.elem_type != onnx.TensorProto.DOUBLE or tensor.name in kept:
            continue
        tensor.type.tensor_type.elem_type = onnx.TensorProto.FLOAT
        wide = f"{tensor.name}_float64"
        graph.rename_tensors(result.graph.node, {tensor.name: wide})
        if tensor.name in taken:
            before.append(onnx.helper.make_node("Cast", [tensor.name], [wide], name=f"{tensor.name}_widen", to=onnx.TensorProto.DOUBLE))
        else:
            after.append(onnx.helper.make_node("Cast", [wide], [tensor.name], name=f"{tensor.name}_narrow", to=onnx.TensorProto.FLOAT))
    nodes = [*before, *(graph.copy_of(node) for node in result.graph.node), *after]
    del result.graph.node[:]
    result.graph.node.extend(nodes)
    return result


def _type(spec: TensorSpec, *, double: bool) -> Any:
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, StringTensorType

    tensor_type = StringTensorType if spec.dtype == "string" else (DoubleTensorType if double else FloatTensorType)
    return tensor_type([None, *spec.shape[1:]])
