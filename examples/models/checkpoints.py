"""One network by every way of saving weights: alone, inside a trainer's checkpoint, under a prefix, in half precision, as TorchScript."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import small_net
import torch
from answers import of_module, sizes
from catalog import Made, example
from networks import FAMILY, fit
from sklearn.datasets import load_digits

State = dict[str, torch.Tensor]


def _lightning(state: State) -> dict[str, Any]:
    return {
        "epoch": 3,
        "global_step": 90,
        "pytorch-lightning_version": "2.4.0",
        "state_dict": {f"model.{name}": value for name, value in state.items()},
    }


def _ignite(state: State) -> dict[str, Any]:
    return {"model": state, "optimizer": {"state": {}, "param_groups": [{"lr": 0.002}]}, "epoch": 3}


#: Name → (the file's suffix, what is saved).
CHECKPOINTS: dict[str, tuple[str, Callable[[State], Any]]] = {
    "state-dict": (".pt", lambda state: state),
    "parallel": (".pth", lambda state: {f"module.{name}": value for name, value in state.items()}),
    "model-state-dict": (".pt", lambda state: {"epoch": 3, "model_state_dict": state, "optimizer_state_dict": {"state": {}, "param_groups": []}}),
    "model": (".pth", _ignite),
    "lightning": (".ckpt", _lightning),
    "safetensors": (".safetensors", lambda state: state),
}


def _register(name: str, suffix: str, wrap: Callable[[State], Any]) -> None:
    @example(f"torch-checkpoint-{name}", FAMILY)
    def build(folder: Path) -> Made:
        from safetensors.torch import save_file

        model, rows = _trained(folder)
        path = folder / f"model{suffix}"
        (save_file if suffix == ".safetensors" else torch.save)(wrap(model.state_dict()), path)
        options = {"factory": f"{small_net.__file__}:build"}
        return Made(model=path, data=folder / "holdout.npz", options=options, requests=sizes(rows), answers=of_module(model))


for _name, _checkpoint in CHECKPOINTS.items():
    _register(_name, *_checkpoint)


@example("torch-script", FAMILY)
def script(folder: Path) -> Made:
    """TorchScript by tracing."""
    model, rows = _trained(folder)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.trace(model, torch.from_numpy(rows[:2])).save(folder / "model.pt")  # type: ignore[no-untyped-call]
    return Made(model=folder / "model.pt", data=folder / "holdout.npz", requests=sizes(rows), answers=of_module(model))


def _trained(folder: Path) -> tuple[torch.nn.Module, Any]:
    images, digits = load_digits(return_X_y=True)
    pixels = (images / 16).astype(np.float32)
    torch.manual_seed(0)
    model = fit(small_net.build(), pixels[:1200], digits[:1200].astype(np.int64), epochs=3)
    np.savez(folder / "holdout.npz", pixels=pixels[1200:], target=digits[1200:])
    return model, pixels[1200:]
