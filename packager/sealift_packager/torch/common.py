"""What the torch loaders share: arrays to tensors and back, the names of inputs and outputs, and which dimensions are free."""

from __future__ import annotations

import dataclasses
import inspect
import itertools
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from sealift_core.bundle.digest import Digest
from sealift_core.bundle.tensors import TensorSpec
from sealift_packager.errors import SourceModelError
from sealift_packager.model.accepted import Accepted
from sealift_packager.model.batch import BATCH
from sealift_packager.model.dynamic import Dynamic, sizes_of
from sealift_packager.model.source import Array, Arrays, SourceModel
from sealift_packager.sandbox.activity import ANSWERING, during, rows_of
from sealift_packager.torch.precision import refuse_bfloat16, typed

OUTPUT: Final = "output"
#: Of a model's answer, nested in each other: bounded, for an answer may hold itself.
MAX_DEPTH: Final = 8


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TracedModule:
    """A module to be traced: an example of each input, and by input and axis the symbols of what is free."""

    module: Any
    examples: dict[str, Array]
    free: Dynamic


def import_torch(where: Path) -> Any:
    """The torch module; `SourceModelError` says how to install it."""
    try:
        import torch
    except ImportError as error:
        raise SourceModelError("torch is not installed", where=str(where), advice="pip install torch onnxscript") from error
    return torch


def named_outputs(result: Any) -> dict[str, Any]:
    """The tensors of a forward's answer by name.

    A mapping's keys, a dataclass's or a named tuple's fields are names (so those of Hugging Face's outputs are); what has no name is ``output``,
    or ``output_0``, ``output_1``, … in a tuple; what lies deeper has the names on the way with ``_`` between. What is no tensor is left out.
    `SourceModelError` if two would have the same name.
    """
    outputs: dict[str, Any] = {}
    for path, tensor in _leaves(result, ()):
        name = "_".join(path) or OUTPUT
        if name in outputs:
            advice = "Rename one of them in the forward: a nested output's name is joined with '_'."
            raise SourceModelError("two outputs have the same name", where="the forward's result", found=repr(name), advice=advice)
        outputs[name] = tensor
    return outputs


def _leaves(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if hasattr(value, "detach"):
        yield path, value
        return
    if len(path) > MAX_DEPTH:
        return
    if isinstance(value, Mapping):
        items = [(str(name), item) for name, item in value.items()]
    elif dataclasses.is_dataclass(value):
        items = [(field.name, getattr(value, field.name)) for field in dataclasses.fields(value)]
    elif isinstance(value, tuple) and hasattr(value, "_fields"):
        items = list(zip(value._fields, value, strict=True))
    elif isinstance(value, tuple | list):
        if len(value) == 1 and not path:
            yield from _leaves(value[0], path)
            return
        items = [(str(at) if path else f"{OUTPUT}_{at}", item) for at, item in enumerate(value)]
    else:
        return
    for name, item in items:
        yield from _leaves(item, (*path, name))


def predictor(torch: Any, call: Callable[..., Any], inputs: Sequence[str], *, by_name: bool = False) -> Callable[[Arrays], dict[str, Array]]:
    """``predict`` of a `SourceModel` around a module that takes its inputs by position, or ``by_name``."""

    def predict(arrays: Arrays) -> dict[str, Array]:
        tensors = {name: torch.from_numpy(np.array(arrays[name])) for name in inputs}
        with torch.inference_mode():
            answer = call(**tensors) if by_name else call(*tensors.values())
        return {name: leaf.detach().cpu().numpy() for name, leaf in named_outputs(answer).items()}

    return predict


def try_out(predict: Callable[[Arrays], dict[str, Array]], examples: Arrays, *, where: str) -> tuple[str, ...]:
    """The names of a model's outputs, from running it once; `SourceModelError` says with which inputs it failed."""
    try:
        with during(ANSWERING, rows=rows_of(examples)):
            outputs = tuple(predict(examples))
    except SourceModelError:
        raise
    except Exception as error:  # the user's own forward
        shapes = ", ".join(f"{name} {value.dtype} {list(value.shape)}" for name, value in examples.items())
        message = (str(error).strip().splitlines() or ["no message"])[-1]
        raise SourceModelError(
            f"the model does not run (caused by: {type(error).__name__}: {message:.300})",
            where=where,
            found=shapes,
            advice="Pass arrays of the types and shapes that its forward takes, in --data or as example inputs.",
        ) from error
    if not outputs:
        raise SourceModelError("the model returns no tensor", where=where, expected="a tensor, or a tuple, mapping or dataclass of tensors")
    return outputs


def typed_examples(torch: Any, module: Any, rows: Arrays, *, where: str) -> dict[str, Array]:
    """The first rows of these, in the types that the module takes them in; `SourceModelError` for a module whose type has no operators here."""
    weights = dict(itertools.chain(module.named_parameters(), module.named_buffers()))
    refuse_bfloat16(weights, where=where)
    chosen = typed(predictor(torch, module, list(rows), by_name=True), weights, rows)
    return {name: value[:2] for name, value in chosen.items()}


def traced_source(model_format: str, torch: Any, module: Any, rows: Arrays, dynamic: Callable[[Arrays], Dynamic], path: Path) -> SourceModel:
    """A module that is to be traced, tried out with the first of its rows; `SourceModelError` if it fails on them.

    ``rows`` are the data's arrays by input name or example inputs; ``dynamic`` says of the examples which axes are free.
    """
    examples = typed_examples(torch, module, rows, where=str(path))
    free = dynamic(examples)
    predict = predictor(torch, module, list(examples), by_name=True)
    return SourceModel(
        format=model_format,
        framework=f"torch {torch.__version__}",
        digest=Digest.of_file(path),
        native=TracedModule(module=module, examples=examples, free=free),
        predict=predict,
        inputs=free_specs(sizes_of(examples, free)),
        outputs=try_out(predict, examples, where=str(path)),
    )


def with_requests(source: SourceModel, requests: Mapping[str, Arrays]) -> SourceModel:
    """The same model, to be compared with these whole requests too, by what errors call them, each of which it answers; `SourceModelError`."""
    examples = []
    for where, request in requests.items():
        example = _request(source.inputs, request, where)
        try_out(source.predict, example, where=where)
        examples.append(example)
    return dataclasses.replace(source, accepted=Accepted(examples=tuple(examples)))


def _request(specs: Sequence[TensorSpec], request: Arrays, where: str) -> dict[str, Array]:
    """A request in the types of the inputs, which are its own and no others."""
    names = [spec.name for spec in specs]
    lacking = [name for name in names if name not in request]
    if lacking:
        raise SourceModelError("an example lacks an input", where=where, expected=lacking[0], found=", ".join(request))
    extra = next((name for name in request if name not in names), None)
    if extra is not None:
        advice = "Give all examples, and the data, the same inputs: the bundle takes those of the first."
        raise SourceModelError("an example has an input that others lack", where=where, expected=", ".join(names), found=extra, advice=advice)
    return {spec.name: _held(request[spec.name], spec, f"{where}: {spec.name}") for spec in specs}


def _held(value: Array, spec: TensorSpec, where: str) -> Array:
    """A request's values in an input's type; `SourceModelError` for numbers that would become others."""
    if value.dtype.kind not in "fiub":
        raise SourceModelError("an example's values are not numbers", where=where, expected=spec.dtype, found=str(value.dtype))
    with np.errstate(all="ignore"):
        typed = value.astype(spec.numpy_dtype)
        changed = spec.numpy_dtype.kind in "iub" and not np.array_equal(typed.astype(value.dtype), value)
    if changed:
        number = value[typed.astype(value.dtype) != value].flat[0]
        found = f"{value.dtype}: {number}"
        raise SourceModelError("an example has numbers that the input's type can't hold", where=where, expected=spec.dtype, found=found)
    return typed


def numpy_dtype(torch: Any, dtype: Any) -> str:
    """A torch dtype's name in a manifest."""
    return str(torch.empty(0, dtype=dtype).numpy().dtype)


def forward_inputs(module: Any) -> tuple[list[str], list[str]]:
    """The names of a module's inputs in its forward's order, and those without a default."""
    named = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    parameters = [parameter for parameter in inspect.signature(module.forward).parameters.values() if parameter.kind in named]
    return [parameter.name for parameter in parameters], [parameter.name for parameter in parameters if parameter.default is parameter.empty]


def pick_rows(available: Arrays, names: Sequence[str], required: Sequence[str], target: str | None = None) -> dict[str, Array] | None:
    """The arrays that the model takes, in its order; None if something that it needs is not there.

    Of a table, whose columns but the ``target`` are numbers, the only input that the model needs is made.
    """
    given = [name for name in names if name in available]
    if given and set(required) <= set(given):
        return {name: available[name] for name in given}
    columns = [value for name, value in available.items() if name != target]
    needed = list(required) or list(names[:1])
    if given or len(needed) != 1 or not columns or not all(value.ndim == 1 and value.dtype.kind in "fiub" for value in columns):
        return None
    return {needed[0]: np.stack(columns, axis=1)}


def as_arrays(values: Any, names: Sequence[str], *, where: str) -> dict[str, Array]:
    """Example inputs as a factory's module gives them (a mapping, a tensor, or several), by input name."""
    if isinstance(values, Mapping):
        arrays = dict(values)
    else:
        items = list(values) if isinstance(values, (tuple, list)) else [values]
        arrays = dict(zip(names, items, strict=False))
    if not set(arrays) <= set(names) or not arrays:
        raise SourceModelError(
            "example inputs don't fit the model's forward", where=where, expected=", ".join(names), found=", ".join(map(str, arrays))
        )
    return {name: np.asarray(arrays[name]) for name in names if name in arrays}


def free_specs(inputs: Sequence[tuple[str, str, Sequence[int | Hashable]]]) -> tuple[TensorSpec, ...]:
    """Specs of inputs given as name, dtype, and sizes that are integers or symbols; the same symbol is the same name everywhere.

    It is named as the graph's dimensions are (`graph.graph.name_dimensions`): ``batch``, or the first input that has it with the axis.
    """
    names: dict[Hashable, str] = {size: BATCH for _, _, sizes in inputs for size in sizes[:1] if not isinstance(size, int)}
    specs = []
    for name, dtype, sizes in inputs:
        shape = tuple(size if isinstance(size, int) else names.setdefault(size, f"{name}_{axis}") for axis, size in enumerate(sizes))
        specs.append(TensorSpec(name=name, dtype=dtype, shape=shape))
    return tuple(specs)
