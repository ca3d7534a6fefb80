"""Modules of other types than float32, and data of other types than the module: the source is the module on the user's own values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from sealift_core.bundle.digest import Digest
from sealift_packager.api.model import write_model
from sealift_packager.candidates.candidate import Candidate, Quantization
from sealift_packager.data.files import DataFile
from sealift_packager.data.holdout import bind
from sealift_packager.errors import ConversionError, DataError, NothingToQuantizeError
from sealift_packager.frameworks.converters import convert_model
from sealift_packager.frameworks.loaders import load_model
from sealift_packager.graph.result import Converted
from sealift_packager.graph.session import Settings, open_session, run_session
from sealift_packager.model.source import Arrays, LoadOptions, SourceModel
from sealift_packager.parity.check import check_parity
from sealift_packager.parity.other_rows import warn_of_other_rows
from sealift_packager.quantize.registry import check_buildable
from sealift_packager.torch.precision import typed

INT8 = Quantization(activation="float32", weight="int8", reduce_range=False, per_channel=True)
ROWS = np.random.default_rng(0).standard_normal((40, 4))


class Shifted(nn.Module):
    """Takes off most of an amount before it computes in float32: only float64 has the digits that are left."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        answer: torch.Tensor = self.layer((x - 5e7).float())
        return answer


class Convolution(nn.Module):
    """Operators that onnxruntime has for float32 alone."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(nn.Unflatten(1, (1, 4)), nn.Conv1d(1, 3, 3), nn.ELU(), nn.Flatten(), nn.Linear(6, 2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        answer: torch.Tensor = self.layers(x)
        return answer


def build_dense() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2))


def build_double() -> nn.Module:
    return build_dense().double()


def build_half() -> nn.Module:
    return build_dense().half()


def build_bfloat16() -> nn.Module:
    return build_dense().bfloat16()


def build_shifted() -> nn.Module:
    return Shifted()


def build_convolution() -> nn.Module:
    return Convolution().double()


FACTORIES = {name: globals()[name] for name in ("build_dense", "build_double", "build_half", "build_shifted", "build_convolution")}


def loaded(factory: str, rows: Any, tmp_path: Path) -> SourceModel:
    """The module of a factory here, as its weights alone are packed; its input is ``input`` where it is a Sequential."""
    module = FACTORIES[factory]()
    torch.save(module.state_dict(), tmp_path / "weights.pt")
    name = "x" if factory in ("build_shifted", "build_convolution") else "input"
    return load_model(tmp_path / "weights.pt", LoadOptions(factory=f"{__file__}:{factory}", examples={name: rows}))


def proved(source: SourceModel, rows: Any, tmp_path: Path) -> tuple[Converted, Arrays]:
    name = source.inputs[0].name
    data = DataFile(path=tmp_path, digest=Digest.of(b"d"), arrays={name: rows})
    holdout = bind(data, source, "target", needed=False)
    converted = convert_model(source)
    assert check_parity(source, converted, holdout.inputs, seed=0) >= 5
    return converted, run_session(open_session(converted.model, Settings(), where="m"), holdout.inputs)


@pytest.mark.parametrize(
    ("factory", "given", "takes"),
    [
        ("build_dense", "float64", "float32"),
        ("build_dense", "int64", "float32"),
        ("build_dense", "float16", "float32"),
        ("build_double", "float64", "float64"),
        ("build_double", "float32", "float64"),
        ("build_half", "float64", "float16"),
        ("build_half", "float16", "float16"),
        ("build_shifted", "float64", "float32"),
        ("build_convolution", "float64", "float64"),
    ],
)
def test_a_module_gets_its_inputs_in_the_type_that_it_takes(factory: str, given: str, takes: str, tmp_path: Path) -> None:
    rows = (ROWS * 10).astype(given)
    source = loaded(factory, rows, tmp_path)
    assert [spec.dtype for spec in source.inputs] == [takes]
    _, answers = proved(source, rows, tmp_path)
    with torch.inference_mode():
        expected = FACTORIES[factory]()(torch.from_numpy(rows.astype(takes))).numpy()
    assert np.allclose(answers["output"], expected, rtol=1e-2 if takes == "float16" else 1e-4, atol=1e-2 if takes == "float16" else 1e-5)


def test_digits_that_the_module_s_answers_depend_on_stay(tmp_path: Path) -> None:
    rows = ROWS + 5e7
    source = loaded("build_shifted", rows, tmp_path)
    assert source.inputs[0].dtype == "float64"
    _, answers = proved(source, rows, tmp_path)
    assert np.allclose(answers["output"], build_shifted()(torch.from_numpy(rows)).detach().numpy(), rtol=1e-4, atol=1e-6)


def test_a_live_module_of_float64_takes_float64(tmp_path: Path) -> None:
    path = write_model(build_double().train(), tmp_path, None, example_inputs={"input": ROWS.astype(np.float32)})
    source = load_model(path, LoadOptions())
    assert [spec.dtype for spec in source.inputs] == ["float64"]
    proved(source, ROWS, tmp_path)


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_torchscript_of_float64_takes_float64_and_its_operators_of_float32_are_cast(tmp_path: Path) -> None:
    torch.jit.save(torch.jit.trace(build_convolution(), torch.zeros(2, 4).double()), tmp_path / "m.pt")  # type: ignore[no-untyped-call]
    source = load_model(tmp_path / "m.pt", LoadOptions(examples={"x": ROWS.astype(np.float32)}))
    converted, _ = proved(source, ROWS, tmp_path)
    assert [spec.dtype for spec in (*converted.inputs, *converted.outputs)] == ["float64", "float64"]


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_bfloat16_is_refused_however_it_comes(tmp_path: Path) -> None:
    module, options = build_bfloat16(), LoadOptions(factory=f"{__file__}:build_bfloat16", examples={"input": ROWS})
    torch.save(module.state_dict(), tmp_path / "weights.pt")
    torch.export.save(torch.export.export(module, (torch.zeros(2, 4).bfloat16(),)), tmp_path / "m.pt2")
    torch.jit.save(torch.jit.trace(module, torch.zeros(2, 4).bfloat16()), tmp_path / "script.pt")  # type: ignore[no-untyped-call]
    for name, chosen in (("weights.pt", options), ("m.pt2", LoadOptions()), ("script.pt", LoadOptions(examples={"input": ROWS}))):
        with pytest.raises(ConversionError, match=r"bfloat16.*Call \.float\(\)"):
            load_model(tmp_path / name, chosen)


def test_numbers_that_half_precision_can_t_hold_are_refused(tmp_path: Path) -> None:
    rows = ROWS * 1e6
    source = loaded("build_half", ROWS, tmp_path)
    with pytest.raises(DataError, match=r"input: a number is out of the range.*expected float16: at most 65504.*in row 0"):
        proved(source, rows, tmp_path)


@pytest.mark.parametrize("at", [slice(17_000, None), slice(18_000, 18_003)])
@pytest.mark.parametrize("shape", [(20_000, 2), (20_000, 3, 2)])
def test_digits_decide_in_whatever_rows_they_are(at: slice, shape: tuple[int, ...]) -> None:
    rows = np.random.default_rng(0).normal(size=shape)
    rows[at] += 1.7e9
    for given in (rows, rows[::-1].copy()):
        assert typed(lambda inputs: {"y": inputs["x"] - np.round(inputs["x"])}, {}, {"x": given})["x"].dtype == np.float64
    assert typed(lambda inputs: {"y": inputs["x"] * 2}, {}, {"x": rows})["x"].dtype == np.float32


def test_whole_numbers_beyond_float32_are_float64_for_a_module_of_floats_that_has_the_digits() -> None:
    ids = {"x": np.array([[2**24 + 1], [2**24 + 2], [5]])}

    def predict(inputs: Arrays) -> dict[str, Any]:
        if inputs["x"].dtype.kind != "f":
            raise TypeError
        return {"y": inputs["x"] % 2}

    assert typed(predict, {}, ids)["x"].dtype == np.float64


def test_whole_floats_may_be_indices() -> None:
    words = nn.Embedding(9, 2)
    chosen = typed(lambda inputs: {"y": words(torch.from_numpy(inputs["ids"])).detach().numpy()}, {}, {"ids": np.array([[1.0, 8.0]])})
    assert chosen["ids"].dtype == np.int64


def test_the_columns_of_a_table_become_the_only_input(tmp_path: Path) -> None:
    columns: dict[str, Any] = {"a": ROWS[:, 0], "b": ROWS[:, 1], "c": ROWS[:, 2], "d": np.arange(40), "target": np.zeros(40)}
    torch.save(build_dense().state_dict(), tmp_path / "weights.pt")
    options = LoadOptions(factory=f"{__file__}:build_dense", examples=columns, target="target")
    assert load_model(tmp_path / "weights.pt", options).inputs[0].shape == ("batch", 4)
    np.savez(tmp_path / "d.npz", **columns)
    live = write_model(build_dense(), tmp_path, tmp_path / "d.npz", target="target")
    assert load_model(live, LoadOptions()).inputs[0].shape == ("batch", 4)


class Together(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x - x.mean(0)) * 2


@pytest.mark.parametrize(("module", "warned"), [(Together(), True), (build_dense(), False)])
def test_an_answer_that_depends_on_other_rows_is_warned_of(module: nn.Module, warned: bool, tmp_path: Path) -> None:
    rows = ROWS.astype(np.float32)
    source = load_model(write_model(module, tmp_path, None, example_inputs=(rows,)), LoadOptions())
    inputs = {source.inputs[0].name: rows}
    assert ("depends on the other rows of its request" in warn_of_other_rows(source, inputs, source.predict(inputs))) == warned


def test_inputs_of_several_types_are_found_together() -> None:
    def predict(inputs: Arrays) -> dict[str, Any]:
        if [str(value.dtype) for value in inputs.values()] != ["int64", "float32", "float64"]:
            raise TypeError
        return {"output": inputs["b"] * 2}

    rows: dict[str, Any] = {"a": np.arange(6), "b": np.arange(6), "c": np.arange(6, dtype=np.float32)}
    chosen = typed(predict, {"w": torch.zeros(1).double()}, rows)
    assert [str(value.dtype) for value in chosen.values()] == ["int64", "float32", "float64"]


@pytest.mark.parametrize("element", [onnx.TensorProto.DOUBLE, onnx.TensorProto.FLOAT16])
def test_a_graph_of_other_weights_than_float32_has_no_quantized_candidates(element: int) -> None:
    weight = onnx.helper.make_tensor("w", element, [4, 2], [1.0] * 8)
    nodes = [onnx.helper.make_node("MatMul", ["x", "w"], ["y"])]
    model = onnx.helper.make_model(onnx.helper.make_graph(nodes, "g", [], [], [weight]))
    check_buildable(Candidate(name="fp32", precision="fp32"), model)
    with pytest.raises(NothingToQuantizeError, match=r"w: the model computes in another type than float32.*model\.float\(\)"):
        check_buildable(Candidate(name="w", precision="int8-weights", quantization=INT8), model)
