"""ONNX as it is, external weights included as long as they lie inside the model's own folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import onnx

from sealift_core.bundle.digest import Digest
from sealift_core.bundle.tensors import TensorSpec
from sealift_packager.errors import SourceModelError, first_line
from sealift_packager.graph import graph
from sealift_packager.graph.content import model_digest
from sealift_packager.graph.session import Settings, open_session, run_batched, run_session
from sealift_packager.graph.tensors import refer_to_files, refers
from sealift_packager.graph.walk import all_nodes
from sealift_packager.model import detect
from sealift_packager.model.accepted import Accepted
from sealift_packager.model.batch import BATCH, fixed_batch
from sealift_packager.model.source import Array, Arrays, LoadOptions, SourceModel
from sealift_packager.onnx.accepted_requests import Given, find_accepted
from sealift_packager.onnx.beside import bring_weights
from sealift_packager.onnx.constants import compared_numbers
from sealift_packager.onnx.expansion import check_expansion
from sealift_packager.onnx.hoist import hoist_weights
from sealift_packager.onnx.maps import open_maps
from sealift_packager.onnx.operators import check_operators
from sealift_packager.onnx.order import in_order
from sealift_packager.onnx.requests import as_request
from sealift_packager.onnx.weights import check_inline, check_weights
from sealift_packager.sandbox.isolated_read import try_reading

#: It stays open while candidates are built: without packed copies it takes no memory for weights in files.
_MAPPED: Final = {"session.disable_prepacking": "1"}
_SHOWN: Final = 5


def load_onnx(path: Path, options: LoadOptions) -> SourceModel:
    """Read and check an ONNX model; its reference answers are onnxruntime's with every optimization off."""
    model = _read(path)
    del model.training_info[:]  # no part of what answers, and it may hold weights too
    digest = _bring_weights(model, path, options)
    weights_bytes = check_weights(model, path, options.place)
    _check_opset(model, path)
    check_operators(model, where=str(path))
    check_expansion(model, where=str(path))
    classes = open_maps(model)
    _try_inference(model, path)
    _put_in_order(model, in_order(model.graph, where=str(path)))
    _complete_shapes(model, path)
    try:
        if weights_bytes > options.place.inline_bytes:
            hoist_weights(model)
            refer_to_files(model, path.parent)
            check_inline(model, path, options.place)
        else:
            onnx.load_external_data_for_model(model, str(path.parent))
        graph.check(model)
    except (onnx.checker.ValidationError, OSError, ValueError) as error:
        raise SourceModelError(f"not a valid ONNX model (caused by: {first_line(error):.500})", where=str(path)) from error
    named = graph.name_dimensions(model)
    settings = Settings(graph_optimization="disable", entries=_MAPPED if refers(model) else {})
    session = open_session(model, settings, where=str(path), error=SourceModelError)
    outputs = tuple(output.name for output in model.graph.output)
    specs, accepted = _accepted(named, session, options)
    return SourceModel(
        format=detect.ONNX,
        framework=f"ONNX by {model.producer_name or 'an unnamed tool'} {model.producer_version}".strip(),
        digest=digest,
        native=_with_shapes(named, specs),
        predict=lambda arrays: _predict(session, arrays),
        inputs=specs,
        outputs=outputs,
        accepted=accepted,
        classes=classes,
    )


def _accepted(named: onnx.ModelProto, session: Any, options: LoadOptions) -> tuple[tuple[TensorSpec, ...], Accepted]:
    """The inputs, and which requests are answered. A graph with its weights in files is asked for nothing that wasn't given: it has gigabytes."""
    specs = graph.input_specs(named)
    if refers(named) and not (options.shapes or options.requests):
        return specs, Accepted()
    requests = tuple(as_request(dict(request), specs, f"--example {at}") for at, request in enumerate(options.requests, 1))
    given = Given(shapes=options.shapes, requests=requests, data=options.examples, numbers=compared_numbers(named))
    return find_accepted(specs, lambda arrays: run_session(session, arrays), given)


def _with_shapes(named: onnx.ModelProto, specs: Sequence[TensorSpec]) -> onnx.ModelProto:
    """The graph with the inputs' shapes as they were found; a batch that has only one size has it in the outputs too."""
    shapes = {spec.name: spec.shape for spec in specs}
    declared = {spec.name: spec.shape for spec in graph.input_specs(named)}
    if shapes == declared:
        return named
    one = fixed_batch(specs)
    for tensor in (*named.graph.input, *named.graph.output):
        for at, dimension in enumerate(tensor.type.tensor_type.shape.dim):
            given = dimension.dim_value if dimension.HasField("dim_value") else dimension.dim_param
            size = shapes[tensor.name][at] if tensor.name in shapes else given
            if size == BATCH and one is not None:
                size = one
            dimension.Clear()
            if isinstance(size, int):
                dimension.dim_value = size
            else:
                dimension.dim_param = size
    return named


def _bring_weights(model: onnx.ModelProto, path: Path, options: LoadOptions) -> Digest:
    """Have the weights beside ``path``, where it is our copy; those of a model that can't be right aren't copied."""
    if options.origin is None:
        return model_digest(path)
    check_weights(model, options.origin, options.place)
    return bring_weights(model, path, options.origin)


def _predict(session: Any, arrays: Arrays) -> dict[str, Array]:
    """Run a request as it is, or in parts if a fixed first dimension has another number of rows."""
    fixed = {input_.shape[0] for input_ in session.get_inputs() if input_.shape and isinstance(input_.shape[0], int)}
    rows = {len(value) for value in arrays.values() if value.ndim}
    fits = len(fixed) != 1 or len(rows) != 1 or rows <= fixed
    return run_session(session, arrays) if fits else run_batched(session, arrays)


def _read(path: Path) -> onnx.ModelProto:
    try:
        model = onnx.load(path, load_external_data=False)
    except Exception as error:  # protobuf's errors have no common base
        raise SourceModelError(f"can't be parsed (caused by: {first_line(error):.300})", where=str(path), expected="a complete ONNX file") from error
    if not model.graph.node:
        raise SourceModelError("no graph", where=str(path), expected="an ONNX model with at least one node", found="a file without nodes")
    return model


def _try_inference(model: onnx.ModelProto, path: Path) -> None:
    """Infer shapes in another process first, if the graph has operators that onnx has no types for: inference may then crash the process."""
    typed = {*graph.DEFAULT_DOMAINS, "ai.onnx.ml", *(function.domain for function in model.functions)}
    foreign = sorted({f"{node.op_type} of {node.domain}" for node in all_nodes(model) if node.domain not in typed})
    if foreign:
        advice = f"Export it without operators whose types ONNX doesn't know ({', '.join(foreign[:_SHOWN])}), or report it to onnx."
        try_reading(detect.ONNX, path, reader=__name__, expected="a graph whose shapes onnx can infer", advice=advice)


def _complete_shapes(model: onnx.ModelProto, path: Path) -> None:
    """Inputs must say how many dimensions they have; outputs are given what can be inferred."""
    initializers = {tensor.name for tensor in model.graph.initializer}
    for input_ in model.graph.input:
        if input_.type.HasField("tensor_type") and not input_.type.tensor_type.HasField("shape") and input_.name not in initializers:
            raise SourceModelError(
                "an input without a shape",
                where=f"{path}: {input_.name}",
                expected="its dimensions: a number for each fixed one, a name for each free one, the rows first",
                advice="Export it with shapes, or set them with onnx.tools.update_model_dims.update_inputs_outputs_dims.",
            )
    unshaped = [output for output in model.graph.output if output.type.HasField("tensor_type") and not output.type.tensor_type.HasField("shape")]
    if unshaped:
        inferred = {output.name: output for output in graph.infer_shapes(model).graph.output}
        for output in unshaped:
            output.CopyFrom(inferred[output.name])


def _put_in_order(model: onnx.ModelProto, order: list[int]) -> None:
    """Sort the nodes: some exporters write them in any order, while the standard wants each after those whose outputs it takes."""
    if order == list(range(len(order))):
        return
    nodes = [graph.copy_of(model.graph.node[number]) for number in order]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _check_opset(model: onnx.ModelProto, path: Path) -> None:
    """Refuse what no onnx of today can read; `convert` brings the others to a version that devices run."""
    opset, newest = graph.opset_of(model), onnx.defs.onnx_opset_version()
    if not 1 <= opset <= newest:
        advice = "Export it again with an older opset." if opset > newest else "Is it cut off? Export it again."
        raise SourceModelError("the operator set is not supported", where=str(path), expected=f"opset 1 to {newest}", found=str(opset), advice=advice)


def read_once(_: str, path: Path) -> None:
    """Infer a graph's shapes, in a process that may break at it (`sealift_packager.sandbox.isolated_read`)."""
    from sealift_packager.archives.memory_limit import bounded_memory
    from sealift_packager.graph.graph import infer_shapes

    with bounded_memory(path):
        infer_shapes(onnx.load(path, load_external_data=False))
