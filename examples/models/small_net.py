"""A small network for handwritten digits of 8 × 8 grey values: what checkpoints are packed with (``--factory small_net.py:build``)."""

from __future__ import annotations

import torch
from torch import nn


class SmallNet(nn.Module):
    """Two dense layers; 64 grey values in 0..1 in, ten logits out."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(64, 48), nn.BatchNorm1d(48), nn.ReLU(), nn.Linear(48, 10))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Logits [batch, 10] of images [batch, 64]."""
        logits: torch.Tensor = self.body(pixels)
        return logits


def build() -> nn.Module:
    """The network without its weights."""
    return SmallNet()
