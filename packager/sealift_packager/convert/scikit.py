"""scikit-learn by skl2onnx."""

from __future__ import annotations

from typing import Any

from sealift_packager.convert import graph
from sealift_packager.convert.missing_values import mend_missing_values
from sealift_packager.errors import ConversionError
from sealift_packager.load.source import SourceModel
from sealift_packager.quiet import quiet
from sealift_runtime.bundle.tensors import TensorSpec

ML_OPSET = 3


def convert_scikit(source: SourceModel) -> Any:
    """The graph of a pipeline: float32 columns in, plain tensors out (no maps); `ConversionError`."""
    try:
        import skl2onnx
    except ImportError as error:
        raise ConversionError("skl2onnx is not installed", where="scikit-learn model", advice="pip install 'sealift-packager[sklearn]'") from error
    types = [(spec.name, _type(spec)) for spec in source.inputs]
    options = {"zipmap": False} if "probabilities" in source.outputs else None
    try:
        with quiet():
            model = skl2onnx.to_onnx(
                source.native, initial_types=types, options=options, target_opset={"": graph.TARGET_OPSET, "ai.onnx.ml": ML_OPSET}
            )
    except Exception as error:  # skl2onnx and what it calls raise anything
        text = [spec.name for spec in source.inputs if spec.dtype == "string"]
        hint = f" The data holds text in {', '.join(text[:5])}: is it meant to be numbers?" if text else ""
        raise ConversionError(
            f"skl2onnx can't convert the model ({type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no message'})",
            where=type(source.native).__name__,
            advice=f"See https://onnx.ai/sklearn-onnx/supported.html for the estimators that it knows.{hint}",
        ) from error
    mend_missing_values(model, source.native)
    return graph.rename_outputs(model, source.outputs)


def _type(spec: TensorSpec) -> Any:
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType

    kind = StringTensorType if spec.dtype == "string" else FloatTensorType
    return kind([None, *spec.shape[1:]])
