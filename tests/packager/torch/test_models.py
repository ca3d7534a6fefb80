"""What of torch packs: TorchScript, free dimensions, integer inputs, several inputs by name, outputs by name."""

from __future__ import annotations

import dataclasses
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import nn

import sealift_packager
from sealift_core.bundle.tensors import TensorSpec
from sealift_packager.errors import ConversionError, ParityError, SourceModelError, UntrustedPickleError, first_line
from sealift_packager.frameworks.converters import convert_model
from sealift_packager.frameworks.loaders import load_model
from sealift_packager.graph.result import Converted
from sealift_packager.model.detect import TORCH_SCRIPT, detect_format
from sealift_packager.model.dynamic import example_sizes, free_axes, parse_dynamic, resized
from sealift_packager.model.source import LoadOptions, SourceModel
from sealift_packager.parity.check import check_parity
from sealift_packager.parity.inputs import SIZES, hard_inputs
from sealift_packager.torch.common import named_outputs
from support import trained
from support.versions import since

NEWER_EXPORT = since("torch", "2.6", "export it")

IDS = np.random.default_rng(0).integers(0, 50, (4, 7))
MASK = np.ones((4, 7), np.int64)
TOKENS = {"input_ids": {1: "tokens"}, "attention_mask": {1: "tokens"}}


@dataclasses.dataclass
class Answer:
    """As libraries of language models give it."""

    logits: torch.Tensor
    loss: torch.Tensor | None = None
    hidden: tuple[torch.Tensor, ...] = ()


class Pooled(nn.Module):
    """Token ids to logits, pooled over what the mask shows; the mask by keyword only."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embed = nn.Embedding(50, 8)
        self.head = nn.Linear(8, 3)

    def forward(self, input_ids: torch.Tensor | None = None, *, attention_mask: torch.Tensor | None = None) -> Answer:
        assert input_ids is not None
        assert attention_mask is not None
        embedded = self.embed(input_ids)
        weights = attention_mask.unsqueeze(-1).to(embedded.dtype)
        pooled = (embedded * weights).sum(1) / weights.sum(1).clamp(min=1)
        return Answer(self.head(pooled), hidden=(embedded, pooled))


def build_pooled() -> nn.Module:
    return Pooled()


class Clashing(nn.Module):
    def forward(self, x: torch.Tensor) -> dict[str, Any]:
        return {"hidden": {"last": x * 2}, "hidden_last": x + 1}


def build_clashing() -> nn.Module:
    return Clashing()


def example_inputs() -> dict[str, Any]:
    return {"input_ids": IDS, "attention_mask": MASK}


def dynamic_shapes() -> dict[str, dict[int, str]]:
    return TOKENS


class Branching(nn.Module):
    """What it does depends on values."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if bool(x.sum() > 0):
            return x * 2
        return x - 1


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.LSTM(4, 8, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        states: torch.Tensor = self.layer(x)[0]
        return states[:, -1]


class Two(nn.Module):
    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"double": x * 2, "share": torch.softmax(x, -1)}


def scripted(module: nn.Module, tmp_path: Path, *inputs: torch.Tensor) -> Path:
    """A file of torch.jit.save: traced with ``inputs``, or scripted where there are none."""
    path = tmp_path / "model.pt"
    made: Any = torch.jit.trace(module.eval(), inputs, strict=False) if inputs else torch.jit.script(module.eval())  # type: ignore[no-untyped-call]
    torch.jit.save(made, path)
    return path


def proved(source: SourceModel, holdout: dict[str, Any], least: int = 5) -> Converted:
    converted = convert_model(source)
    assert check_parity(source, converted, holdout, seed=0) >= least
    return converted


pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")


def test_torchscript_is_known_by_its_content_and_packs_like_its_module(tmp_path: Path) -> None:
    images = np.load(trained.digits_holdout())["image"]
    path = scripted(trained.small_net(), tmp_path, torch.zeros(2, 1, 8, 8))
    assert detect_format(path) == TORCH_SCRIPT
    source = load_model(path, LoadOptions(examples={"image": images}))
    converted = proved(source, {"image": images})
    assert [(spec.name, spec.shape) for spec in converted.inputs] == [("image", ("batch", 1, 8, 8))]
    assert [(spec.name, spec.shape) for spec in converted.outputs] == [("output", ("batch", 10))]


def test_a_scripted_branch_and_a_recurrent_layer_stay_what_they_are(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).standard_normal((6, 5, 4)).astype(np.float32)
    proved(load_model(scripted(Branching(), tmp_path), LoadOptions(examples={"x": rows})), {"x": rows})
    options = LoadOptions(examples={"x": rows}, dynamic={"x": {1: "steps"}})
    converted = proved(load_model(scripted(Recurrent(), tmp_path), options), {"x": rows}, least=8)
    assert converted.inputs[0].shape == ("batch", "x_1", 4)


@NEWER_EXPORT
def test_torchscript_that_answers_with_a_mapping_goes_by_torch_export_and_prints_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    rows = np.random.default_rng(0).standard_normal((6, 5)).astype(np.float32)
    converted = proved(load_model(scripted(Two(), tmp_path, torch.zeros(2, 5)), LoadOptions(examples={"x": rows})), {"x": rows})
    assert [spec.name for spec in converted.outputs] == ["double", "share"]
    assert capfd.readouterr() == ("", "")


def test_torchscript_that_no_exporter_takes_says_why_and_what_to_do(tmp_path: Path) -> None:
    class Counting(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            words: dict[str, int] = {}
            while bool(x.sum() < 10) and len(words) < 5:
                words[str(len(words))] = 1
                x = x + 1
            return x

    source = load_model(scripted(Counting(), tmp_path), LoadOptions(examples={"x": np.ones((2, 3), np.float32)}))
    with pytest.raises(ConversionError, match=r"(?s)neither of torch.s exporters.*prim::.*torch\.cond"):
        convert_model(source)


def test_torchscript_without_data_names_the_arrays_that_it_needs(tmp_path: Path) -> None:
    with pytest.raises(SourceModelError, match=r"no example inputs.*arrays named x.*--data"):
        load_model(scripted(Branching(), tmp_path), LoadOptions())


class Scaled(nn.Module):
    """Numbers, lists and optional tensors among its arguments."""

    def forward(
        self, x: torch.Tensor, times: int, sizes: list[int], weight: torch.Tensor | None = None, shift: float | None = None, flip: bool = False
    ) -> torch.Tensor:
        y = x * times
        if weight is not None:
            y = y * weight
        if shift is not None:
            y = y + shift
        return (-y if flip else y).reshape(sizes)


WIDE = np.random.default_rng(0).standard_normal((6, 4)).astype(np.float32)


@pytest.mark.parametrize(
    ("constants", "arrays", "expected"),
    [
        ({"times": 3, "sizes": [-1, 2, 2]}, {"x": WIDE}, (3 * WIDE).reshape(-1, 2, 2)),
        ({"times": 2, "sizes": [-1, 4], "flip": True, "shift": 0.5}, {"x": WIDE, "weight": WIDE}, -(2 * WIDE * WIDE + 0.5)),
    ],
)
def test_torchscript_s_arguments_that_are_no_tensors_become_constants(
    constants: dict[str, Any], arrays: dict[str, Any], expected: Any, tmp_path: Path
) -> None:
    request = {name: np.asarray(value) for name, value in constants.items()}
    source = load_model(scripted(Scaled(), tmp_path), LoadOptions(examples=arrays, requests=(request,)))
    assert [spec.name for spec in source.inputs] == list(arrays)
    assert np.allclose(source.predict(arrays)["output"], expected, atol=1e-6)
    proved(source, arrays)


def test_torchscript_s_example_may_hold_its_tensors_too_and_is_compared(tmp_path: Path) -> None:
    request = {"x": WIDE, "times": np.asarray(2), "sizes": np.asarray([-1])}
    source = load_model(scripted(Scaled(), tmp_path), LoadOptions(requests=(request,)))
    assert [list(example) for example in source.accepted.examples] == [["x"]]
    assert source.inputs[0].shape == ("batch", 4)


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({"y": WIDE}, "--example 1: the forward has no such input: expected x, weight, times, sizes, found 'y'"),
        ({"weigth": WIDE}, "--example 1: the forward has no such input.*Did you mean 'weight'"),
        ({"x": WIDE, "weight": WIDE}, "--example 1: an example has an input that others lack: expected x, found weight"),
        ({"x": WIDE.astype(str).astype(object)}, "--example 1: x: an example's values are not numbers: expected float32, found object"),
    ],
)
def test_an_example_of_torchscript_that_isn_t_compared_as_it_is_is_refused(request_: dict[str, Any], words: str, tmp_path: Path) -> None:
    request = {**request_, "times": np.asarray(2), "sizes": np.asarray([-1])}
    with pytest.raises(SourceModelError, match=words):
        load_model(scripted(Scaled(), tmp_path), LoadOptions(examples={"x": WIDE}, requests=(request,)))


def test_an_example_without_a_name_is_the_first_tensor(tmp_path: Path) -> None:
    module = torch.jit.script(nn.Linear(4, 1))
    module.save(str(tmp_path / "m.pt"))  # type: ignore[no-untyped-call]
    source = load_model(tmp_path / "m.pt", LoadOptions(requests=({"": WIDE},)))
    assert [list(example) for example in source.accepted.examples] == [["input"]]


@pytest.mark.parametrize(
    ("constants", "words"),
    [
        ({"sizes": [3]}, r'times: an input is not a tensor.*found int.*--example FILE.*\{"times": 3\}'),
        ({"times": 3}, r'sizes: an input is not a tensor.*List\[int\].*\{"sizes": \[3, 2\]\}'),
        ({"times": 3.5, "sizes": [3]}, "times: the example's value for times has another type: expected int, found a number with decimals"),
        ({"times": [3], "sizes": [3]}, "times: the example's value for times has another type: expected int, found a list"),
        ({"times": 3, "sizes": [3], "shift": np.inf}, "shift: a constant that isn't finite"),
    ],
)
def test_an_argument_of_torchscript_without_a_value_is_named(constants: dict[str, Any], words: str, tmp_path: Path) -> None:
    request = {name: np.asarray(value) for name, value in constants.items()}
    with pytest.raises(SourceModelError, match=words):
        load_model(scripted(Scaled(), tmp_path), LoadOptions(examples={"x": WIDE}, requests=(request,)))


def test_a_mapping_of_tensors_is_refused_by_name_with_what_to_do(tmp_path: Path) -> None:
    class Mapped(nn.Module):
        def forward(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
            return batch["a"] + 1

    with pytest.raises(SourceModelError, match=r"batch: an input is not a tensor.*Dict.*takes each tensor as an argument of its own"):
        load_model(scripted(Mapped(), tmp_path), LoadOptions(examples={"a": WIDE}))


def test_a_live_torchscript_module_gets_its_constants_by_example_inputs(tmp_path: Path) -> None:
    module = torch.jit.script(Scaled())
    example = {"x": WIDE, "times": 3, "sizes": [-1, 4]}
    packed = sealift_packager.pack(module, name="m", profile="arm64-dotprod", out=tmp_path / "out", example_inputs=example)
    assert [spec.name for spec in packed.manifests["arm64-dotprod"].inputs] == ["x"]


def test_torchscript_that_could_touch_files_is_not_even_loaded(tmp_path: Path) -> None:
    class Reading(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + torch.from_file("/etc/hostname", False, 1)

    path = scripted(Reading(), tmp_path)
    with pytest.raises(UntrustedPickleError, match="found from_file.*--trust-pickle"):
        load_model(path, LoadOptions(examples={"x": np.ones((2, 1), np.float32)}))


def test_a_torchscript_file_that_is_damaged_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "odd.pt", "w") as archive:
        archive.writestr("m/constants.pkl", b"nothing")
    with pytest.raises(SourceModelError, match=r"a complete file of torch\.jit\.save"):
        load_model(tmp_path / "odd.pt", LoadOptions(examples={"x": IDS}))


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("weights") / "pooled.pt"
    torch.save(Pooled().state_dict(), path)
    return path


def test_the_factory_s_module_says_what_is_free_and_outputs_have_their_names(weights: Path) -> None:
    source = load_model(weights, LoadOptions(factory=f"{__file__}:build_pooled"))
    assert [(spec.name, spec.dtype, spec.shape) for spec in source.inputs] == [
        ("input_ids", "int64", ("batch", "input_ids_1")),
        ("attention_mask", "int64", ("batch", "input_ids_1")),
    ]
    converted = proved(source, {"input_ids": IDS, "attention_mask": MASK}, least=9)
    assert [spec.name for spec in converted.outputs] == ["logits", "hidden_0", "hidden_1"]
    assert converted.outputs[1].shape == ("batch", "input_ids_1", 8)


def test_outputs_that_would_have_one_name_are_refused(tmp_path: Path) -> None:
    torch.export.save(torch.export.export(Clashing(), (torch.zeros(2, 3),)), tmp_path / "m.pt2")
    torch.save({}, tmp_path / "m.pt")
    options = LoadOptions(factory=f"{__file__}:build_clashing", examples={"x": np.zeros((2, 3), np.float32)}, dynamic={"x": {}})
    for name in ("m.pt2", "m.pt"):
        with pytest.raises(SourceModelError, match="two outputs have the same name: found 'hidden_last'"):
            load_model(tmp_path / name, options if name == "m.pt" else LoadOptions())


def test_the_option_says_what_is_free_before_the_factory_does(weights: Path) -> None:
    options = LoadOptions(factory=f"{__file__}:build_pooled", dynamic={"input_ids": {}})
    assert load_model(weights, options).inputs[0].shape == ("batch", 7)
    with pytest.raises(SourceModelError, match="no such input.*Did you mean 'input_ids'"):
        load_model(weights, dataclasses.replace(options, dynamic={"input_id": {1: "tokens"}}))
    with pytest.raises(SourceModelError, match="no such axis"):
        load_model(weights, dataclasses.replace(options, dynamic={"input_ids": {2: "tokens"}}))


def test_a_live_module_with_named_inputs_and_outputs_keeps_the_names(tmp_path: Path) -> None:
    packed = sealift_packager.pack(
        Pooled(),
        name="pooled",
        profile="arm64-dotprod",
        out=tmp_path / "out",
        example_inputs={"attention_mask": MASK, "input_ids": IDS},
        dynamic_shapes={name: {0: "batch", 1: "tokens"} for name in TOKENS},
    )
    manifest = packed.manifests["arm64-dotprod"]
    assert [(spec.name, spec.shape) for spec in manifest.inputs] == [(name, ("batch", "input_ids_1")) for name in TOKENS]
    assert [spec.name for spec in manifest.outputs] == ["logits", "hidden_0", "hidden_1"]


def test_a_live_torchscript_module_takes_an_array(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).standard_normal((20, 4)).astype(np.float32)
    module = torch.jit.trace(nn.Linear(4, 2), torch.zeros(2, 4))  # type: ignore[no-untyped-call]
    packed = sealift_packager.pack(
        module, name="m", profile="arm64-dotprod", out=tmp_path / "out", data=(rows, (rows[:, 0] > 0).astype(np.int64)), max_drop=1.0
    )
    assert packed.manifests["arm64-dotprod"].inputs[0].shape == ("batch", 4)


class Pair(NamedTuple):
    first: torch.Tensor
    second: torch.Tensor


@pytest.mark.parametrize(
    ("wrap", "names"),
    [
        (lambda t: t, ["output"]),
        (lambda t: (t,), ["output"]),
        (lambda t: [t, None, t], ["output_0", "output_2"]),
        (lambda t: {"a": t, "b": (t, t), "c": 3}, ["a", "b_0", "b_1"]),
        (lambda t: Pair(t, t), ["first", "second"]),
        (lambda t: Answer(t, hidden=(t,)), ["logits", "hidden_0"]),
        (lambda _: "no tensor", []),
    ],
)
def test_outputs_have_the_names_that_their_structure_gives_them(wrap: Any, names: list[str]) -> None:
    assert list(named_outputs(wrap(torch.zeros(1)))) == names


@pytest.mark.parametrize("text", ["ids", "ids:", "ids:x", ":1", "ids:1=", "ids:1=2x", "ids:100"])
def test_a_free_dimension_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(SourceModelError, match="--dynamic"):
        parse_dynamic([text])


def test_free_dimensions_with_the_same_symbol_have_the_same_size() -> None:
    dynamic = parse_dynamic(["a:1=n", "b:0=batch", "b:2=n", "b:1"])
    assert dynamic == {"a": {1: "n"}, "b": {0: "batch", 1: "b_1", 2: "n"}}
    examples = {"a": np.zeros((1, 4)), "b": np.zeros((1, 1, 4))}
    free = free_axes(dynamic, examples, where="x")
    sizes = example_sizes(examples, free)
    assert sizes == {"batch": 2, "n": 4, "b_1": 2}  # never 1: torch would take it for a constant
    assert [value.shape for value in resized(examples, free, sizes).values()] == [(2, 4), (2, 2, 4)]


def test_parity_asks_for_each_free_dimension_at_several_sizes() -> None:
    specs = [TensorSpec(name="ids", dtype="int64", shape=("batch", "n")), TensorSpec(name="image", dtype="float32", shape=("batch", "h", 4))]
    holdout = {"ids": np.full((3, 5), 9), "image": np.ones((3, 6, 4), np.float32)}
    requests = list(hard_inputs(specs, holdout, seed=0, takes_nan=False))
    asked = [request.inputs for request in requests]
    assert {inputs["ids"].shape[1] for inputs in asked} >= set(SIZES)
    assert {inputs["image"].shape[1] for inputs in asked} >= set(SIZES)
    assert all((request.inputs["ids"] == 9).all() for request in requests if "size of" in request.title)  # ids that the model knows


def test_a_graph_that_holds_for_one_length_only_stops_the_build(weights: Path) -> None:
    source = load_model(weights, LoadOptions(factory=f"{__file__}:build_pooled"))
    narrow = load_model(weights, LoadOptions(factory=f"{__file__}:build_pooled", dynamic={"input_ids": {}}))
    converted = dataclasses.replace(convert_model(narrow), inputs=source.inputs)
    with pytest.raises(ParityError, match="the converted model fails on 1 random rows, which its source answers"):
        check_parity(source, converted, None, seed=0)


def test_nothing_is_left_of_a_tracing_s_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    convert_model(load_model(trained.state_dict(".pt").model, LoadOptions(factory=trained.FACTORY)))
    assert list(tmp_path.iterdir()) == []


def test_an_error_without_words_is_told_by_its_kind() -> None:
    assert first_line(IndexError()) == "IndexError"
    assert first_line(ValueError("one\ntwo")) == "one"


def test_examples_with_different_values_of_a_constant_are_named_with_both(tmp_path: Path) -> None:
    requests = tuple({"times": np.asarray(times), "sizes": np.asarray([-1])} for times in (2, 3))
    with pytest.raises(SourceModelError, match="give different values for an argument that becomes a constant: expected one value, found 2 and 3"):
        load_model(scripted(Scaled(), tmp_path), LoadOptions(examples={"x": WIDE}, requests=requests))
