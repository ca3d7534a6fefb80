"""Graphs in one tidy form: named free dimensions, fresh shape inference, nothing of the building machine inside. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final, TypeVar

import onnx

from sealift_core.bundle.tensors import DATATYPES, TensorSpec
from sealift_packager.errors import ConversionError, first_line
from sealift_packager.graph.tensors import is_reference, refers
from sealift_packager.graph.walk import all_graphs
from sealift_packager.model.batch import BATCH
from sealift_packager.progress.quiet import quiet

if TYPE_CHECKING:
    from google.protobuf.message import Message

_Message = TypeVar("_Message", bound="Message")

#: The newest opset of the default domain that every onnxruntime from 1.20 on runs, and the one we write.
MAX_OPSET: Final = 21
MIN_OPSET: Final = 9
#: DequantizeLinear takes an axis from this one on.
QUANTIZABLE_OPSET: Final = 13
TARGET_OPSET: Final = 18
MAX_IR_VERSION: Final = 10
DEFAULT_DOMAINS: Final = ("", "ai.onnx")
_NO_TENSORS: Final = {
    "sequence_type": "a sequence",
    "map_type": "a map",
    "optional_type": "an optional value",
    "sparse_tensor_type": "a sparse tensor",
}


def opset_of(model: onnx.ModelProto) -> int:
    """The version of the default operator set."""
    return max((int(opset.version) for opset in model.opset_import if opset.domain in DEFAULT_DOMAINS), default=0)


def at_known_opset(model: onnx.ModelProto, *, where: str) -> onnx.ModelProto:
    """The model at an operator set that onnxruntime 1.20 runs and that quantizers can write, by ONNX's own version converter where it isn't.

    What is between `MIN_OPSET` and `QUANTIZABLE_OPSET` stays as it is where the converter can't rewrite it. Raises `ConversionError` for what is
    outside `MIN_OPSET` to `MAX_OPSET` and can't be rewritten.
    """
    opset = opset_of(model)
    if QUANTIZABLE_OPSET <= opset <= MAX_OPSET:
        return model
    single = copy_of(model)
    _import_once(single)
    try:
        with quiet():
            return onnx.version_converter.convert_version(single, min(max(opset, TARGET_OPSET), MAX_OPSET))
    except Exception as error:  # RuntimeError and ConvertError of C++ have no other base
        if MIN_OPSET <= opset <= MAX_OPSET:
            return model
        raise ConversionError(
            "the operator set is not supported, and ONNX's version converter can't rewrite the graph",
            where=where,
            expected=f"opset {MIN_OPSET} to {MAX_OPSET}",
            found=f"{opset} (caused by: {first_line(error):.200})",
            advice="Export the model again with an opset in that range.",
        ) from error


def check(model: onnx.ModelProto) -> None:
    """ONNX's own checker; raises its ``ValidationError``, or ``ValueError``. Weights in files are checked as inputs: the checker follows no paths."""
    if not refers(model):
        onnx.checker.check_model(model)
        return
    result = copy_of(model)
    inputs = {input_.name for input_ in result.graph.input}
    references = {tensor.name: tensor for tensor in model.graph.initializer if is_reference(tensor)}
    kept = [copy_of(tensor) for tensor in result.graph.initializer if tensor.name not in references]
    del result.graph.initializer[:]
    result.graph.initializer.extend(kept)
    added = (onnx.helper.make_tensor_value_info(name, tensor.data_type, tensor.dims) for name, tensor in references.items() if name not in inputs)
    result.graph.input.extend(added)
    onnx.checker.check_model(result)


def copy_of(message: _Message) -> _Message:
    """An independent copy of a protobuf."""
    copy: _Message = type(message)()
    copy.CopyFrom(message)
    return copy


def name_dimensions(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy whose free dimensions have names: ``batch`` for the first one of a tensor and what has its symbol, else the input's own or NAME_AXIS.

    Exporters number their symbols (``s40``, ``unk__3``) as it happens; the same size keeps one name everywhere. Numbers below 0, and texts that
    are no names (``?``, ``-1``), say nothing of a size: each is a symbol of its own.
    """
    result = copy_of(model)
    initializers = {initializer.name for initializer in result.graph.initializer}
    tensors = [tensor for tensor in (*result.graph.input, *result.graph.output) if tensor.name not in initializers]
    for size in (size for tensor in tensors for size in tensor.type.tensor_type.shape.dim):
        if (size.HasField("dim_value") and size.dim_value < 0) or (size.dim_param and not any(map(str.isalpha, size.dim_param))):
            size.Clear()
    renamed = {size.dim_param: BATCH for tensor in tensors for size in tensor.type.tensor_type.shape.dim[:1] if size.dim_param}
    for tensor in tensors:
        for axis, size in enumerate(tensor.type.tensor_type.shape.dim):
            if size.HasField("dim_value"):
                continue
            fallback = BATCH if axis == 0 else f"{tensor.name}_{axis}"
            size.dim_param = renamed.setdefault(size.dim_param, fallback) if size.dim_param else fallback
    return result


def rename_outputs(model: onnx.ModelProto, names: Iterable[str]) -> onnx.ModelProto:
    """A copy whose first outputs have these names; further outputs are dropped."""
    result = copy_of(model)
    new_names = list(names)
    renaming = {output.name: name for output, name in zip(result.graph.output, new_names, strict=False)}
    taken = {name for node in result.graph.node for name in (*node.input, *node.output)} | {input_.name for input_ in result.graph.input}
    for name in new_names:
        if name in taken and name not in renaming:
            renaming[name] = f"{name}_internal"
    rename_tensors(result.graph.node, renaming)
    kept = [output for output in result.graph.output if output.name in renaming][: len(new_names)]
    for output in kept:
        output.name = renaming[output.name]
    outputs = [copy_of(output) for output in kept]
    del result.graph.output[:]
    result.graph.output.extend(outputs)
    return result


def rename_tensors(nodes: Iterable[onnx.NodeProto], names: Mapping[str, str]) -> None:
    """Give tensors other names, in place, wherever nodes make or take them."""
    for node in nodes:
        for tensors in (node.input, node.output):
            for at, name in enumerate(tensors):
                tensors[at] = names.get(name, name)


def tidy(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy in the form that every candidate starts from.

    1. Stale ``value_info`` goes, in subgraphs too, and shapes are inferred anew: torch's export leaves shapes that contradict the graph.
    2. Doc strings, metadata and the producer go: they name files and stack frames of the machine that exported.
    3. Each operator set is imported once; the IR version is one that onnxruntime 1.20 reads.
    4. Weights are no inputs: before IR 4 they had to be, and then nothing that depends on them is computed ahead.
    """
    result = name_dimensions(model)
    for part in all_graphs(result):
        del part.value_info[:]  # 1
    _strip(result)  # 2
    _import_once(result)  # 3
    result.ir_version = min(max(int(result.ir_version), 7), MAX_IR_VERSION)
    weights = {tensor.name for tensor in result.graph.initializer}  # 4
    inputs = [copy_of(input_) for input_ in result.graph.input if input_.name not in weights]
    del result.graph.input[:]
    result.graph.input.extend(inputs)
    return infer_shapes(result)


def _import_once(model: onnx.ModelProto) -> None:
    versions: dict[str, int] = {}
    for opset in model.opset_import:
        domain = "" if opset.domain in DEFAULT_DOMAINS else opset.domain
        versions[domain] = max(versions.get(domain, 0), int(opset.version))
    del model.opset_import[:]
    model.opset_import.extend(onnx.helper.make_opsetid(domain, version) for domain, version in sorted(versions.items()))


def infer_shapes(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy with shapes inferred anew; `ConversionError` if the graph contradicts itself."""
    bare = copy_of(model)
    del bare.graph.value_info[:]
    try:
        return onnx.shape_inference.infer_shapes(bare, strict_mode=False, data_prop=True)
    except (onnx.shape_inference.InferenceError, ValueError) as error:
        raise ConversionError(f"shapes can't be inferred (caused by: {first_line(error):.300})", where="model.onnx") from error


def _strip(model: onnx.ModelProto) -> None:
    model.producer_name, model.producer_version, model.doc_string, model.domain = "", "", "", ""
    model.graph.name = "model"
    del model.metadata_props[:]
    parts = [part for graph in all_graphs(model) for part in (graph, *graph.node, *graph.input, *graph.output, *graph.initializer)]
    parts += [part for function in model.functions for part in (function, *function.node)]
    for part in parts:
        part.doc_string = ""
        if hasattr(part, "metadata_props"):
            del part.metadata_props[:]


def input_specs(model: onnx.ModelProto) -> tuple[TensorSpec, ...]:
    """The graph's inputs that aren't weights."""
    weights = {tensor.name for tensor in model.graph.initializer}
    return tuple(_spec(input_) for input_ in model.graph.input if input_.name not in weights)


def output_specs(model: onnx.ModelProto) -> tuple[TensorSpec, ...]:
    """The graph's outputs."""
    return tuple(_spec(output) for output in model.graph.output)


def _spec(tensor: onnx.ValueInfoProto) -> TensorSpec:
    if not tensor.type.HasField("tensor_type"):
        raise ConversionError(
            "inputs and outputs must be tensors",
            where=f"model.onnx: {tensor.name}",
            expected="a tensor",
            found=_NO_TENSORS.get(tensor.type.WhichOneof("value") or "", "something of no type"),
            advice="Export the model with one output for each of its tensors.",
        )
    element_type = tensor.type.tensor_type.elem_type
    dtype = "string" if element_type == onnx.TensorProto.STRING else str(onnx.helper.tensor_dtype_to_np_dtype(element_type))
    if dtype not in DATATYPES:
        raise ConversionError(
            "an element type that bundles don't have", where=f"model.onnx: {tensor.name}", expected=", ".join(DATATYPES), found=dtype
        )
    shape = tuple(size.dim_value if size.HasField("dim_value") else size.dim_param for size in tensor.type.tensor_type.shape.dim)
    return TensorSpec(name=tensor.name, dtype=dtype, shape=shape)
