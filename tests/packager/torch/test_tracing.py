"""How torch modules are traced: free sizes as far as the module takes them, recurrences as one operator, attention that sees nothing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from sealift_packager.api.model import write_model
from sealift_packager.errors import ConversionError, ParityError, UntrustedPickleError
from sealift_packager.frameworks.converters import convert_model
from sealift_packager.frameworks.loaders import load_model
from sealift_packager.graph.result import Converted
from sealift_packager.model.source import LoadOptions
from sealift_packager.parity.check import prove_parity
from support.versions import since

NEWER_EXPORT = since("torch", "2.6", "export it")

IDS = np.random.default_rng(0).integers(1, 50, (4, 7))
ROWS = np.random.default_rng(0).standard_normal((4, 6, 4)).astype(np.float32)

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def packed(module: nn.Module, folder: Path, examples: Mapping[str, Any], free: Mapping[str, Mapping[int, str]]) -> tuple[Converted, tuple[str, ...]]:
    """The graph of a live module, proved, and what the module refused."""
    shapes = {name: {0: "batch", **free.get(name, {})} for name in examples}
    path = write_model(module, folder, None, dict(examples), shapes)
    source = load_model(path, LoadOptions())  # without trust: it is a graph and tensors
    converted = convert_model(source)
    parity = prove_parity(source, converted, dict(examples), seed=0)
    assert parity.compared >= 5
    return converted, parity.refused


class Positions(nn.Module):
    """A table of positions bounds the length, as in BERT."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.words, self.places, self.head = nn.Embedding(50, 8), nn.Embedding(20, 8), nn.Linear(8, 3)
        self.register_buffer("numbers", torch.arange(20)[None])

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        numbers: torch.Tensor = self.numbers  # type: ignore[assignment]
        scores: torch.Tensor = self.head(self.words(ids) + self.places(numbers[:, : ids.shape[1]]))
        return scores


@NEWER_EXPORT
def test_a_free_length_is_bounded_by_what_the_module_takes(tmp_path: Path) -> None:
    converted, refused = packed(Positions(), tmp_path, {"ids": IDS}, {"ids": {1: "tokens"}})
    assert converted.inputs[0].shape == ("batch", "ids_1")
    assert refused == ()


class SmallUNet(nn.Module):
    """Halved twice and enlarged again, each time padded to what it was: a U-Net in small. A quarter that is one pixel is a case of its own."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.middle, self.inner, self.outer = nn.Conv2d(2, 2, 3, padding=1), nn.ConvTranspose2d(2, 2, 2, 2), nn.ConvTranspose2d(2, 2, 2, 2)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        half = functional.max_pool2d(image, 2)
        quarter = self.middle(functional.max_pool2d(half, 2))
        return image + enlarged(self.outer(half + enlarged(self.inner(quarter), half)), image)


def enlarged(images: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    return functional.pad(images, [0, like.shape[3] - images.shape[3], 0, like.shape[2] - images.shape[2]])


@NEWER_EXPORT
def test_sizes_that_a_module_does_not_take_are_refused_by_it_alone(tmp_path: Path) -> None:
    image = np.random.default_rng(0).standard_normal((4, 2, 12, 18)).astype(np.float32)
    converted, refused = packed(SmallUNet(), tmp_path, {"image": image}, {"image": {2: "height", 3: "width"}})
    assert converted.outputs[0].shape == ("batch", 2, "image_2", "image_3")
    assert "a size of 17 for image_2" not in refused
    assert "a size of 1 for image_2" in refused


@pytest.mark.parametrize("layer_class", [nn.LSTM, nn.GRU, nn.RNN])
@NEWER_EXPORT
def test_a_recurrence_takes_any_number_of_steps_and_stays_one_operator(layer_class: Any, tmp_path: Path) -> None:
    class Tagger(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.layer = layer_class(4, 5, num_layers=2, batch_first=True, bidirectional=True)
            self.head = nn.Linear(10, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            states = self.layer(x)[0]
            tags: torch.Tensor = self.head(states.reshape(x.shape[0], x.shape[1], -1))
            return tags

    kernels = dict(torch.ops.aten.lstm.input.py_kernels)
    converted, refused = packed(Tagger(), tmp_path, {"x": ROWS}, {"x": {1: "steps"}})
    assert [node.op_type for node in converted.model.graph.node].count(layer_class.__name__) == 2
    assert converted.outputs[0].shape == ("batch", "x_1", 3)
    assert refused == ()
    assert torch.ops.aten.lstm.input.py_kernels == kernels


@NEWER_EXPORT
def test_a_plain_recurrence_without_biases_and_with_states_of_its_own_takes_any_number_of_steps(tmp_path: Path) -> None:
    class Last(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.layer = nn.RNN(4, 5, nonlinearity="relu", bias=False)

        def forward(self, x: torch.Tensor, state: torch.Tensor) -> torch.Tensor:
            last: torch.Tensor = self.layer(x.transpose(0, 1), state.transpose(0, 1))[1]
            return last.transpose(0, 1)

    states = np.random.default_rng(0).standard_normal((len(ROWS), 1, 5)).astype(np.float32)
    converted, refused = packed(Last(), tmp_path, {"x": ROWS, "state": states}, {"x": {1: "steps"}})
    assert [spec.shape for spec in converted.inputs] == [("batch", "x_1", 4), ("batch", 1, 5)]
    assert refused == ()


class Attention(nn.Module):
    """The tokens that are not 0 see each other; of the kind of mask that libraries give."""

    def __init__(self, *, booleans: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.words, self.heads, self.booleans = nn.Embedding(50, 8), nn.Linear(8, 8), booleans

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        seen = (ids != 0)[:, None, None, :] & torch.ones(ids.shape[1], dtype=torch.bool)[:, None]
        mask = seen if self.booleans else torch.zeros(seen.shape).masked_fill(~seen, float("-inf"))
        embedded = self.words(ids)[:, None]
        return functional.scaled_dot_product_attention(embedded, self.heads(embedded), embedded, attn_mask=mask)


@pytest.mark.parametrize("booleans", [True, False])
@NEWER_EXPORT
def test_attention_that_sees_nothing_answers_what_torch_does(booleans: bool, tmp_path: Path) -> None:
    ids = np.where(np.arange(7) < np.array([7, 3, 0, 5])[:, None], IDS, 0)  # one row is padding alone
    packed(Attention(booleans=booleans), tmp_path, {"ids": ids}, {"ids": {1: "tokens"}})


class Steps(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.RNNCell(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        state = torch.zeros(x.shape[0], 3)
        for step in range(x.shape[1]):
            state = self.cell(x[:, step], state)
        return state


def test_a_size_that_the_forward_fixes_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match="the forward needs steps to be 6, as in the example"):
        packed(Steps(), tmp_path, {"x": ROWS}, {"x": {1: "steps"}})


def test_a_forward_that_cannot_be_traced_is_told_by_its_line(tmp_path: Path) -> None:
    class Checked(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if bool(torch.isnan(x).any()):
                raise ValueError
            return x * 2

    with pytest.raises(ConversionError, match=r"at test_tracing.py:\d+ in forward \(if bool\(torch.isnan\(x\).any\(\)\):\)"):
        packed(Checked(), tmp_path, {"x": ROWS}, {})


class Sampling(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + torch.randn_like(x)


class Doubled(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(nn.Linear(4, 64), nn.ReLU(), nn.Linear(64, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        values: torch.Tensor = self.layers(x)
        return values


def test_a_model_that_draws_random_numbers_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(ParityError, match="the model itself answers the same request differently each time.*if self.training"):
        packed(Sampling(), tmp_path, {"x": ROWS}, {})


def test_half_precision_is_held_to_what_it_can_tell(tmp_path: Path) -> None:
    converted, _ = packed(Doubled().half(), tmp_path, {"x": ROWS.astype(np.float16)}, {})
    assert converted.outputs[0].dtype == "float16"


def test_bfloat16_is_refused_with_what_to_do(tmp_path: Path) -> None:
    class Outside(Doubled):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x.bfloat16()).float()

    with pytest.raises(ConversionError, match=r"layers.0.weight: the model computes in bfloat16.*\.float\(\)"):
        packed(Outside().bfloat16(), tmp_path, {"x": ROWS}, {})


def test_an_operator_without_an_onnx_form_is_named(tmp_path: Path) -> None:
    class Solving(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.cdist(x, x)

    with pytest.raises(ConversionError, match="No ONNX function found for .*_cdist_forward"):
        packed(Solving(), tmp_path, {"x": ROWS}, {})


class Joined(nn.Module):
    def forward(self, left: torch.Tensor, others: dict[str, torch.Tensor], *, scale: torch.Tensor) -> torch.Tensor:
        return left * scale + others["first"] - others["second"]


def test_a_program_takes_arguments_by_name_and_in_mappings(tmp_path: Path) -> None:
    x = torch.from_numpy(ROWS)
    program = torch.export.export(Joined(), (x, {"first": x + 1, "second": x + 2}), {"scale": x + 3})
    torch.export.save(program, tmp_path / "model.pt2")
    source = load_model(tmp_path / "model.pt2", LoadOptions())
    rows = {name: ROWS + at for at, name in enumerate(["left", "others_first", "others_second", "scale"])}
    assert [spec.name for spec in source.inputs] == list(rows)
    np.testing.assert_allclose(source.predict(rows)["output"], ROWS * (ROWS + 3) - 1, rtol=1e-6, atol=1e-6)
    prove_parity(source, convert_model(source), rows, seed=0)


def test_an_output_with_the_name_of_an_input_is_refused(tmp_path: Path) -> None:
    class Echo(nn.Module):
        def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
            return {"x": x, "twice": x * 2}

    with pytest.raises(ConversionError, match="an output has the name of an input.*found x"):
        packed(Echo(), tmp_path, {"x": ROWS}, {})


LIBRARY = """
import dataclasses, torch

@dataclasses.dataclass
class Scores:
    logits: torch.Tensor

torch.export.register_dataclass(Scores, serialized_type_name="scores_of_a_library.Scores")

class Scoring(torch.nn.Module):
    def forward(self, x):
        return Scores(x * 2)
"""


@NEWER_EXPORT
def test_a_trusted_program_answers_with_a_class_of_a_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "scores_of_a_library.py").write_text(LIBRARY)
    export = "import torch, scores_of_a_library as s; torch.export.save(torch.export.export(s.Scoring(), (torch.ones(2, 3),)), 'model.pt2')"
    subprocess.run([sys.executable, "-W", "ignore", "-c", export], cwd=tmp_path, check=True, timeout=120)
    with pytest.raises(UntrustedPickleError, match="scores_of_a_library"):
        load_model(tmp_path / "model.pt2", LoadOptions())
    monkeypatch.syspath_prepend(tmp_path)
    assert load_model(tmp_path / "model.pt2", LoadOptions(trust_pickle=True)).outputs == ("logits",)
