"""What a bundle's graph takes and gives, held against its manifest, and a request's shapes against the same. Pure.

A device goes by this when it loads a bundle and when a request comes, and the packager before it seals one.
"""

from __future__ import annotations

import reprlib
from collections.abc import Mapping, Sequence
from typing import Any, Final, NoReturn

from sealift_core.bundle.tensors import TensorSpec
from sealift_core.errors import EngineError, RequestError, first_few

MAX_DIMENSION: Final = 2**31 - 1
#: So many columns are named in an error, with so much of each name.
SHOWN_COLUMNS: Final = 50
SHOWN_CHARACTERS: Final = 60
#: onnxruntime's names of element types where they differ from numpy's
_ELEMENTS: Final = {"float": "float32", "double": "float64"}
_SHOWN: Final = reprlib.Repr()
_SHOWN.maxstring = _SHOWN.maxother = 150
_SHOWN.maxlist = 16
#: The sizes that inputs gave to symbols, each with the input that gave it.
Symbols = dict[str, tuple[int, str]]


def check_tensors(specs: Sequence[TensorSpec], nodes: Sequence[Any], where: str) -> None:
    """Hold a graph's tensors, as an onnxruntime session tells them, against a manifest's.

    Args:
        specs: The manifest's inputs, or its outputs.
        nodes: The session's, each with ``name``, ``type`` and ``shape``.
        where: What errors call them.

    Raises:
        EngineError: Unless they have the same names, dtypes, ranks and fixed sizes.
    """
    nodes_by_name = {node.name: node for node in nodes}
    if set(nodes_by_name) != {spec.name for spec in specs}:
        names = ", ".join(spec.name for spec in specs)
        raise EngineError("the graph and the manifest disagree", where=where, expected=names, found=", ".join(nodes_by_name))
    for spec in specs:
        node = nodes_by_name[spec.name]
        element_type = node.type.removeprefix("tensor(").removesuffix(")")
        if _ELEMENTS.get(element_type, element_type) != spec.dtype or not _shapes_agree(spec.shape, node.shape):
            raise EngineError(
                "the graph and the manifest disagree",
                where=f"{where}: {spec.name}",
                expected=f"{spec.dtype} {list(spec.shape)}",
                found=f"{node.type} {node.shape}",
            )


def _shapes_agree(manifest: Sequence[int | str], graph: Sequence[Any] | None) -> bool:
    """Whether a manifest's shape fits a graph's; where the graph leaves a size open, the manifest may say more."""
    if not graph:  # onnxruntime shows a tensor of unknown rank like a scalar
        return True
    if len(manifest) != len(graph):
        return False
    return all(not isinstance(size, int) or not isinstance(other, int) or size == other for size, other in zip(manifest, graph, strict=True))


def check_shape(spec: TensorSpec, shape: Sequence[int], symbols: Symbols) -> None:
    """Hold a request's shape against an input's.

    Args:
        spec: The input.
        shape: The shape that came.
        symbols: The sizes that other inputs gave; they get this one's.

    Raises:
        RequestError: Unless it fits.
    """
    if len(shape) != len(spec.shape):
        refuse(spec, "wrong shape", show_shape(spec.shape), show(list(shape)), name_columns(spec))
    for size, expected in zip(shape, spec.shape, strict=False):
        if isinstance(expected, int):
            if size != expected:
                refuse(spec, "wrong shape", show_shape(spec.shape), show(list(shape)), name_columns(spec))
        elif not 1 <= size <= MAX_DIMENSION:
            refuse(spec, "a dimension is out of range", f"1 to {MAX_DIMENSION} for {expected!r}", str(size))
        elif symbols.setdefault(expected, (size, spec.name))[0] != size:
            earlier, name = symbols[expected]
            refuse(spec, "sizes disagree", f"{expected!r} to be {earlier} as in input {name!r}", str(size))


def name_columns(spec: TensorSpec) -> str | None:
    """Say what a row of an input is made of.

    Args:
        spec: The input.

    Returns:
        A sentence with its columns' names, the first `SHOWN_COLUMNS` of them; None if they have none.
    """
    if not spec.columns:
        return None
    listed = first_few([name[:SHOWN_CHARACTERS] for name in spec.columns], SHOWN_COLUMNS)
    return f"A row has one value for each of these columns, in this order: {listed}."


def refuse(spec: TensorSpec, message: str, expected: str, actual: str, advice: str | None = None) -> NoReturn:
    """Refuse an input.

    Args:
        spec: The input.
        message: What is wrong.
        expected: What it should be.
        actual: What came.
        advice: What to do about it.

    Raises:
        RequestError: Always.
    """
    raise RequestError(message, where=f"input {spec.name!r}", expected=expected, found=actual, advice=advice)


def show_shape(shape: Sequence[int | str]) -> str:
    """Show a shape.

    Args:
        shape: Sizes and symbols.

    Returns:
        Words like ``[batch, 4]``.
    """
    return f"[{', '.join(str(size) for size in shape)}]"


def show(value: object) -> str:
    """Show what came instead of what was expected.

    Args:
        value: Anything.

    Returns:
        Few characters, however large it is.
    """
    return _SHOWN.repr(value)[:200]


def check_answer(specs: Sequence[TensorSpec], shapes: Mapping[str, Sequence[int]], symbols: Symbols) -> None:
    """Hold an answer's shapes against the outputs.

    Args:
        specs: The outputs.
        shapes: The answer's shapes, by output name.
        symbols: The sizes that the request gave; a symbol that it doesn't have may be any size.

    Raises:
        EngineError: Unless they fit.
    """
    for spec in specs:
        shape = shapes[spec.name]
        known = [size if isinstance(size, int) else symbols.get(size, (None, ""))[0] for size in spec.shape]
        if len(shape) != len(known) or any(size is not None and size != actual for size, actual in zip(known, shape, strict=True)):
            expected = show_shape([declared if size is None else size for declared, size in zip(spec.shape, known, strict=True)])
            raise EngineError(
                "an output has another shape than the manifest says",
                where=f"output {spec.name!r}",
                expected=expected,
                found=show(list(shape)),
            )
