"""Repeated requests of one shape, through an I/O binding to buffers that were made beforehand.

`InferenceSession.run` makes an OrtValue for each tensor of each request. For a tiny model that costs about as much
as the model itself (10.5 µs instead of 14.9 for a softmax regression, copies included). So when a shape comes twice in a
row, buffers for it are bound once and reused. A binding serves one thread at a time: it is taken from its pool for the
run, and a caller who finds the pool empty makes another.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import onnxruntime

from sealift_core.bundle.golden import Array
from sealift_core.bundle.tensors import TensorSpec
from sealift_runtime.engine.translate import FOREIGN

MAX_SHAPES: Final = 8
#: Larger tensors gain nothing: copying them costs more than the binding saves.
MAX_BUFFER_BYTES: Final = 64 * 1024
MAX_BINDINGS_PER_SHAPE: Final = 16

Shapes = tuple[tuple[int, ...], ...]


class _Binding:
    """Buffers for one shape of request, bound to the session."""

    def __init__(self, session: onnxruntime.InferenceSession, inputs: Mapping[str, Array], outputs: Mapping[str, Array]) -> None:
        self._session = session
        self._binding = session.io_binding()
        self._inputs = {name: np.empty(value.shape, value.dtype) for name, value in inputs.items()}
        self._outputs = {name: np.empty(value.shape, value.dtype) for name, value in outputs.items()}
        for name, buffer in self._inputs.items():
            self._binding.bind_input(name, "cpu", 0, buffer.dtype.type, buffer.shape, buffer.ctypes.data)
        for name, buffer in self._outputs.items():
            self._binding.bind_output(name, "cpu", 0, buffer.dtype.type, buffer.shape, buffer.ctypes.data)

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        for name, buffer in self._inputs.items():
            buffer[...] = inputs[name]
        self._session.run_with_iobinding(self._binding)
        return {name: buffer.copy() for name, buffer in self._outputs.items()}


class FastPath:
    """Bindings of one session by the shapes of its inputs; safe to call from several threads."""

    def __init__(self, session: onnxruntime.InferenceSession, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> None:
        self._session = session
        self._dtypes: tuple[tuple[str, np.dtype[Any]], ...] = tuple((spec.name, spec.numpy_dtype) for spec in inputs)
        self._pools: dict[Shapes, list[_Binding]] = {}
        self._last: Shapes = ()
        self.usable = _usable(inputs, outputs)

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array] | None:
        """All outputs, or None if these shapes have no binding; the caller then runs the session as usual."""
        pool = self._pools.get(self._shapes(inputs))
        if not pool:
            return None
        try:
            binding = pool.pop()
        except IndexError:  # another thread took the last one just now
            return None
        try:
            outputs = binding.run(inputs)
        except FOREIGN:
            # The graph gave another output shape than before, or fails on these values: the usual way tells which.
            self.usable = False
            return None
        pool.append(binding)
        return outputs

    def learn(self, inputs: Mapping[str, Array], outputs: Mapping[str, Array]) -> None:
        """Take note of a request answered the usual way; a shape that comes twice in a row gets a binding."""
        shapes = self._shapes(inputs)
        if shapes != self._last:
            self._last = shapes
            return
        arrays = [*inputs.values(), *outputs.values()]
        if shapes and all(0 < value.nbytes <= MAX_BUFFER_BYTES for value in arrays):
            self._add(shapes, _Binding(self._session, inputs, outputs))

    def _add(self, shapes: Shapes, binding: _Binding) -> None:
        if shapes not in self._pools and len(self._pools) >= MAX_SHAPES:
            self._pools = {}
        pool = self._pools.setdefault(shapes, [])
        if len(pool) < MAX_BINDINGS_PER_SHAPE:
            pool.append(binding)

    def _shapes(self, inputs: Mapping[str, Array]) -> Shapes:
        """The key of a request; empty if a dtype isn't the model's, which is for the usual way to refuse."""
        shapes = []
        for name, dtype in self._dtypes:
            value = inputs.get(name)
            if value is None or value.dtype != dtype:
                return ()
            shapes.append(value.shape)
        return tuple(shapes)


def _usable(inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> bool:
    """Whether output shapes follow from input shapes, and nothing is text (onnxruntime can't bind that), or an input and an output at once.

    onnxruntime fills no buffer of an output that is an input: what the request before was answered would be answered again.
    """
    if {spec.name for spec in inputs} & {spec.name for spec in outputs}:
        return False
    input_symbols = {size for spec in inputs for size in spec.shape if isinstance(size, str)}
    output_symbols = {size for spec in outputs for size in spec.shape if isinstance(size, str)}
    fixed = math.prod(size for spec in outputs for size in spec.shape if isinstance(size, int))
    return output_symbols <= input_symbols and fixed <= MAX_BUFFER_BYTES and all(spec.dtype != "string" for spec in (*inputs, *outputs))
