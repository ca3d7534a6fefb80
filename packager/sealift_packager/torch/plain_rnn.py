"""``nn.RNN`` as ONNX's RNN: torch's exporter writes LSTM and GRU, and unrolls this one for the number of steps in the example.

Sources: https://onnx.ai/onnx/operators/onnx__RNN.html (weights [directions, hidden, …], answers [steps, directions, batch, hidden]) and the schema of
``aten::rnn_tanh.input``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any


def rnn_translations() -> dict[Any, Callable[..., Any]]:
    """What ``torch.onnx.export`` takes as ``custom_translation_table``."""
    import torch

    return {torch.ops.aten.rnn_tanh.input: _translation("Tanh"), torch.ops.aten.rnn_relu.input: _translation("Relu")}


def _translation(activation: str) -> Callable[..., Any]:
    def translate(
        input: Any,  # noqa: A002  # the schema's name
        hx: Any,
        params: Sequence[Any],
        has_biases: bool,
        num_layers: int,
        dropout: float,  # noqa: ARG001  # of training
        train: bool,  # noqa: ARG001  # of training
        bidirectional: bool,
        batch_first: bool,
    ) -> tuple[Any, Any]:
        import onnxscript

        op: Any = onnxscript.opset18
        directions, each = 2 if bidirectional else 1, 4 if has_biases else 2
        sequence, states = op.Transpose(input, perm=[1, 0, 2]) if batch_first else input, []
        for first in range(0, num_layers * directions, directions):
            parts = [params[at * each : (at + 1) * each] for at in range(first, first + directions)]
            answer, state = op.RNN(
                sequence,
                _stacked(op, [part[0] for part in parts]),
                _stacked(op, [part[1] for part in parts]),
                _stacked(op, [op.Concat(part[2], part[3], axis=0) for part in parts]) if has_biases else None,
                None,
                op.Slice(hx, [first], [first + directions], [0]),
                activations=[activation] * directions,
                direction="bidirectional" if bidirectional else "forward",
                hidden_size=parts[0][1].shape[1],
            )
            sequence = op.Reshape(op.Transpose(answer, perm=[0, 2, 1, 3]), [0, 0, -1])
            states.append(state)
        return op.Transpose(sequence, perm=[1, 0, 2]) if batch_first else sequence, op.Concat(*states, axis=0)

    return translate


def _stacked(op: Any, tensors: Sequence[Any]) -> Any:
    return op.Concat(*(op.Unsqueeze(tensor, [0]) for tensor in tensors), axis=0)
