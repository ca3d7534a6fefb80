"""Networks trained here in PyTorch: convolutions dense and depthwise, perceptrons, LSTM, GRU, attention; as programs, weights and ONNX."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from answers import of_graph, of_module, sizes
from catalog import CLASSES, Array, Made, example
from torch import nn

FAMILY = "PyTorch"
sys.path.insert(0, str(Path(__file__).parent.parent))
from mnist_cnn import TRAINING_ROWS, DigitNet, load_digits  # noqa: E402


def fit(model: nn.Module, inputs: Array, target: Array, *, epochs: int, loss: Any = None, seed: int = 0) -> nn.Module:
    """A trained model."""
    torch.manual_seed(seed)
    criterion = loss or nn.functional.cross_entropy
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    x, y = torch.from_numpy(inputs), torch.from_numpy(target)
    for _ in range(epochs):
        for part in torch.randperm(len(y)).split(64):  # type: ignore[no-untyped-call]
            optimizer.zero_grad()
            criterion(model(x[part]), y[part]).backward()
            optimizer.step()
    return model.eval()


def export(folder: Path, model: nn.Module, examples: tuple[torch.Tensor, ...], free: dict[int, str] | None = None) -> Path:
    """Write an exported program whose batch (and the axes named in ``free``) are free."""
    sizes = {axis: torch.export.Dim(name, min=2 if axis else 1, max=2048) for axis, name in ({0: "batch"} | (free or {})).items()}
    program = torch.export.export(model.eval(), examples, dynamic_shapes=tuple(sizes for _ in examples))
    torch.export.save(program, folder / "model.pt2")
    return folder / "model.pt2"


def _digits(folder: Path, make: Callable[[], nn.Module], epochs: int = 3, flat: bool = False) -> Made:
    torch.manual_seed(0)
    images, digits = load_digits()
    if flat:
        images = images.reshape(len(images), -1)
    model = fit(make(), images[:TRAINING_ROWS], digits[:TRAINING_ROWS], epochs=epochs)
    path = export(folder, model, (torch.from_numpy(images[:2]),))
    rows = images[TRAINING_ROWS:]
    arrays: dict[str, Any] = {_input(model): rows, "target": digits[TRAINING_ROWS:]}
    np.savez(folder / "holdout.npz", **arrays)
    return Made(model=path, data=folder / "holdout.npz", options=CLASSES, requests=sizes(rows), answers=of_module(model))


def _input(model: nn.Module) -> str:
    return "image" if isinstance(model, DigitNet) else "input"


class Depthwise(nn.Module):
    """MobileNet's block: a depthwise convolution, then a pointwise one."""

    def __init__(self, channels: int, out: int, stride: int = 1) -> None:
        super().__init__()
        self.depth = nn.Conv2d(channels, channels, 3, stride, 1, groups=channels, bias=False)
        self.point = nn.Conv2d(channels, out, 1, bias=False)
        self.norms = nn.ModuleList([nn.BatchNorm2d(channels), nn.BatchNorm2d(out)])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Channels in, channels out."""
        x = nn.functional.relu6(self.norms[0](self.depth(x)))
        result: torch.Tensor = nn.functional.relu6(self.norms[1](self.point(x)))
        return result


class Residual(nn.Module):
    """ResNet's block."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        conv = [nn.Conv2d(channels, channels, 3, padding=1, bias=False) for _ in range(2)]
        self.body = nn.Sequential(conv[0], nn.BatchNorm2d(channels), nn.ReLU(), conv[1], nn.BatchNorm2d(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Channels in, channels out."""
        return torch.relu(x + self.body(x))


def _depthwise() -> nn.Module:
    blocks = [Depthwise(32, 64), Depthwise(64, 128, 2), Depthwise(128, 128), Depthwise(128, 256, 2), Depthwise(256, 256)]
    return nn.Sequential(nn.Conv2d(1, 32, 3, 2, 1), nn.ReLU6(), *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(256, 10))


def _residual() -> nn.Module:
    head = [nn.Conv2d(1, 24, 3, 2, 1), nn.ReLU(), Residual(24), nn.MaxPool2d(2), Residual(24)]
    return nn.Sequential(*head, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(24, 10))


def _mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(784, 256), nn.GELU(), nn.LayerNorm(256), nn.Linear(256, 64), nn.GELU(), nn.Linear(64, 10))


@example("torch-cnn-dense", FAMILY)
def cnn_dense(folder: Path) -> Made:
    return _digits(folder, DigitNet)


@example("torch-cnn-depthwise", FAMILY)
def cnn_depthwise(folder: Path) -> Made:
    return _digits(folder, _depthwise, epochs=4)


@example("torch-cnn-residual", FAMILY)
def cnn_residual(folder: Path) -> Made:
    return _digits(folder, _residual)


@example("torch-mlp", FAMILY)
def mlp(folder: Path) -> Made:
    return _digits(folder, _mlp, flat=True)


@example("torch-cnn-weights", FAMILY)
def cnn_weights(folder: Path) -> Made:
    """The weights of a convolutional network alone, with the function that builds it."""
    from safetensors.torch import save_file

    images, digits = load_digits()
    model = fit(DigitNet(), images[:TRAINING_ROWS], digits[:TRAINING_ROWS], epochs=1)
    save_file(model.state_dict(), folder / "model.safetensors")
    rows = images[TRAINING_ROWS:]
    np.savez(folder / "holdout.npz", image=rows, target=digits[TRAINING_ROWS:])
    options = {"factory": f"{Path(__file__).parent.parent / 'mnist_cnn.py'}:build", **CLASSES}
    path = folder / "model.safetensors"
    return Made(model=path, data=folder / "holdout.npz", options=options, requests=sizes(rows), answers=of_module(model))


@example("torch-autoencoder", FAMILY)
def autoencoder(folder: Path) -> Made:
    """A network with a narrow middle, as an autoencoder has it, that predicts how bright an image is."""
    images, _ = load_digits()
    pixels = images.reshape(len(images), -1)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 16), nn.ReLU(), nn.Linear(16, 128), nn.ReLU(), nn.Linear(128, 1))
    target = pixels.mean(axis=1, keepdims=True).astype(np.float32)
    fit(model, pixels[:TRAINING_ROWS], target[:TRAINING_ROWS], epochs=3, loss=nn.functional.mse_loss)
    rows = pixels[TRAINING_ROWS:]
    np.savez(folder / "holdout.npz", input=rows, target=target[TRAINING_ROWS:, 0])
    path = export(folder, model, (torch.from_numpy(pixels[:2]),))
    return Made(model=path, data=folder / "holdout.npz", options={"metric": "rmse"}, requests=sizes(rows), answers=of_module(model))


class Recurrent(nn.Module):
    """An LSTM or GRU over a sequence of numbers; its last state decides."""

    def __init__(self, cell: str, *, both_ways: bool = False) -> None:
        super().__init__()
        self.cell = {"lstm": nn.LSTM, "gru": nn.GRU}[cell](8, 64, batch_first=True, bidirectional=both_ways)
        self.head = nn.Linear(128 if both_ways else 64, 4)

    def forward(self, input: torch.Tensor) -> torch.Tensor:  # noqa: A002
        """Scores [batch, 4] of sequences [batch, length, 8]."""
        result: torch.Tensor = self.head(self.cell(input)[0].mean(dim=1))
        return result


class Attention(nn.Module):
    """A transformer's encoder layer over a sequence of numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(8, 64)
        self.query, self.key, self.value, self.out = (nn.Linear(64, 64) for _ in range(4))
        self.dense = nn.Sequential(nn.LayerNorm(64), nn.Linear(64, 128), nn.GELU(), nn.Linear(128, 64))
        self.head = nn.Linear(64, 4)

    def forward(self, input: torch.Tensor) -> torch.Tensor:  # noqa: A002
        """Scores [batch, 4] of sequences [batch, length, 8]."""
        x = self.embed(input)
        heads = [part(x).unflatten(2, (4, 16)).transpose(1, 2) for part in (self.query, self.key, self.value)]
        x = x + self.out(nn.functional.scaled_dot_product_attention(*heads).transpose(1, 2).flatten(2))
        result: torch.Tensor = self.head((x + self.dense(x)).mean(dim=1))
        return result


def _waves(rows: int = 3000, length: int = 32) -> tuple[Array, Array]:
    """Eight noisy channels of sine, square, triangle or noise."""
    draw = np.random.default_rng(0)
    labels = draw.integers(0, 4, rows)
    phase = draw.random((rows, 1, 8)) + np.arange(length)[None, :, None] * draw.uniform(0.05, 0.2, (rows, 1, 1))
    shapes = [np.sin(2 * np.pi * phase), np.sign(np.sin(2 * np.pi * phase)), 4 * np.abs(phase % 1 - 0.5) - 1, draw.normal(size=phase.shape)]
    values = np.choose(labels[:, None, None], shapes) + draw.normal(0, 0.4, phase.shape)
    return values.astype(np.float32), labels.astype(np.int64)


def _sequence(folder: Path, model: nn.Module, epochs: int = 4, free: dict[int, str] | None = None) -> Made:
    waves, labels = _waves()
    fit(model, waves[:2400], labels[:2400], epochs=epochs)
    rows = waves[2400:]
    np.savez(folder / "holdout.npz", input=rows, target=labels[2400:])
    path = export(folder, model, (torch.from_numpy(waves[:2]),), free)
    requests = (*sizes(rows), rows[:3, :20]) if free else sizes(rows)
    return Made(model=path, data=folder / "holdout.npz", requests=requests, answers=of_module(model))


@example("torch-lstm", FAMILY)
def lstm(folder: Path) -> Made:
    torch.manual_seed(0)
    return _sequence(folder, Recurrent("lstm"))


@example("torch-gru-both-ways", FAMILY)
def gru(folder: Path) -> Made:
    torch.manual_seed(0)
    return _sequence(folder, Recurrent("gru", both_ways=True))


@example("torch-attention", FAMILY)
def attention(folder: Path) -> Made:
    torch.manual_seed(0)
    return _sequence(folder, Attention(), free={1: "length"})


@example("torch-cnn-1d", FAMILY)
def cnn_1d(folder: Path) -> Made:
    torch.manual_seed(0)
    waves, labels = _waves()
    waves = np.ascontiguousarray(waves.transpose(0, 2, 1))
    model = nn.Sequential(nn.Conv1d(8, 32, 5), nn.ReLU(), nn.Conv1d(32, 64, 5), nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(64, 4))
    fit(model, waves[:2400], labels[:2400], epochs=4)
    rows = waves[2400:]
    np.savez(folder / "holdout.npz", input=rows, target=labels[2400:])
    path = export(folder, model, (torch.from_numpy(waves[:2]),))
    return Made(model=path, data=folder / "holdout.npz", requests=sizes(rows), answers=of_module(model))


def _onnx(folder: Path, opset: int) -> Made:
    import onnx

    made = _digits(folder, DigitNet, epochs=1)
    exported = torch.onnx.export(torch.export.load(made.model), (), dynamo=True, opset_version=18, verbose=False)
    if exported is None:
        raise RuntimeError("torch.onnx gave no program")
    model = exported.model_proto
    for entry in model.opset_import:  # convolutions, pooling and products are the same in both; Reshape had no allowzero, which nothing needs here
        entry.version = opset if entry.domain == "" else entry.version
    for node in model.graph.node:
        kept = [attribute for attribute in node.attribute if attribute.name != "allowzero"]
        del node.attribute[:]
        node.attribute.extend(kept)
    onnx.checker.check_model(model)
    onnx.save(model, folder / "model.onnx")
    graph = folder / "model.onnx"
    name = model.graph.input[0].name
    return dataclasses.replace(made, model=graph, requests=tuple({name: rows} for rows in made.requests), answers=of_graph(graph))


@example("onnx-cnn-opset-18", "ONNX")
def onnx_18(folder: Path) -> Made:
    return _onnx(folder, 18)


@example("onnx-cnn-opset-13", "ONNX")
def onnx_13(folder: Path) -> Made:
    return _onnx(folder, 13)
