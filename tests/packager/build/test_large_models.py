"""Models whose weights don't fit into one message are built with their weights in files: the same code with the limit lowered to a few bytes."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import helper, numpy_helper
from torch import nn

from sealift_core.bundle import files
from sealift_core.hardware.profile import HardwareProfile
from sealift_packager.api import model as inmemory
from sealift_packager.build.keys import value_digest
from sealift_packager.build.pipeline import Packed, pack
from sealift_packager.build.request import PackRequest
from sealift_packager.cache.store import StageStore
from sealift_packager.diff import artifact
from sealift_packager.diff.graphs import compare_graphs
from sealift_packager.errors import ConversionError, SourceModelError
from sealift_packager.frameworks.converters import convert_model
from sealift_packager.frameworks.loaders import load_model
from sealift_packager.graph import tensors
from sealift_packager.graph.session import Settings, open_session, run_session
from sealift_packager.model.source import LoadOptions, WeightPlace
from sealift_packager.parity.check import check_parity
from sealift_packager.progress.progress import Silent
from sealift_runtime.engine.session import ModelSession
from support import large
from support.models import make_profile
from support.packing import CREATED, KEY
from support.recording_progress import RecordingProgress

WIDTHS = (256, 512, 384, 16)
#: Instead of 1,920 MiB: less than the matrices, more than the biases.
LIMIT = 100_000
TRIED = ("fp32", "int8-dynamic", "int8-static", "int8-weights", "int8-blocks", "int4-blocks", "fp16-weights")
RANDOM = np.random.default_rng(0)


def weights(name: str, *shape: int) -> Any:
    return constant(name, RANDOM.normal(size=shape).astype(np.float32))


def constant(name: str, values: Any) -> Any:
    return numpy_helper.from_array(np.asarray(values), name)


def value(name: str, shape: list[Any]) -> Any:
    return helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)


def model(nodes: list[Any], inputs: list[Any], outputs: list[Any], initializers: list[Any]) -> Any:
    made = helper.make_graph(nodes, "g", inputs, outputs, initializers)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


PROFILE = make_profile(precisions=TRIED, objective=("size",), threads=(1, 2))


def build(
    folder: Path,
    out: Path,
    inline_bytes: int,
    *,
    profile: HardwareProfile = PROFILE,
    cache: StageStore | None = None,
    progress: RecordingProgress | None = None,
) -> Packed:
    request = PackRequest(
        model=folder / "model.onnx",
        name="large",
        version="1.0.0",
        profiles=(profile,),
        out=out,
        data=folder / "rows.npz",
        metric="cosine",
        signer=KEY,
        created=CREATED,
        measure_seconds=0.2,
    )
    return pack(request, progress or Silent(), inline_bytes=inline_bytes, cache=cache)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("large")
    large.chain(folder, WIDTHS)
    large.rows(folder / "rows.npz", WIDTHS[0], 64)
    return folder


@pytest.fixture(scope="module")
def packed(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Packed:
    return build(source, tmp_path_factory.mktemp("packed") / "out", LIMIT)


def test_weight_only_candidates_are_made_and_the_others_missing_with_a_sentence(packed: Packed) -> None:
    candidates = {candidate.name: candidate for candidate in packed.manifests["any-cpu"].evaluation.candidates}
    missing = {name for name, record in candidates.items() if "could not be built" in record.reason}
    assert missing == {"int8-dynamic", "int8-static", "fp16-weights"}
    assert "whose weights fit in one protobuf message" in candidates["int8-dynamic"].reason
    assert all(record.measurement for name, record in candidates.items() if name not in missing)


def test_the_bundle_answers_as_one_of_a_model_that_was_built_whole(packed: Packed, source: Path, tmp_path: Path) -> None:
    whole = build(source, tmp_path / "whole", 2**30)
    assert packed.manifests["any-cpu"].model.precision == whole.manifests["any-cpu"].model.precision == "int4-blocks"
    artifact.verify(packed.directory, KEY.public_key)
    rows = {"x": np.random.default_rng(2).standard_normal((3, WIDTHS[0]), dtype=np.float32)}
    answers = []
    for name, built in (("large", packed), ("whole", whole)):
        artifact.unpack(built.directory, "any-cpu", tmp_path / f"{name}-bundle")
        answers.append(ModelSession.open(tmp_path / f"{name}-bundle").run(rows)["y"])
    np.testing.assert_allclose(answers[0], answers[1], rtol=1e-5, atol=1e-6)
    assert list(compare_graphs(tmp_path / "large-bundle", tmp_path / "whole-bundle")) == []


def test_an_agent_answers_from_the_bundle_as_the_weights_say(packed: Packed, source: Path, tmp_path: Path) -> None:
    artifact.unpack(packed.directory, "any-cpu", tmp_path / "bundle")
    rows = {"x": np.random.default_rng(7).standard_normal((2, WIDTHS[0]), dtype=np.float32)}
    answered, expected = ModelSession.open(tmp_path / "bundle").run(rows)["y"], large.answer(source, WIDTHS, rows["x"])
    cosine = (answered * expected).sum(axis=1) / np.linalg.norm(answered, axis=1) / np.linalg.norm(expected, axis=1)
    assert (cosine > 0.98).all()


def test_its_weights_are_files_in_the_bundle_whatever_their_size(packed: Packed, tmp_path: Path) -> None:
    artifact.unpack(packed.directory, "any-cpu", tmp_path / "bundle")
    graph = onnx.load(tmp_path / "bundle" / files.GRAPH, load_external_data=False)
    places = {entry.value for weight in graph.graph.initializer for entry in weight.external_data if entry.key == "location"}
    assert places == {files.weights_file(0)}


def test_stages_that_hold_a_graph_are_not_cached_and_the_others_are_taken_by_a_second_build(source: Path, tmp_path: Path) -> None:
    store, progress = StageStore(tmp_path / "cache"), RecordingProgress()
    profile = make_profile(precisions=("fp32", "int8-weights", "int4-blocks"), objective=("size",))
    first = build(source, tmp_path / "first", LIMIT, profile=profile, cache=store)
    entries = {path: path.read_bytes() for path in (tmp_path / "cache").rglob("*.stage")}
    kept = b"".join(entries.values())
    assert b"weights.bin" not in kept
    assert str(tmp_path).encode() not in kept
    moved = shutil.copytree(source, tmp_path / "elsewhere")
    second = build(moved, tmp_path / "a-longer-name-for-second", LIMIT, profile=profile, cache=store, progress=progress)
    figures = ["measure latency and memory", "golden cases and baseline"]
    assert progress.cached_titles == [
        "Run the source model on the holdout",
        "Check parity with the source",
        *(f"any-cpu: {name}" for name in figures),
    ]
    assert {path: path.read_bytes() for path in (tmp_path / "cache").rglob("*.stage")} == entries
    assert second.manifests[profile.name].evaluation.candidates == first.manifests[profile.name].evaluation.candidates


def test_weights_in_files_are_told_apart_by_content_and_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def referring(name: str, values: Any, before: int = 0) -> Any:
        (tmp_path / name).mkdir()
        file = tensors.WeightFile(tmp_path / name)
        file.add(np.zeros(before, np.float32), "unused")
        nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
        return model(nodes, [value("x", ["n", 64])], [value("y", ["n", 64])], [file.add(values, "w")])

    values = RANDOM.normal(size=(64, 64)).astype(np.float32)
    other = values.copy()
    other[-1, -1] += 1
    graphs = referring("a", values), referring("b", values, before=1000), referring("c", other)
    assert all(map(tensors.refers, graphs))
    first, same, another = map(value_digest, graphs)
    assert first == same != another
    assert tensors.refers(graphs[0])
    monkeypatch.setattr(Path, "open", None)
    assert value_digest(graphs[0]) == first


def test_a_graph_s_size_is_the_same_wherever_its_weights_lie() -> None:
    made = model([helper.make_node("Identity", ["w"], ["y"])], [], [value("y", [64, 64])], [weights("w", 64, 64)])
    sizes = set()
    for length in (1, 100, 128, 300, 20_000):
        tensors.refer(made.graph.initializer[0], "/" * length, 0, 64 * 64 * 4)
        sizes.add(tensors.model_bytes(made))
    assert len(sizes) == 1


def test_the_converted_graph_holds_no_weights_and_is_proved_against_its_source(source: Path) -> None:
    loaded = load_model(source / "model.onnx", LoadOptions(place=WeightPlace(inline_bytes=LIMIT)))
    converted = convert_model(loaded)
    assert converted.model.ByteSize() < LIMIT < tensors.model_bytes(converted.model)
    assert check_parity(loaded, converted, None, seed=0) >= 5


def test_old_operator_sets_are_brought_forward_with_weights_in_files(source: Path, tmp_path: Path) -> None:
    old = onnx.load(source / "model.onnx", load_external_data=True)
    old.opset_import[0].version = 11
    onnx.save(old, tmp_path / "model.onnx", save_as_external_data=True, location="w.bin")
    loaded = load_model(tmp_path / "model.onnx", LoadOptions(place=WeightPlace(inline_bytes=LIMIT)))
    converted = convert_model(loaded)
    assert converted.opset >= 13
    assert tensors.refers(converted.model)
    assert check_parity(loaded, converted, None, seed=0) >= 5


def external(made: Any, folder: Path) -> Path:
    onnx.save(made, folder / "model.onnx", save_as_external_data=True, location="w.bin", size_threshold=0, convert_attribute=True)
    return folder / "model.onnx"


def test_weights_of_branches_and_constants_stay_in_files_too(tmp_path: Path) -> None:
    sides = [
        helper.make_graph([helper.make_node("MatMul", ["x", "w"], [f"{name}_y"])], name, [], [value(f"{name}_y", ["n", 64])], [weights("w", 64, 64)])
        for name in ("left", "right")
    ]
    nodes = [
        helper.make_node("Constant", [], ["c"], value=weights("", 64, 64)),
        helper.make_node("ReduceSum", ["x"], ["sum"], keepdims=0),
        helper.make_node("Greater", ["sum", "zero"], ["positive"]),
        helper.make_node("If", ["positive"], ["h"], then_branch=sides[0], else_branch=sides[1]),
        helper.make_node("MatMul", ["h", "c"], ["y"]),
    ]
    made = model(nodes, [value("x", ["n", 64])], [value("y", ["n", 64])], [constant("zero", np.float32(0))])
    path = external(made, tmp_path)
    held, referring = (load_model(path, LoadOptions(place=WeightPlace(inline_bytes=limit))) for limit in (2**30, 20_000))
    converted = convert_model(referring)
    assert converted.model.ByteSize() < 10_000
    for sign in (1, -1):
        rows = {"x": np.full((2, 64), sign, np.float32)}
        outputs = run_session(open_session(converted.model, Settings(), where="m"), rows)
        np.testing.assert_allclose(outputs["y"], held.predict(rows)["y"], rtol=1e-4)
        np.testing.assert_allclose(referring.predict(rows)["y"], held.predict(rows)["y"], rtol=1e-4)


def test_a_broken_weight_in_a_file_is_found(tmp_path: Path) -> None:
    broken = weights("w", 64, 64)
    broken.CopyFrom(constant("w", np.where(np.arange(4096).reshape(64, 64) == 70, np.nan, 1).astype(np.float32)))
    made = model([helper.make_node("MatMul", ["x", "w"], ["y"])], [value("x", ["n", 64])], [value("y", ["n", 64])], [broken])
    loaded = load_model(external(made, tmp_path), LoadOptions(place=WeightPlace(inline_bytes=1000)))
    with pytest.raises(ConversionError, match=r"w: a weight is NaN or infinite.*1 of 4,096.*\[1, 6\]"):
        convert_model(loaded)


def test_more_than_the_packager_takes_at_all_is_refused(source: Path) -> None:
    with pytest.raises(SourceModelError, match=r"the weights are too large: expected at most 1 MiB"):
        load_model(source / "model.onnx", LoadOptions(place=WeightPlace(inline_bytes=LIMIT, total_bytes=2**20)))


def test_weights_that_can_be_no_references_still_have_to_fit_into_the_graph(tmp_path: Path) -> None:
    halves = weights("w", 64, 64)
    halves.CopyFrom(helper.make_tensor("w", onnx.TensorProto.BFLOAT16, [64, 64], np.ones(4096, np.float32)))
    nodes = [helper.make_node("Cast", ["w"], ["f"], to=onnx.TensorProto.FLOAT), helper.make_node("MatMul", ["x", "f"], ["y"])]
    made = model(nodes, [value("x", ["n", 64])], [value("y", ["n", 64])], [halves])
    with pytest.raises(SourceModelError, match="the limit of one protobuf message"):
        load_model(external(made, tmp_path), LoadOptions(place=WeightPlace(inline_bytes=1000)))


def test_a_live_model_that_large_is_handed_over_with_its_weights_in_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inmemory, "INLINE_BYTES", 1000)
    made = model([helper.make_node("MatMul", ["x", "w"], ["y"])], [value("x", ["n", 1100])], [value("y", ["n", 1024])], [weights("w", 1100, 1024)])
    path = inmemory.write_model(made, tmp_path, None)
    assert path.stat().st_size < 1000
    loaded = load_model(path, LoadOptions(place=WeightPlace(inline_bytes=1000)))
    rows = np.ones((1, 1100), np.float32)
    np.testing.assert_allclose(loaded.predict({"x": rows})["y"], rows @ numpy_helper.to_array(made.graph.initializer[0]), rtol=1e-3, atol=1e-3)


class Wide(nn.Module):
    """Two layers, the second's weights stored the other way around."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Linear(64, 128)
        self.second = nn.Parameter(torch.randn(128, 8))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.tanh(self.first(x)) @ self.second


def test_a_torch_program_is_exported_with_its_weights_in_a_file(tmp_path: Path) -> None:
    examples = (torch.ones(2, 64),)
    program = torch.export.export(Wide().eval(), examples, dynamic_shapes=({0: torch.export.Dim("batch")},))
    torch.export.save(program, tmp_path / "m.pt2")
    place = WeightPlace(inline_bytes=1000, folder=tmp_path)
    loaded = load_model(tmp_path / "m.pt2", LoadOptions(place=place, examples={"x": examples[0].numpy()}))
    converted = convert_model(loaded)
    assert tensors.refers(converted.model)
    assert converted.model.ByteSize() < 5000
    assert check_parity(loaded, converted, None, seed=0) >= 5
