"""LSTM, GRU and RNN as one operator while torch traces them, for any number of steps.

To know the shape of an LSTM's answer, torch (2.13) computes it step by step: that fixes the number of steps, and takes minutes for long sequences.
The shape follows from those of its arguments alone, and so the operator stays what it is, in the program and in ONNX (RNN by `plain_rnn`).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, Final

_BOTH_WAYS: Final = 5


def _lstm(sequence: Any, state: Any, *others: Any) -> Any:
    hidden, cell = state
    return _answer(sequence, hidden, others), hidden.new_empty(hidden.shape), cell.new_empty(cell.shape)


def _one_state(sequence: Any, state: Any, *others: Any) -> Any:
    return _answer(sequence, state, others), state.new_empty(state.shape)


def _answer(sequence: Any, state: Any, others: tuple[Any, ...]) -> Any:
    """``others`` are weights, has_biases, layers, dropout, train, both_ways, batch_first; of these only both_ways changes the shape."""
    return sequence.new_empty((*sequence.shape[:-1], state.shape[-1] * (2 if others[_BOTH_WAYS] else 1)))


@contextlib.contextmanager
def whole_recurrences() -> Iterator[None]:
    """While the block runs, torch's tracing asks for the shapes of LSTM, GRU and RNN instead of computing them."""
    import torch
    from torch._decomp import global_decomposition_table

    aten, keys = torch.ops.aten, torch._C.DispatchKey  # noqa: SLF001  # what torch's own decompositions are registered by
    of_one_state = (aten.gru.input, aten.rnn_tanh.input, aten.rnn_relu.input)
    shapes: dict[Any, Callable[..., Any]] = {aten.lstm.input: _lstm, **dict.fromkeys(of_one_state, _one_state)}
    decompositions = global_decomposition_table["post_autograd"]
    kept = {operator: (dict(operator.py_kernels), decompositions[operator]) for operator in shapes}
    try:
        for operator, shape in shapes.items():
            kernels = dict.fromkeys((keys.CompositeImplicitAutograd, keys.Autograd, keys.Meta), shape)
            _set(operator, {**operator.py_kernels, **kernels}, decompositions, shape)
        yield
    finally:
        for operator, (kernels, decomposition) in kept.items():
            _set(operator, kernels, decompositions, decomposition)


def _set(operator: Any, kernels: dict[Any, Any], decompositions: dict[Any, Any], decomposition: Any) -> None:
    operator.py_kernels.clear()
    operator.py_kernels.update(kernels)
    operator._dispatch_cache.clear()  # noqa: SLF001  # it remembers kernels
    decompositions[operator] = decomposition
