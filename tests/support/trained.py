"""Small models that are really trained, once per test session: files as `sealift pack` takes them."""

from __future__ import annotations

import dataclasses
import functools
import importlib.util
import sys
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import joblib
import numpy as np
import onnx
import torch
from safetensors.torch import save_file
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

EXAMPLES: Final = Path(__file__).parents[2] / "examples"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A model file, its holdout file, and the name of the target in it."""

    model: Path
    data: Path
    target: str


class SmallNet(nn.Module):
    """A convolution and two dense layers for 8 × 8 digits."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(256, 128), nn.ReLU())
        self.head = nn.Linear(128, 10)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(self.layers(image))
        return logits


def build_small_net() -> nn.Module:
    """A factory, as ``--factory`` names it."""
    return SmallNet()


def example_inputs() -> dict[str, torch.Tensor]:
    """What `build_small_net`'s module takes."""
    return {"image": torch.zeros(1, 1, 8, 8)}


FACTORY: Final = f"{Path(__file__)}:build_small_net"


@functools.cache
def folder() -> Path:
    """Where the files are; gone when the process ends."""
    directory = tempfile.TemporaryDirectory(prefix="sealift-trained.")
    _kept.append(directory)
    return Path(directory.name)


_kept: list[Any] = []


@functools.cache
def cancer() -> Trained:
    """Scaled logistic regression with named columns; a CSV with 114 rows."""
    data = load_breast_cancer(as_frame=True)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(data.data[114:], data.target[114:])
    path, table = folder() / "cancer.joblib", folder() / "cancer.csv"
    joblib.dump(model, path)
    data.data[:114].assign(diagnosis=data.target[:114]).to_csv(table, index=False)
    return Trained(model=path, data=table, target="diagnosis")


@functools.cache
def forest() -> Trained:
    """A forest with text labels, fitted on bare arrays."""
    data = load_breast_cancer()
    names = np.array(["malignant", "benign"])[data.target]
    path, holdout = folder() / "forest.pkl", folder() / "forest.npz"
    joblib.dump(RandomForestClassifier(10, random_state=0).fit(data.data[100:], names[100:]), path)
    np.savez(holdout, features=data.data[:100].astype(np.float32), target=names[:100])
    return Trained(model=path, data=holdout, target="target")


@functools.cache
def ridge() -> Trained:
    """A regression."""
    data = load_diabetes(as_frame=True)
    path, table = folder() / "ridge.joblib", folder() / "ridge.csv"
    joblib.dump(Ridge().fit(data.data[100:], data.target[100:]), path)
    data.data[:100].assign(progression=data.target[:100]).to_csv(table, index=False)
    return Trained(model=path, data=table, target="progression")


@functools.cache
def small_net() -> nn.Module:
    """A network that tells digits apart."""
    torch.manual_seed(0)
    model = build_small_net()
    images, digits = _digits()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(8):
        for batch in torch.randperm(1200).split(64):  # type: ignore[no-untyped-call]
            optimizer.zero_grad()
            loss: Any = nn.functional.cross_entropy(model(images[:1200][batch]), digits[:1200][batch])
            loss.backward()
            optimizer.step()
    return model.eval()


def _digits() -> tuple[torch.Tensor, torch.Tensor]:
    data = load_digits()
    images = torch.from_numpy((data.images / 16).astype(np.float32).reshape(-1, 1, 8, 8))
    return images, torch.from_numpy(data.target.astype(np.int64))


@functools.cache
def digits_holdout() -> Path:
    """597 images that the network was not trained on."""
    images, digits = _digits()
    path = folder() / "digits.npz"
    np.savez(path, image=images[1200:].numpy(), target=digits[1200:].numpy())
    return path


@functools.cache
def state_dict(suffix: str = ".safetensors") -> Trained:
    """The network's weights alone, as safetensors or a torch file."""
    path = folder() / f"net{suffix}"
    if suffix == ".safetensors":
        save_file(small_net().state_dict(), path)
    else:
        torch.save(small_net().state_dict(), path)
    return Trained(model=path, data=digits_holdout(), target="target")


@functools.cache
def program() -> Trained:
    """The network as an exported program with a free batch."""
    path = folder() / "net.pt2"
    exported = torch.export.export(small_net(), (torch.zeros(2, 1, 8, 8),), dynamic_shapes={"image": {0: torch.export.Dim("rows", min=1)}})
    torch.export.save(exported, path)
    return Trained(model=path, data=digits_holdout(), target="target")


@functools.cache
def onnx_net() -> Trained:
    """The network as ``model.onnx`` in a folder of its own; quick to load, and written here, for an export takes long."""
    path = folder() / "onnx" / "model.onnx"
    path.parent.mkdir()
    onnx.save(_small_net_graph({name: value.numpy() for name, value in small_net().state_dict().items()}), path)
    return Trained(model=path, data=digits_holdout(), target="target")


def _small_net_graph(weights: dict[str, Any]) -> Any:
    node = onnx.helper.make_node
    nodes = [
        node("Conv", ["image", "layers.0.weight", "layers.0.bias"], ["conv"], name="conv", pads=[1, 1, 1, 1]),
        node("Relu", ["conv"], ["relu"], name="relu"),
        node("MaxPool", ["relu"], ["pool"], name="pool", kernel_shape=[2, 2], strides=[2, 2]),
        node("Flatten", ["pool"], ["flat"], name="flatten"),
        node("Gemm", ["flat", "layers.4.weight", "layers.4.bias"], ["dense"], name="dense", transB=1),
        node("Relu", ["dense"], ["dense_relu"], name="dense_relu"),
        node("Gemm", ["dense_relu", "head.weight", "head.bias"], ["output"], name="head", transB=1),
    ]
    image = onnx.helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT, ["batch", 1, 8, 8])
    output = onnx.helper.make_tensor_value_info("output", onnx.TensorProto.FLOAT, ["batch", 10])
    tensors = [onnx.numpy_helper.from_array(value, name) for name, value in weights.items()]
    graph = onnx.helper.make_graph(nodes, "small_net", [image], [output], tensors)
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=10)


def example(name: str) -> ModuleType:
    """A module of examples/."""
    spec = importlib.util.spec_from_file_location(f"examples_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@functools.cache
def mnist() -> Trained:
    """The example's network after one epoch (some seconds), with 1,000 images held out."""
    code = example("mnist_cnn")
    images, digits = code.load_digits()
    split = code.TRAINING_ROWS
    code.save(code.train(images[:split], digits[:split], epochs=1), images[split:], digits[split:], folder() / "mnist")
    return Trained(model=folder() / "mnist" / "mnist.pt2", data=folder() / "mnist" / "holdout.npz", target="target")
