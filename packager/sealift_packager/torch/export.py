"""torch by its own exporters: exported programs and modules by the one that torch.export feeds, TorchScript by the one made for it."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from sealift_packager.errors import ConversionError, first_line
from sealift_packager.graph import graph
from sealift_packager.graph.tensors import refer_to_files
from sealift_packager.model.dynamic import example_sizes, resized
from sealift_packager.model.source import Arrays, SourceModel, WeightPlace
from sealift_packager.progress.quiet import quiet, quiet_process
from sealift_packager.torch.attention import answer_hidden_rows
from sealift_packager.torch.common import TracedModule
from sealift_packager.torch.float64 import single_where_needed
from sealift_packager.torch.plain_rnn import rnn_translations
from sealift_packager.torch.precision import refuse_bfloat16
from sealift_packager.torch.reason import cause
from sealift_packager.torch.recurrent import whole_recurrences
from sealift_packager.torch.trace import trace

_SCRIPT_ADVICE: Final = (
    "Pass the nn.Module instead: its state dict with --factory, a .pt2 from torch.export, or the module itself from Python. If the model "
    "branches on values, write it with torch.cond, torch.where or masks."
)
_EXPORT_ADVICE: Final = (
    "Replace the operation that torch.onnx doesn't support (the message names it) with simpler ones, or export the ONNX yourself and pack that."
)


def convert_program(source: SourceModel) -> Any:
    """The graph of an exported program; its free dimensions are the program's."""
    return _export(source, source.native)


def convert_state(source: SourceModel) -> Any:
    """The graph of a module, with its free dimensions."""
    native: TracedModule = source.native
    examples = resized(native.examples, native.free, example_sizes(native.examples, native.free))
    return _export(source, trace(native.module, examples, native.free, advice="or pass a .pt2 that you exported yourself."))


def convert_script(source: SourceModel) -> Any:
    """The graph of a TorchScript module.

    The exporter that reads TorchScript comes first: it keeps branches, loops and recurrent layers. What it doesn't know (mappings as answers) goes
    by torch.export. Whichever it was, parity is what proves the graph.
    """
    failures = []
    for way in (_by_script, _by_program):
        try:
            return graph.rename_outputs(way(source), source.outputs)
        except Exception as error:  # noqa: BLE001  # the exporters raise anything, and what both said is raised below
            failures.append(f"{type(error).__name__}: {first_line(error):.300}")
    raise ConversionError(
        "neither of torch's exporters supports this TorchScript", where=source.framework, found="; ".join(failures), advice=_SCRIPT_ADVICE
    )


def _by_script(source: SourceModel) -> Any:
    import onnx
    import torch

    native: TracedModule = source.native
    examples = resized(native.examples, native.free, example_sizes(native.examples, native.free))
    buffer = io.BytesIO()
    with quiet_process():
        torch.onnx.export(
            native.module,
            tuple(map(torch.from_numpy, examples.values())),
            buffer,  # type: ignore[arg-type]  # takes files too
            dynamo=False,
            opset_version=graph.TARGET_OPSET,
            input_names=list(examples),
            output_names=list(source.outputs),
            dynamic_axes={**native.free, **_free_outputs(source.predict, native)},
        )
    return single_where_needed(onnx.load_from_string(buffer.getvalue()))


def _free_outputs(predict: Callable[[Arrays], dict[str, Any]], native: TracedModule) -> dict[str, dict[int, str]]:
    """The axes of the outputs whose size follows a free one: found by asking twice, with other sizes."""
    sizes = example_sizes(native.examples, native.free)
    larger = {symbol: size + step for step, (symbol, size) in enumerate(sizes.items(), start=1)}
    first, second = (predict(resized(native.examples, native.free, chosen)) for chosen in (sizes, larger))
    symbols = {size: symbol for symbol, size in larger.items()}
    return {
        name: {
            axis: symbols.get(now, f"{name}_{axis}")
            for axis, (was, now) in enumerate(zip(value.shape, second[name].shape, strict=True))
            if was != now
        }
        for name, value in first.items()
    }


def _by_program(source: SourceModel) -> Any:
    import torch
    from torch._export.converter import TS2EPConverter

    native: TracedModule = source.native
    examples = resized(native.examples, native.free, example_sizes(native.examples, native.free))
    with quiet():
        program = TS2EPConverter(native.module, tuple(map(torch.from_numpy, examples.values()))).convert()
    return _export(source, trace(program.module(), examples, native.free, by_name=False))


def _export(source: SourceModel, program: Any) -> Any:
    import torch

    refuse_bfloat16(program.state_dict, where=source.framework)
    _refuse_one_name(source)
    try:
        with quiet(), whole_recurrences():
            exported = torch.onnx.export(
                program,
                (),
                dynamo=True,
                opset_version=graph.TARGET_OPSET,
                verbose=False,
                optimize=True,
                custom_translation_table=rnn_translations(),
            )
    except Exception as error:  # as above
        raise ConversionError(
            f"torch.onnx can't export the program (caused by: {cause(error)})",
            where=source.framework,
            advice=_EXPORT_ADVICE,
        ) from error
    if exported is None:
        raise ConversionError("torch.onnx returned no program", where=source.framework, advice=_EXPORT_ADVICE)
    return graph.rename_outputs(single_where_needed(answer_hidden_rows(_graph_of(exported, source.place))), source.outputs)


def _refuse_one_name(source: SourceModel) -> None:
    both = sorted({spec.name for spec in source.inputs} & set(source.outputs))
    if both:
        raise ConversionError(
            "an output has the name of an input, but names in a graph must be unique",
            where=source.framework,
            found=", ".join(both),
            advice="Rename the output in the mapping that the forward returns.",
        )


def _graph_of(exported: Any, place: WeightPlace) -> Any:
    """The graph with its weights, or with references to a file that gets them."""
    import onnx

    total = sum(initializer.const_value.nbytes for initializer in exported.model.graph.initializers.values() if initializer.const_value is not None)
    if total <= place.inline_bytes or place.folder is None:
        return exported.model_proto
    if total > place.total_bytes:
        expected, found = f"at most {place.total_bytes >> 20:,} MiB", f"{total >> 20:,} MiB"
        raise ConversionError("the weights are too large", where="the program", expected=expected, found=found)
    folder = Path(tempfile.mkdtemp(dir=place.folder, prefix="exported."))
    with quiet():
        exported.save(folder / "model.onnx", external_data=True)
    model = onnx.load(folder / "model.onnx", load_external_data=False)
    refer_to_files(model, folder)
    return model
