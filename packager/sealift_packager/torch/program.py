"""torch exported programs (``.pt2``): the graph, the weights and the shapes in one file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sealift_core.bundle.digest import Digest
from sealift_core.bundle.tensors import TensorSpec
from sealift_packager.errors import SourceModelError, caused_by
from sealift_packager.model import detect
from sealift_packager.model.source import LoadOptions, SourceModel
from sealift_packager.progress.quiet import quiet
from sealift_packager.torch.common import free_specs, import_torch, named_outputs, numpy_dtype, predictor
from sealift_packager.torch.precision import refuse_bfloat16
from sealift_packager.torch.program_safety import refuse_unsafe
from sealift_packager.torch.program_types import import_structures


def load_program(path: Path, options: LoadOptions) -> SourceModel:
    """Read a program that ``torch.export.save`` wrote; dimensions exported as dynamic stay free.

    One whose reading could run code is refused unless the file is trusted.
    """
    torch = import_torch(path)
    if not options.trust_pickle:
        refuse_unsafe(torch, path)
    try:
        with quiet():
            if options.trust_pickle:
                import_structures(path)
            program = torch.export.load(path)
            module = program.module()
    except Exception as error:  # torch raises anything, RuntimeError to KeyError, for a damaged archive
        raise SourceModelError(
            f"can't be read as an exported program ({caused_by(error)})",
            where=str(path),
            expected=f"a complete .pt2 file that torch {torch.__version__} can read",
            advice="Save it again with torch.export.save.",
        ) from error
    refuse_bfloat16(program.state_dict, where=str(path))
    inputs = _inputs(torch, program, path)
    return SourceModel(
        format=detect.TORCH_PROGRAM,
        framework=f"torch {torch.__version__}",
        digest=Digest.of_file(path),
        native=program,
        predict=predictor(torch, _by_position(program, module), [spec.name for spec in inputs]),
        inputs=inputs,
        outputs=_outputs(torch, program),
    )


def _by_position(program: Any, module: Any) -> Callable[..., Any]:
    """The module, called with its tensors in their order, whether it was exported with arguments by name or in mappings, lists and tuples."""
    from torch.utils import _pytree

    def call(*tensors: Any) -> Any:
        arguments, by_name = _pytree.tree_unflatten(tensors, program.call_spec.in_spec)
        return module(*arguments, **by_name)

    return call


def _inputs(torch: Any, program: Any, path: Path) -> tuple[TensorSpec, ...]:
    values = {node.name: node.meta.get("val") for node in program.graph.nodes if node.op == "placeholder"}
    inputs = []
    for name in program.graph_signature.user_inputs:
        value = values.get(name)
        if not isinstance(value, torch.Tensor):
            raise SourceModelError("an input is not a tensor", where=f"{path}: {name}", expected="tensors only", found=type(value).__name__)
        inputs.append((name, numpy_dtype(torch, value.dtype), [size if isinstance(size, int) else str(size) for size in value.shape]))
    return free_specs(inputs)


def _outputs(torch: Any, program: Any) -> tuple[str, ...]:
    """The names in the structure that the program answers with."""
    from torch.utils import _pytree

    spec = program.call_spec.out_spec
    return tuple(named_outputs(_pytree.tree_unflatten([torch.empty(0)] * spec.num_leaves, spec)))
