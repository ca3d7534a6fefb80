"""Files of weights as trainers write them: the module's weights are found, or the error says which names don't fit and what to pass."""

from __future__ import annotations

import argparse
import collections
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from sealift_packager.errors import SourceModelError, UntrustedPickleError
from sealift_packager.frameworks.loaders import load_model
from sealift_packager.model.source import LoadOptions, SourceModel
from support import trained

ROWS = np.random.default_rng(0).standard_normal((6, 4)).astype(np.float32)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.ReLU())
        self.head = nn.Linear(5, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        answer: torch.Tensor = self.head(self.body(x))
        return answer


class Tied(nn.Module):
    """One weight under two names."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)
        self.second.weight = self.first.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        answer: torch.Tensor = self.second(self.first(x))
        return answer


def build() -> nn.Module:
    return Net()


def build_tied() -> nn.Module:
    return Tied()


def net(seed: int = 1) -> Net:
    """A module of which no weight is what the factory begins with."""
    torch.manual_seed(seed)
    module = Net()
    nn.init.uniform_(module.get_buffer("body.1.running_mean"), -1, 1)
    return module.eval()


def prefixed(prefix: str, module: nn.Module) -> dict[str, Any]:
    return {f"{prefix}{name}": value for name, value in module.state_dict().items()}


def loaded(checkpoint: Any, tmp_path: Path, *, factory: str = "build", **options: Any) -> SourceModel:
    torch.save(checkpoint, tmp_path / "weights.pt")
    return load_model(tmp_path / "weights.pt", LoadOptions(factory=f"{__file__}:{factory}", examples={"x": ROWS}, **options))


def assert_answers_like(source: SourceModel, module: nn.Module) -> None:
    with torch.inference_mode():
        expected = module.eval()(torch.from_numpy(ROWS)).numpy()
    assert np.allclose(source.predict({"x": ROWS})["output"], expected, atol=1e-6)


KEYS = ("model", "model_state", "model_state_dict", "state_dict", "net", "ema", "w")
OPTIMIZER = {"state": {0: {"step": torch.tensor(3.0), "exp_avg": torch.zeros(5, 4)}}, "param_groups": [{"lr": 0.1, "params": [0]}]}


@pytest.mark.parametrize(
    "written",
    [
        *(
            {key: net().state_dict(), "epoch": 3, "loss": 0.5}
            for key in ("model", "model_state", "model_state_dict", "state_dict", "net", "ema", "w")
        ),
        {"model_state_dict": net().state_dict(), "optimizer_state_dict": OPTIMIZER, "loss": torch.tensor(0.5), "args": argparse.Namespace(lr=1)},
        {"epoch": 1, "state_dict": prefixed("model.", net()), "optimizer_states": [OPTIMIZER], "hyper_parameters": {"lr": 0.1}},
        {"state_dict": prefixed("net._orig_mod.", net())},
        {"model": prefixed("module._orig_mod.", net()), "best": np.float64(0.9)},
        {"train": {"model": prefixed("module.", net())}},
        {"model": net().state_dict(), "ema": net().state_dict()},
        collections.OrderedDict(prefixed("_orig_mod.", net())),
        {name: value for name, value in net().state_dict().items() if "num_batches" not in name},
    ],
    ids=lambda written: "-".join(written)[:40],
)
def test_the_module_s_weights_are_found_where_trainers_write_them(written: Any, tmp_path: Path) -> None:
    assert_answers_like(loaded(written, tmp_path), net())


def test_of_sets_that_fit_and_differ_one_has_to_be_named(tmp_path: Path) -> None:
    written = {
        "model": net(1).state_dict(),
        "ema": {"module": prefixed("module.", net(2))},
        "state_dict": prefixed("g.", net(3)) | prefixed("d.", net(4)),
    }
    with pytest.raises(SourceModelError, match=r"several sets of weights.*they differ.*model, ema\.module\.module, state_dict\.g, .*--state-key"):
        loaded(written, tmp_path)
    for key, seed in (("model", 1), ("ema.module", 2), ("state_dict.g", 3), ("state_dict.d", 4)):
        assert_answers_like(loaded(written, tmp_path, state_key=key), net(seed))
    with pytest.raises(SourceModelError, match=r"no weights under this key.*found 'modle'.*Did you mean 'model'"):
        loaded(written, tmp_path, state_key="modle")


def test_what_the_module_doesn_t_have_is_named_and_left_out_when_allowed(tmp_path: Path) -> None:
    written = {"state_dict": prefixed("model.", net()) | {"loss.weight": torch.ones(2)}}
    with pytest.raises(SourceModelError, match=r"don't match the module.*missing none; unexpected loss\.weight.*pass --allow-extra"):
        loaded(written, tmp_path)
    assert_answers_like(loaded(written, tmp_path, allow_extra=True), net())
    assert_answers_like(loaded(written, tmp_path, state_key="state_dict.model"), net())


def test_missing_weights_are_never_allowed(tmp_path: Path) -> None:
    state = net().state_dict()
    del state["head.weight"]
    with pytest.raises(SourceModelError, match=r"weights\.pt: model: the weights don't match.*missing head\.weight; unexpected none.*factory"):
        loaded({"model": state, "optimizer": OPTIMIZER}, tmp_path, allow_extra=True)


def test_a_weight_of_another_shape_is_named(tmp_path: Path) -> None:
    state = net().state_dict() | {"head.bias": torch.zeros(3)}
    with pytest.raises(SourceModelError, match=r"net: head\.bias: a weight has another shape.*expected \[2\], found \[3\]"):
        loaded({"net": state}, tmp_path)


def test_tied_weights_may_be_there_once_but_not_with_two_values(tmp_path: Path) -> None:
    torch.manual_seed(5)
    module, apart = Tied(), Tied()
    save_file({name: value for name, value in module.state_dict().items() if name != "first.weight"}, tmp_path / "tied.safetensors")
    options = LoadOptions(factory=f"{__file__}:build_tied", examples={"x": ROWS})
    assert_answers_like(load_model(tmp_path / "tied.safetensors", options), module)
    apart.second.weight = nn.Parameter(torch.ones(4, 4))
    with pytest.raises(SourceModelError, match=r"first\.weight: the module holds one weight under several names.*also second\.weight"):
        loaded(apart.state_dict(), tmp_path, factory="build_tied")


def test_weights_with_more_digits_than_the_module_make_it_float64(tmp_path: Path) -> None:
    assert loaded({name: value.double() for name, value in net().state_dict().items()}, tmp_path).inputs[0].dtype == "float32"
    module = net().double()
    module.head.weight.data += 1e-12
    source = loaded(module.state_dict(), tmp_path)
    assert source.inputs[0].dtype == "float64"
    with torch.inference_mode():
        assert np.allclose(source.predict({"x": ROWS.astype(float)})["output"], module(torch.from_numpy(ROWS).double()).numpy(), rtol=1e-12)


def test_a_pickled_module_is_read_only_if_it_is_trusted_and_with_a_factory(tmp_path: Path) -> None:
    with pytest.raises(UntrustedPickleError, match=r"runs code.*found .*Net.*save its state_dict\(\) instead.*--trust-pickle") as refusal:
        loaded({"model": net()}, tmp_path)
    assert "\x1b" not in str(refusal.value)
    assert_answers_like(loaded({"model": net()}, tmp_path, trust_pickle=True), net())
    torch.save(net(), tmp_path / "whole.pt")
    with pytest.raises(SourceModelError, match=r"a pickled module is read for its state_dict\(\) alone.*--factory"):
        load_model(tmp_path / "whole.pt", LoadOptions(trust_pickle=True))


@pytest.mark.parametrize("checkpoint", [{"epoch": 3}, {}, [1, 2], torch.ones(2)])
def test_a_file_without_named_tensors_is_no_state_dict(checkpoint: Any, tmp_path: Path) -> None:
    with pytest.raises(SourceModelError, match="not a state dict"):
        loaded(checkpoint, tmp_path)


def test_the_options_are_for_weights_alone() -> None:
    for options, name in ((LoadOptions(state_key="model"), "--state-key"), (LoadOptions(allow_extra=True), "--allow-extra")):
        with pytest.raises(SourceModelError, match=f"{name} is only for torch weights"):
            load_model(trained.ridge().model, options)
